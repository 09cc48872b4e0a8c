"""Files that only their owner may read, written whole or not at all (S-82)."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ...errors import ConfigError

__all__ = ["PRIVATE", "read_held", "read_private", "write_held", "write_private"]

PRIVATE = 0o600
_LARGEST = 1 << 20


def write_private(path: Path, content: bytes) -> None:
    """Replace the file by one with this content; a reader sees the old one or the new one.

    Raises:
        OSError: the file could not be written; the old one is as it was.
    """
    os.close(write_held(path, content))


def write_held(path: Path, content: bytes) -> int:
    """As `write_private`; the file is returned open and locked, and `read_held` accepts it until it is closed.

    The system closes the files of a process that dies, so its file is not accepted any more.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        draft.unlink()
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with os.fdopen(file, "wb", closefd=False) as stream:
            stream.write(content)
            stream.flush()
            os.fsync(file)
        draft.rename(path)
    except OSError:
        os.close(file)
        with suppress(OSError):
            draft.unlink()
        raise
    return file


def read_private(path: Path) -> bytes | None:
    """The file's content, or None where there is no such file.

    Raises:
        ConfigError: it is not a plain file, not ours, or open to others: its content cannot be trusted.
    """
    with _opened(path) as stream:
        return stream.read(_LARGEST) if stream else None


def read_held(path: Path) -> bytes | None:
    """The content of a file that its writer still holds, see `write_held`; None where there is no such file.

    Raises:
        ConfigError: as `read_private`.
    """
    with _opened(path) as stream:
        return stream.read(_LARGEST) if stream and _is_held(stream.fileno()) else None


def _is_held(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


@contextmanager
def _opened(path: Path) -> Generator[BinaryIO | None]:
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise _distrusted(path, error.strerror or "unreadable") from error
    with os.fdopen(file, "rb") as stream:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode):
            raise _distrusted(path, "not a plain file")
        if found.st_uid != os.geteuid():
            raise _distrusted(path, f"owned by user {found.st_uid}, not by user {os.geteuid()}")
        if found.st_mode & 0o077:
            raise _distrusted(path, "readable or writable by others")
        yield stream


def _distrusted(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"{path} is {reason}", setting="store_url", hint="remove it; it is made anew")
