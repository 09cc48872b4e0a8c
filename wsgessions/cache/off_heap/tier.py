"""The off-heap tier of one process and store: its own file, and those of its siblings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from math import inf
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Final
from weakref import WeakSet

from ...errors import ConfigError
from ...internal.log_throttle import LogThrottle
from ...record import Seen, SessionKey, SessionRecord
from ..lease import lease_clock
from .area import Area
from .directory import WorkerFiles, clock_name
from .layout import PAGE, SMALLEST
from .own_area import OwnArea

__all__ = ["OffHeap"]

_SETTING: Final = "max_bytes_off_heap"
_MOST_SIBLINGS: Final = 32
"""The largest number of siblings that are read: a miss costs about a microsecond for each."""
_LOOK_EVERY: Final = 1.0
"""Seconds between two searches for new and ended siblings."""


class OffHeap:
    """Encoded states of sessions in a file of at most ``max_bytes``, mapped by all workers of one user and host.

    Another worker's entry is trusted only while that worker's lease is valid, and that worker removes it when the store
    reports a change (C-2, C-4): so it is as fresh as if it were this worker's own.

    `put`, `discard`, `clear`, `renew` and `close` are called by one thread, the parser's; `get_own` and `get_shared` by
    any. None of them waits for another process. A forked child begins without a file of its own and opens one with its
    first `renew`. Files of dead workers are removed by the next worker that starts or searches.

    Args:
        max_bytes: the limit on this process's file, table included; at least 64 KiB.
        identity: names the store, namespace and context; must hold no secret. Different identities never mix.
        directory: where private directories are made; default ``/dev/shm``, else the directory for temporary files.
        clock: `lease_clock`, or a test's.

    Raises:
        ConfigError: the limit is too small, or there is no room for a file.
    """

    def __init__(
        self,
        max_bytes: int,
        identity: str,
        *,
        directory: Path | None = None,
        clock: Callable[[], float] = lease_clock,
    ) -> None:
        if max_bytes < SMALLEST:
            raise ConfigError(f"must be 0 or at least {SMALLEST} bytes", setting=_SETTING)
        self._size: Final = max_bytes // PAGE * PAGE
        self._identity: Final = identity
        self._base: Final = directory
        self._clock: Final = clock
        self._clock_name: Final = clock_name()
        self._log: Final = LogThrottle(logging.getLogger("wsgessions.off_heap"))
        self._directory: WorkerFiles | None = None
        self._name = ""
        self._own: OwnArea | None = None
        self._siblings: dict[str, Area] = {}
        self._next_look = -inf
        try:
            self._open()
            self._look_around()
        except OSError as error:
            raise ConfigError(
                f"no file can be made for the off-heap tier: {error.strerror}",
                setting=_SETTING,
                hint="give shared memory (/dev/shm) more room, or set 0 for no off-heap tier",
            ) from error
        _TIERS.add(self)

    def __len__(self) -> int:
        """The number of entries of this process."""
        return self._own.entries if self._own else 0

    @property
    def bytes_used(self) -> int:
        """The bytes of the entries of this process; its file may be larger, but never than the limit."""
        return self._own.bytes if self._own else 0

    @property
    def evicted(self) -> int:
        """The number of entries of this process that were overwritten so far."""
        return self._own.evicted if self._own else 0

    @property
    def siblings(self) -> int:
        """The number of other workers' files that are read."""
        return len(self._siblings)

    def put(self, record: SessionRecord) -> None:
        """Store this state in place of an older one. A state larger than a tenth of the limit is removed instead."""
        if self._own:
            self._own.put(record)

    def discard(self, digest: bytes) -> int:
        """Remove the state of the session with this digest, which has changed and may not be served any more.

        Returns:
            The version of that state, 0 if there was none.
        """
        return self._own.discard(digest) if self._own else 0

    def clear(self) -> None:
        """End the generation: no entry is valid any more, and the lease has ended (C-1)."""
        if self._own:
            self._own.clear()

    def renew(self, fresh_until: float) -> None:
        """Set the end of the lease, by the clock; 0 ends it (C-4, C-5).

        At most once a second, this searches for new and ended siblings. So the search happens with heartbeats, never
        during a request.
        """
        if fresh_until and self._clock() >= self._next_look:  # the end of a lease must not wait
            self._refresh()
        if self._own:
            self._own.renew(fresh_until)

    def get_own(self, key: SessionKey) -> SessionRecord | None:
        """The state that this process has stored: tracked by its own link, and under its own lease."""
        own = self._own
        return own.read(key) if own else None

    def get_shared(self, key: SessionKey, at_least: Seen) -> SessionRecord | None:
        """A state of a sibling with a valid lease: of this incarnation, not older than this version (C-11).

        This process's link does not track it, so each request must read it again.
        """
        for sibling in self._siblings.values():
            record = sibling.read(key)
            if (
                record is not None
                and record.incarnation == at_least.incarnation
                and record.version >= at_least.version
                and self._clock() < sibling.fresh_until  # checked last: this process may have been stopped meanwhile
            ):
                return record
        return None

    def close(self) -> None:
        """Remove this process's file and close the others. Afterwards nothing is found, and no file is opened again."""
        own, self._own, self._siblings, self._next_look = self._own, None, {}, inf
        directory, self._directory = self._directory, None
        if own and directory:
            directory.remove(self._name)
            own.close()
        if directory:
            directory.close()

    def _open(self) -> None:
        directory = WorkerFiles(self._identity, self._base)
        try:
            self._name, self._own = self._made(directory)
        except OSError:
            directory.close()
            raise
        self._directory = directory

    def _made(self, directory: WorkerFiles) -> tuple[str, OwnArea]:
        name, file = directory.create()
        try:
            return name, OwnArea(file, self._size, self._clock_name)
        except OSError:
            directory.remove(name)
            os.close(file)
            raise

    def _refresh(self) -> None:
        try:
            if self._own is None:
                self._open()
            self._look_around()
        except OSError as error:
            self._log.warning("off_heap_failed", "the off-heap tier is not available: %s", error)
        self._next_look = self._clock() + _LOOK_EVERY

    def _look_around(self) -> None:
        """Map the files of new siblings, and release those of siblings without a file or a living worker."""
        directory = self._directory
        if directory is None:
            return
        names = directory.names() - {self._name}
        now = self._clock()
        siblings = {
            name: area
            for name, area in self._siblings.items()
            if name in names and (now < area.fresh_until or _lives(directory, name))
        }
        for name in sorted(names - self._siblings.keys()):
            file = directory.open_living(name)
            area = None if file is None else self._mapped(file)
            if area is not None and len(siblings) < _MOST_SIBLINGS:
                siblings[name] = area
        self._siblings = siblings  # replaced, never changed: other threads are going through it

    def _mapped(self, file: int) -> Area | None:
        try:
            return Area(mmap(file, 0, access=ACCESS_READ), self._clock_name)
        except (OSError, ValueError):  # not finished yet, of another release, or from another machine
            return None
        finally:
            os.close(file)

    def begin_anew(self) -> None:
        """In a forked child: the file is the parent's, and so is the lock on it."""
        own, self._own = self._own, None
        directory, self._directory = self._directory, None
        if own and directory:
            own.abandon()
            directory.close()
            self._next_look = -inf


def _lives(directory: WorkerFiles, name: str) -> bool:
    file = directory.open_living(name)
    if file is not None:
        os.close(file)
    return file is not None


_TIERS: Final[WeakSet[OffHeap]] = WeakSet()


def _begin_anew() -> None:
    for tier in _TIERS:
        tier.begin_anew()


os.register_at_fork(after_in_child=_begin_anew)
