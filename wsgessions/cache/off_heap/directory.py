"""The files of the workers of one user and host, and how workers find each other's (S-82).

Each worker makes a directory of its own in shared memory, with mode 0700 and an unpredictable name, so that no other
user can create it beforehand. The others find it by listing: entries that are not a private directory of the same user
are ignored.

A file is locked by the worker that made it, for as long as that worker lives, and the system frees the lock however the
worker ends. So a file without a lock is stale, and the first process that finds it removes it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
from collections.abc import Generator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

__all__ = ["WorkerFiles", "clock_name", "sweep"]

_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the directories made in it are private, and checked
_PREFIX: Final = "wsgessions-"
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | _FLAGS
_OTHERS: Final = 0o077


class WorkerFiles:
    """The files of this user's workers, by the names of their directories. Files of dead workers are removed at once.

    Args:
        identity: the identity of the store, such as address and namespace. Files of two identities are separate.
        base: the parent of the directories; default shared memory, else the directory for temporary files.

    Raises:
        OSError: that cannot be read.
    """

    def __init__(self, identity: str, base: Path | None = None) -> None:
        self._file: Final = blake2b(identity.encode(), digest_size=16).hexdigest()
        self._base: Final = os.open(base or _memory_directory(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._strangers: set[str] = set()
        self.sweep()

    def create(self) -> tuple[str, int]:
        """A new, empty file, locked until it is closed: the name of its directory, and the open file.

        Raises:
            OSError: no file can be made here.
        """
        while True:
            name = _PREFIX + secrets.token_hex(16)
            os.mkdir(name, 0o700, dir_fd=self._base)
            # A worker that starts at this moment treats a file without a lock as stale, and removes it.
            with suppress(FileNotFoundError):
                file = self._made(name)
                if _locked(file) and os.fstat(file).st_nlink:
                    return name, file
                os.close(file)
            self.remove(name)

    def _made(self, name: str) -> int:
        folder = os.open(name, _DIRECTORY, dir_fd=self._base)
        try:
            return os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=folder)
        finally:
            os.close(folder)

    def names(self) -> set[str]:
        """All present private directories of this user, of any identity.

        Raises:
            OSError: the parent directory cannot be listed.
        """
        found = {name for name in os.listdir(self._base) if name.startswith(_PREFIX)}  # noqa: PTH208 - by the open base
        self._strangers &= found  # each is examined once, so that a thousand of them cost no more than their names
        self._strangers |= {name for name in found - self._strangers if not self._is_ours(name)}
        return found - self._strangers

    def _is_ours(self, name: str) -> bool:
        with self._opened(name) as folder:
            return folder is not None

    def open_living(self, name: str) -> int | None:
        """A sibling's file, open for reading; None if it has none of this identity, or is dead: then the file is
        removed.
        """
        with self._opened(name) as folder:
            file = None if folder is None else _opened_file(self._file, folder)
            if file is None or not _locked(file):
                return file
            # The lock is held until the file is gone, so that a worker that is just making it notices.
            self.remove(name)
            os.close(file)
            return None

    def remove(self, name: str) -> None:
        """Remove a file and its directory; a process that has it mapped keeps the mapping."""
        with self._opened(name) as folder:
            if folder is not None:
                with suppress(OSError):
                    os.unlink(self._file, dir_fd=folder)
        self._remove_empty(name)

    def sweep(self) -> None:
        """Remove the files of dead workers of this user, of any identity.

        Raises:
            OSError: the directories cannot be listed.
        """
        for name in self.names():
            with self._opened(name) as folder:
                if folder is not None:
                    _clear(folder)
            self._remove_empty(name)

    def close(self) -> None:
        """Close the directory. The files stay."""
        os.close(self._base)

    def _remove_empty(self, name: str) -> None:
        with suppress(OSError):  # it is not empty
            os.rmdir(name, dir_fd=self._base)

    @contextmanager
    def _opened(self, name: str) -> Generator[int | None]:
        """The directory, kept open, so that it cannot be replaced; None unless it is private to this user."""
        try:
            folder = os.open(name, _DIRECTORY, dir_fd=self._base)
        except OSError:
            yield None
            return
        try:
            found = os.fstat(folder)
            yield folder if found.st_uid == os.geteuid() and not found.st_mode & _OTHERS else None
        finally:
            os.close(folder)


def sweep() -> None:
    """Remove the files of dead workers of this user, for a process without such a file."""
    with suppress(OSError):
        WorkerFiles("").close()


def _clear(folder: int) -> None:
    with suppress(OSError):
        for entry in os.listdir(folder):
            file = _opened_file(entry, folder)
            if file is None:
                continue
            if _locked(file):
                with suppress(OSError):
                    os.unlink(entry, dir_fd=folder)
            os.close(file)


def _opened_file(name: str, folder: int) -> int | None:
    """A plain file of this user, open for reading; otherwise None."""
    try:
        file = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=folder)
    except OSError:
        return None
    found = os.fstat(file)
    if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
        return file
    os.close(file)
    return None


def clock_name() -> bytes:
    """16 bytes that are the same for all processes with the same lease clock: one boot of one machine."""
    parts = [os.uname().nodename]
    with suppress(OSError):
        parts = [Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")]
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/time").readlink()))  # a container may see another boot time
    return blake2b("\n".join(parts).encode(), digest_size=16).digest()


def _memory_directory() -> Path:
    usable = _SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK | os.X_OK)
    return _SHARED_MEMORY if usable else Path(tempfile.gettempdir())


def _locked(file: int) -> bool:
    """Try to take the lock; returns whether no other process has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
