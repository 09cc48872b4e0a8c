"""The private directory in which the workers of one store, user and host find each other's files (S-82).

A file is locked by the worker that made it, for as long as that worker lives, and the system frees the lock however the
worker ends. So a file that nobody has locked is left over, and whoever notices it removes it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ...errors import ConfigError

__all__ = ["SETTING", "FileDirectory", "clock_name"]

SETTING: Final = "max_bytes_off_heap"
_SHARED_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the directory made in it is private, and checked
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_OTHERS: Final = 0o077


class FileDirectory:
    """One directory, made if missing, kept open so that nobody can put another in its place.

    Args:
        identity: what the files are about, such as address and namespace of a store. Two identities never meet.
        base: where the directory lies; default shared memory, else the directory for temporary files.

    Raises:
        ConfigError: it belongs to somebody else or is open to others.
        OSError: it cannot be made or opened.
    """

    def __init__(self, identity: str, base: Path | None = None) -> None:
        name = blake2b(identity.encode(), digest_size=16).hexdigest()
        self.path: Final = (base or _memory_directory()) / f"wsgessions-{os.geteuid()}-{name}"
        with suppress(FileExistsError):
            self.path.mkdir(0o700)
        try:
            self._directory: Final = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
        except NotADirectoryError:
            raise self._distrusted("not a directory") from None
        found = os.fstat(self._directory)
        if found.st_uid != os.geteuid() or found.st_mode & _OTHERS:
            self.close()
            raise self._distrusted(f"user {found.st_uid}'s, with mode {stat.S_IMODE(found.st_mode):o}")

    def create(self) -> tuple[str, int]:
        """A new, empty file, locked until it is closed: its name and the open file.

        Raises:
            OSError: no file can be made here.
        """
        while True:
            name = f"{os.getpid()}-{secrets.token_hex(8)}"
            file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600, dir_fd=self._directory)
            if _locked(file) and os.fstat(file).st_nlink:
                return name, file
            os.close(file)  # somebody took it for a file that was left over, before it was locked

    def names(self) -> set[str]:
        """The files that there are now.

        Raises:
            OSError: the directory cannot be read.
        """
        return set(os.listdir(self._directory))  # noqa: PTH208 - by the open directory, not by its path

    def open_living(self, name: str) -> int | None:
        """A sibling's file, open for reading; None if there is none or its worker is dead, and then it is removed."""
        try:
            file = os.open(name, os.O_RDONLY | _FLAGS, dir_fd=self._directory)
        except OSError:
            return None
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid():
            if not _locked(file):
                return file
            self.remove(name)
        os.close(file)
        return None

    def remove(self, name: str) -> None:
        """Remove a file; whoever has it mapped keeps what he has."""
        with suppress(OSError):
            os.unlink(name, dir_fd=self._directory)

    def close(self) -> None:
        """Let go of the directory; it stays for the others."""
        os.close(self._directory)

    def _distrusted(self, reason: str) -> ConfigError:
        return ConfigError(
            f"{self.path}, the directory for off-heap files, is {reason}",
            setting=SETTING,
            hint="have it removed, it is made anew, private to its user; or set 0 for no off-heap tier",
        )


def clock_name() -> bytes:
    """16 bytes that are the same for all processes whose lease clocks agree: one boot of one machine."""
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
    """Whether the lock could be taken: nobody else has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
