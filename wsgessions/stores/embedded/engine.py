"""One run of the server program, as a child of the supervisor."""

from __future__ import annotations

import errno
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from ...errors import ConfigError, StoreUnavailable
from .binary import not_runnable
from .configuration import Listening, configuration
from .connection import FsyncPolicy
from .directory import StoreDirectory, disk_trouble
from .endpoint import Secret
from .lifeline import Guardian, tie_to_parent
from .locks import FileLock
from .peer import Peer, own_namespace
from .private_files import PRIVATE, write_private
from .processes import ProcessMark, listener_of
from .users import user_lines
from .wire import ask_info, ask_rewrite

__all__ = ["Engine", "check_port"]

_STOP_PATIENCE = 10.0
_LARGEST_LOG = 4 << 20
_LEAST_SPACE = 1 << 20
_LOG_TAIL = 4096


class Engine:
    """A server process, from its start to its end. Each run is a new object."""

    def __init__(
        self,
        directory: StoreDirectory,
        server: Path,
        listening: Listening,
        password: Secret,
        *,
        fsync: FsyncPolicy,
        maxmemory: int,
    ) -> None:
        self._directory = directory
        self._server = server
        self._password = password
        # Drawn for each run and kept in this process: these credentials have few rights, and only here.
        self._own_password = Secret(secrets.token_urlsafe(32))
        self._fsync = fsync
        self._maxmemory = maxmemory
        self._process: subprocess.Popen[bytes] | None = None
        self._guardian: Guardian | None = None
        self._log_begin = 0
        self._is_cleared = False
        self.listening = listening
        self.started_at: float = 0.0

    @property
    def pid(self) -> int:
        """The server's process; 0 before the start."""
        return self._process.pid if self._process else 0

    def start(self, lock: FileLock) -> None:
        """Start the process, which inherits ``lock``: the data is in use until its last writer has ended.

        Raises:
            ConfigError: the program does not run here, or the directory or address cannot be used.
            StoreUnavailable: the port is taken or the disk is full.
        """
        check_port(self.listening)
        try:
            self._prepare()
            self._process = self._spawn(lock)
            mark = ProcessMark.of(self.pid)
            write_private(self._directory.server_pid, mark.to_bytes() if mark else b"")
        except OSError as error:
            self.stop()
            raise disk_trouble(error, self._directory.path) from error
        self.started_at = time.monotonic()

    def _prepare(self) -> None:
        self._directory.data.mkdir(0o700, exist_ok=True)
        # Of an earlier server, or bound by another process: its listener is not the server that is started here.
        self._directory.socket.unlink(missing_ok=True)
        # The unfinished rewrite of a killed server is useless, and would fill the disk.
        for draft in self._directory.data.glob("**/temp-*"):
            draft.unlink(missing_ok=True)
        space = os.statvfs(self._directory.path)
        if space.f_bavail * space.f_frsize < _LEAST_SPACE:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        settings = configuration(
            self._directory,
            self.listening,
            user_lines(self._password, self._own_password),
            fsync=self._fsync,
            maxmemory=self._maxmemory,
        )
        write_private(self._directory.configuration, settings)

    def _spawn(self, lock: FileLock) -> subprocess.Popen[bytes]:
        with self._opened_log() as log:
            self._log_begin = os.fstat(log).st_size
            try:
                process = subprocess.Popen(
                    [self._server, self._directory.configuration],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=self._directory.data,
                    pass_fds=(lock.fileno(),),
                    preexec_fn=tie_to_parent(),  # noqa: PLW1509 - the supervisor has one thread
                    process_group=0,  # the supervisor handles a Ctrl-C in the terminal
                    umask=0o077,
                )
            except (FileNotFoundError, PermissionError) as error:
                raise not_runnable(self._server, error) from error
        if sys.platform != "linux":
            self._guardian = Guardian(process.pid)
        return process

    def _opened_log(self) -> _LogFile:
        path = self._directory.server_log
        with suppress(FileNotFoundError):
            if path.stat().st_size > _LARGEST_LOG:
                path.replace(path.with_suffix(".log.1"))
        return _LogFile(path)

    def info(self) -> dict[str, str]:
        """The server's status information; raises OSError while it does not answer."""
        return ask_info(self.listening, self._own_password, self._peer())

    def rewrite(self) -> None:
        """Have the server rewrite its file; raises OSError if it does not start."""
        ask_rewrite(self.listening, self._own_password, self._peer())

    def _peer(self) -> Peer:
        return Peer(self.pid, own_namespace())

    def has_ended(self) -> bool:
        """Whether the process has ended; its children are ended then, too."""
        if self._process is None or self._process.poll() is None:
            return self._process is None
        self._clear_away()
        return True

    def failure(self) -> StoreUnavailable:
        """The reason why the process ended, from its log."""
        said = self._said()
        if "No space left on device" in said:
            return StoreUnavailable(
                f"the disk of {self._directory} is full", hint="free some space; nothing stored is lost"
            )
        if "Address already in use" in said:
            return _port_taken(self.listening)
        cause = self._cause(said)
        return StoreUnavailable(
            f"the server of {self._directory} ended: {cause}", hint=f"see {self._directory.server_log}"
        )

    def _cause(self, said: str) -> str:
        status = self._process.returncode if self._process else None
        if status == -signal.SIGKILL:  # its log does not show that
            return "killed by SIGKILL, by a user or by a system short of memory"
        # The server marks what matters with " # "; the rest is routine.
        weighty = [line.split(" # ", 1)[1] for line in said.splitlines() if " # " in line] or said.splitlines()
        return weighty[-1].strip() if weighty else f"status {status}"

    def _said(self) -> str:
        """The last lines of this run in the log; empty if the log was removed."""
        try:
            with self._directory.server_log.open("rb") as log:
                log.seek(self._log_begin)
                return log.read()[-_LOG_TAIL:].decode(errors="replace")
        except OSError:
            return ""

    def stop(self) -> None:
        """Ask the process to write its file and end, and kill it after ten seconds. Stopping twice does nothing."""
        if self._process is None or self.has_ended():
            return
        self._process.send_signal(signal.SIGTERM)
        self._process.send_signal(signal.SIGCONT)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_PATIENCE)
        self._clear_away()
        self._process.wait()

    def _clear_away(self) -> None:
        """End the rest of the process group: the server, or a child of it that rewrites its file."""
        if self._is_cleared:  # once: the number may be another's later
            return
        self._is_cleared = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._guardian:
            self._guardian.release()
            self._guardian = None


class _LogFile:
    """The log, opened for appending by its owner alone."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self._path, flags, PRIVATE)
        return self._file

    def __exit__(self, *ignored: object) -> None:
        os.close(self._file)


def check_port(listening: Listening) -> None:
    """Check that the server can listen there.

    Raises:
        ConfigError: not at this address.
        StoreUnavailable: the port is taken.
    """
    if listening.port is None:
        return
    family = socket.AF_INET6 if ":" in listening.bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listening.bind, listening.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise _port_taken(listening) from error
            place = f"{listening.bind} port {listening.port}"
            raise ConfigError(f"{place} cannot be used: {error.strerror}", setting="store_url") from error


def _port_taken(listening: Listening) -> StoreUnavailable:
    holder = listener_of(listening.port or 0) or "another program"
    return StoreUnavailable(f"port {listening.port} is taken by {holder}", hint="end it, or choose another port")
