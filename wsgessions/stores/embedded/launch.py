"""Starts the detached supervisor, if there is none, and reads its report about the start."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from ...errors import ConfigError, StoreUnavailable, WsgessionsError
from ...internal import real_time as time
from .binary import find_python
from .directory import StoreDirectory, disk_trouble
from .locks import FORK_GUARD, FileLock
from .plan import Plan
from .private_files import PRIVATE

__all__ = ["Launch", "launch", "this_program"]

_SUPERVISE = Path(__file__).with_name("supervise.py")
_INHERITED = frozenset({"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"})
"""The environment variables that the supervisor gets. All others belong to the application, and may be secret."""

_LARGEST_LOG = 1 << 20
_POLL = 0.01


class Launch:
    """A supervisor that is starting.

    Args:
        process: the one that starts it and ends at once.
        report: the end of the pipe for the supervisor's report about the start.
    """

    def __init__(self, process: subprocess.Popen[bytes], report: int) -> None:
        self._process = process
        self._report = report
        self._heard = b""

    async def outcome(self, deadline: float) -> None:
        """Return when the server is ready, or at the deadline: the supervisor continues, and later calls find its
        server.

        Raises:
            ConfigError, StoreUnavailable: the errors of the supervisor.
        """
        try:
            while not self._has_heard():
                if time.monotonic() >= deadline:
                    return
                await asyncio.sleep(_POLL)
        finally:
            os.close(self._report)
            self._process.wait()
        if error := _error(self._heard):
            raise error

    def _has_heard(self) -> bool:
        """Whether the report is complete: a line, or the end of a supervisor that died before writing it."""
        try:
            piece = os.read(self._report, 4096)
        except BlockingIOError:
            return False
        self._heard += piece
        return not piece or self._heard.endswith(b"\n")


def launch(directory: StoreDirectory, make_plan: Callable[[], Plan]) -> Launch | None:
    """Start a supervisor, unless there is one or a ``wsgessions server`` is coming: then None, and no plan is made.

    Raises:
        ConfigError: there is no interpreter for it, or the directory cannot be written.
        StoreUnavailable: the disk is full.
    """
    with FORK_GUARD:
        lock = None
        try:
            lock = FileLock(directory.supervisor_lock)
            if not lock.try_alone() or _is_taken_over(directory):
                return None
            return _start(directory, make_plan(), lock)
        except OSError as error:
            raise disk_trouble(error, directory.path) from error
        finally:
            if lock:
                lock.close()


def _is_taken_over(directory: StoreDirectory) -> bool:
    takeover = FileLock(directory.takeover_lock)
    try:
        return takeover.is_held()
    finally:
        takeover.close()


def _start(directory: StoreDirectory, plan: Plan, lock: FileLock) -> Launch:
    report, told = os.pipe()
    os.set_blocking(report, False)
    log = _opened_log(directory.supervisor_log)
    try:
        process = subprocess.Popen(
            [find_python(), "-I", "-S", _SUPERVISE, directory.path, str(lock.fileno()), plan.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=log,
            cwd="/",
            env={name: value for name, value in os.environ.items() if name in _INHERITED},
            pass_fds=(lock.fileno(),),
            start_new_session=True,  # a Ctrl-C or a closed terminal does not reach the store
            umask=0o077,
        )
    except BaseException:
        os.close(report)
        raise
    finally:
        os.close(told)
        os.close(log)
    return Launch(process, report)


def _opened_log(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    log = os.open(path, flags, PRIVATE)
    if os.fstat(log).st_size > _LARGEST_LOG:
        os.truncate(log, 0)
    return log


def _error(report: bytes) -> WsgessionsError | None:
    if not report:
        return StoreUnavailable("the supervisor of the embedded store died before it could say why")
    told = json.loads(report)
    if "ready" in told:
        return None
    if told["code"] == ConfigError.code:
        # The message contains the setting already; the supervisor raised it as a ConfigError.
        return ConfigError(told["message"].partition(": ")[2], setting="store_url", hint=told["hint"])
    return StoreUnavailable(told["message"], hint=told["hint"])


def this_program() -> str:
    """This process and its program, for messages: ``"pid 123 (uvicorn)"``. Its arguments may hold secrets."""
    name = Path(sys.argv[0] if sys.argv else "").name or "python"
    return f"pid {os.getpid()} ({''.join(letter for letter in name if letter.isprintable())})"
