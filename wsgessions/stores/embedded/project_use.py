"""Finds out that two running processes of one project use two embedded stores, and so share no sessions.

Each process notes the directory of its store in the user's state directory, in a file that it keeps locked: a process
that has ended, however it did, uses none. Directories for temporary files do not count, as tests use them.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path
from typing import Final

from .default_directory import project_root, state_directory
from .locks import FORK_GUARD, FileLock

__all__ = ["ProjectUse"]

_log = logging.getLogger("wsgessions.embedded")

_ATTEMPTS: Final = 5
_LONGEST: Final = 4096


class ProjectUse:
    """The use of a directory by this process, for one application of the project in the working directory.

    Args:
        directory: of the store.
        namespace: the setting of that name. Applications with different ones, or with different contexts, share no
            sessions anyway.
        context_path: likewise.
    """

    def __init__(self, directory: Path, *, namespace: str, context_path: str) -> None:
        self._directory = Path(os.path.abspath(directory.expanduser()))  # noqa: PTH100 - as `StoreDirectory`
        self._application = _digest(f"{namespace}\n{context_path}")
        self._lock: FileLock | None = None

    def begin(self) -> None:
        """Note the use, and log a warning if another process uses another directory. A second call does nothing."""
        root = project_root()
        if self._lock is not None or root is None or self._directory.is_relative_to(_temporary()):
            return
        try:
            others = self._noted(state_directory() / "in-use" / _digest(str(root)))
        except OSError as error:
            _log.info("the use of %s could not be noted: %s", self._directory, error, extra={"event": "use_not_noted"})
            return
        if others:
            _log.warning(
                "another running process of the project %s uses the store in %s, this one that in %s, so they share "
                "no sessions: give both the same store_url, or each a namespace of its own",
                root,
                " and ".join(others),
                self._directory,
                extra={"event": "two_directories"},
            )

    def end(self) -> None:
        """The process uses the directory no more."""
        with FORK_GUARD:
            if self._lock is not None:
                self._lock.close()
            self._lock = None

    def _noted(self, notes: Path) -> list[str]:
        """Write the note; returns the other directories in use."""
        notes.mkdir(0o700, parents=True, exist_ok=True)
        own = notes / f"{self._application}-{_digest(str(self._directory))}"
        with FORK_GUARD:
            self._lock = _note(own, str(self._directory))
            found = [_read_if_in_use(note) for note in notes.glob(f"{self._application}-*") if note != own]
        return [directory for directory in found if directory]


def _note(path: Path, directory: str) -> FileLock | None:
    """A note, held together with the other users of the directory; None if it is not to be had for now."""
    for _ in range(_ATTEMPTS):
        lock = FileLock(path)
        if lock.try_shared() and lock.is_current():
            os.pwrite(lock.fileno(), os.fsencode(directory), 0)
            return lock
        lock.close()  # another process is just removing the note of a process that has ended
    return None


def _read_if_in_use(path: Path) -> str | None:
    """The directory in a note that a running process holds; a note that no process holds is removed."""
    lock = FileLock(path)
    try:
        if not lock.try_alone():
            return os.fsdecode(os.pread(lock.fileno(), _LONGEST, 0))
        path.unlink(missing_ok=True)
        return None
    finally:
        lock.close()


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _temporary() -> Path:
    return Path(os.path.abspath(tempfile.gettempdir()))  # noqa: PTH100 - as the directory
