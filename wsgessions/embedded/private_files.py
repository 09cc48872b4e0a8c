"""Files that only their owner may read, written whole or not at all (S-82)."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from ..errors import ConfigError

__all__ = ["PRIVATE", "read_private", "write_private"]

PRIVATE = 0o600
_LARGEST = 1 << 20


def write_private(path: Path, content: bytes) -> None:
    """Replace the file by one with this content; a reader sees the old one or the new one.

    Raises:
        OSError: the file could not be written; the old one is as it was.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        draft.unlink()
    try:
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE)
        with os.fdopen(file, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(file)
        draft.rename(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def read_private(path: Path) -> bytes | None:
    """The file's content, or None where there is no such file.

    Raises:
        ConfigError: it is not a plain file, not ours, or open to others: what it says cannot be trusted.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
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
        return stream.read(_LARGEST)


def _distrusted(path: Path, reason: str) -> ConfigError:
    return ConfigError(f"{path} is {reason}", setting="store_url", hint="remove it; it is made anew")
