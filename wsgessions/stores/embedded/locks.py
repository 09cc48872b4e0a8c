"""Advisory locks by open files, which end with the process, however it ends."""

from __future__ import annotations

import fcntl
import os
import threading
from pathlib import Path

from .private_files import PRIVATE

__all__ = ["FORK_GUARD", "FileLock"]

FORK_GUARD = threading.RLock()
"""Held while a process opens a lock that it is about to pass on or to close. A fork waits for it: a child that
inherited such a file would hold the lock as well, for as long as it lives."""

os.register_at_fork(before=FORK_GUARD.acquire, after_in_parent=FORK_GUARD.release, after_in_child=FORK_GUARD.release)


class FileLock:
    """One open file and the lock that comes with it.

    The lock belongs to the open file, not to the process: a forked child shares it, and it ends when the last of them
    has closed the file or ended. It is therefore given up by closing, never by unlocking, which would take it from all
    of them. A program that is started does not inherit it, unless it is handed the file.
    """

    def __init__(self, path: Path, file: int | None = None) -> None:
        """
        Args:
            path: the lock file; created if missing.
            file: an open file of it that was passed on, with its lock.

        Raises:
            OSError: the file cannot be opened, or is a symbolic link.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._path = path
        self._file = os.open(path, flags, PRIVATE) if file is None else file
        os.set_inheritable(self._file, False)

    def fileno(self) -> int:
        return self._file

    def try_shared(self) -> bool:
        """Take the lock together with other sharers. False if another process holds it alone."""
        return self._try(fcntl.LOCK_SH)

    def try_alone(self) -> bool:
        """Take the lock for this open file alone. False if another open file holds it."""
        return self._try(fcntl.LOCK_EX)

    def is_held(self) -> bool:
        """Whether another process holds it alone. To be called only without holding it."""
        if not self.try_shared():
            return True
        self.give_back()
        return False

    def is_taken(self) -> bool:
        """Whether another process holds it, alone or shared. To be called only without holding it."""
        if not self.try_alone():
            return True
        self.give_back()
        return False

    def give_back(self) -> None:
        """Unlock and stay open, for a process that tries again and shares the open file with no other."""
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def is_current(self) -> bool:
        """Whether the path still leads to this file. False once the directory was removed or replaced."""
        try:
            found = self._path.stat(follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._file))

    def close(self) -> None:
        """Close this process's file; the lock ends with the last open file. Closing twice does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _try(self, kind: int) -> bool:
        try:
            fcntl.flock(self._file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
