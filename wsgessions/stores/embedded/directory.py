"""The directory of an embedded store: its files, and the check that it is safe to use (S-82)."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from ...errors import ConfigError, StoreUnavailable
from .locks import FORK_GUARD, FileLock
from .private_files import write_private

__all__ = ["StoreDirectory", "disk_trouble"]

_MODE = 0o700
_HARMLESS = frozenset({".DS_Store", ".gitignore", ".gitkeep", "lost+found"})


class StoreDirectory:
    """The files of one embedded store.

    | file | what it is |
    |---|---|
    | ``users.lock`` | shared by all processes that use the store; taken alone by a supervisor that stops |
    | ``supervisor.lock`` | held by the one supervisor; the process that starts it hands it over |
    | ``server.lock`` | held by the supervisor and inherited by the server: while it is held, the data is in use |
    | ``takeover.lock`` | held by a ``wsgessions server`` that waits for an embedded store to make room |
    | ``connection.json`` | how to attach; there while the server is ready, and locked by the supervisor |
    | ``server.pid`` | the server's process, for a supervisor that finds ``server.lock`` held |
    | ``password`` | of ``wsgessions server``, which keeps it for clients of other hosts |
    | ``valkey.sock`` | the server's socket |
    | ``data`` | the server's files |
    | ``valkey.conf``, ``valkey.log``, ``supervisor.log`` | what their names say |
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """``path``: relative to the current directory at this moment; ``~`` is the home directory."""
        self.path: Path = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - resolve() would follow symlinks
        self.users_lock: Path = self.path / "users.lock"
        self.supervisor_lock: Path = self.path / "supervisor.lock"
        self.server_lock: Path = self.path / "server.lock"
        self.takeover_lock: Path = self.path / "takeover.lock"
        self.connection: Path = self.path / "connection.json"
        self.server_pid: Path = self.path / "server.pid"
        self.password: Path = self.path / "password"
        self.configuration: Path = self.path / "valkey.conf"
        self.server_log: Path = self.path / "valkey.log"
        self.supervisor_log: Path = self.path / "supervisor.log"
        self.socket: Path = self.path / "valkey.sock"
        self.data: Path = self.path / "data"

    def __str__(self) -> str:
        return str(self.path)

    def prepare(self) -> None:
        """Create the directory if it is missing, and check it.

        Raises:
            ConfigError: it is a symbolic link, belongs to another user, is writable by others, holds something else, or
                cannot be made or written.
            StoreUnavailable: the disk is full.
        """
        try:
            self.path.mkdir(_MODE, parents=True, exist_ok=True)
            self._check(self.path.stat(follow_symlinks=False))
            self._claim()
        except OSError as error:
            raise disk_trouble(error, self.path) from error

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISDIR(found.st_mode):
            raise self._refused("is a symbolic link or not a directory", "name the directory itself")
        if found.st_uid != os.geteuid():
            owner, user = found.st_uid, os.geteuid()
            raise self._refused(
                f"belongs to user {owner}, not to user {user}", "choose a directory of your own, or chown it"
            )
        if found.st_mode & 0o022:
            raise self._refused("can be written by other users", f"chmod 700 {self.path}")
        self._check_content()
        if found.st_mode & 0o077:
            self.path.chmod(_MODE)

    def _check_content(self) -> None:
        """Reject a directory that has files, but not the one that `_claim` creates first."""
        names = {file.name for file in self.path.iterdir()} - _HARMLESS
        if names and self.users_lock.name not in names:
            raise self._refused("holds other files", "name an empty or a new directory")

    def _claim(self) -> None:
        if not self.users_lock.exists():
            with FORK_GUARD:
                FileLock(self.users_lock).close()
        ignore = self.path / ".gitignore"
        if not ignore.exists():
            write_private(ignore, b"*\n")

    def _refused(self, reason: str, hint: str) -> ConfigError:
        return ConfigError(f"{self.path} {reason}", setting="store_url", hint=hint)


def disk_trouble(error: OSError, path: Path) -> ConfigError | StoreUnavailable:
    """The error of this project with the system's error about ``path``, and a remedy."""
    place, said = error.filename or path, error.strerror or type(error).__name__
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreUnavailable(f"the disk of {path} is full: {said}", hint="free some space; nothing stored is lost")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        hint = "name a directory that can be written: WSGESSIONS_STORE_URL=embedded:/path/of/your/own"
        return ConfigError(f"{place} cannot be written: {said}", setting="store_url", hint=hint)
    if error.errno in {errno.ENOTDIR, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG}:
        hint = "name a new directory"
        return ConfigError(f"{place} cannot be the store's directory: {said}", setting="store_url", hint=hint)
    return StoreUnavailable(f"{place}: {said}")
