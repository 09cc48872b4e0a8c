"""The two tiers of a near cache as one: the heap of this process, and memory that the workers of a host share.

Each state is stored in both, so that a state that is evicted from the heap is still there, and a sibling may serve it.
A state that is found outside the heap returns to it: as a served copy if this process stored it and so tracks it, and
otherwise as the base of the next read or commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..record import Seen, SessionKey, SessionRecord
from ..record.struct import replace
from ..store.capabilities import SeenState
from .heap import Snapshots

if TYPE_CHECKING:
    from .off_heap import OffHeap

__all__ = ["Tiers"]

_REMEMBERED: Final = 4096
"""The number of sessions for which the latest outdated version is remembered."""
_ENDED: Final = sys.maxsize
"""In place of a version: all states of the session are outdated."""


class Tiers:
    """States of sessions by key. All but `find_off_heap` and `heap.get` belong to the thread of the parser (C-2).

    Args:
        heap: the first tier.
        off_heap: the second, if there is one.
    """

    __slots__ = ("_over", "heap", "held", "off_heap", "put")

    def __init__(self, heap: Snapshots, off_heap: OffHeap | None) -> None:
        self.heap: Final = heap
        self.off_heap: Final = off_heap
        # The last version that is known here to be outdated: a sibling may learn it later. Other threads only read.
        self._over: dict[bytes, int] = {}
        self.held: Final[Callable[[SessionKey], SessionRecord | None]] = (
            heap.held if off_heap is None else self._held_in_either
        )
        """The state that was stored last, even if it was outdated since. Of the heap itself, if that is the only tier.
        """
        self.put: Final[Callable[[SessionRecord], None]] = heap.put if off_heap is None else self._put_in_both
        """Keep this state in place of an older one; as above."""

    def _held_in_either(self, key: SessionKey) -> SessionRecord | None:
        held = self.heap.held(key)
        return self.off_heap.get_own(key) if held is None and self.off_heap is not None else held

    def current(self, key: SessionKey) -> SessionRecord | None:
        """The state that was stored last, unless it was outdated since."""
        snapshot = self.heap.peek(key.digest)
        if snapshot is not None:
            return snapshot.record if snapshot.current else None
        return None if self.off_heap is None else self.off_heap.get_own(key)

    def find_off_heap(self, key: SessionKey, mark: SeenState) -> SessionRecord | None:
        """A state that the heap does not have: not older than ``mark``, not known to be outdated, and under a valid
        lease.

        Any thread may call it, while the lease of this process is valid.
        """
        if self.off_heap is None:
            return None
        own = self.off_heap.get_own(key)
        if own is not None and own.incarnation == mark.incarnation and own.version >= mark.version:
            return own
        least = max(mark.version, self._over.get(key.digest, -1) + 1)
        return self.off_heap.get_shared(key, Seen(mark.incarnation, least))

    def bring_back(self, record: SessionRecord) -> bool:
        """Store a state from outside the heap in it: as a served copy, if this process tracks it, else as a base only.

        Returns:
            Whether this process tracks it.
        """
        digest = record.key.digest
        if self.off_heap is None or record.version <= self._over.get(digest, -1):
            return False
        own = self.off_heap.get_own(record.key)
        tracked = own is not None and own.seen == record.seen
        snapshot = self.heap.peek(digest)
        if snapshot is not None and snapshot.record.version >= record.version:
            return tracked
        if tracked:
            self.heap.put(record)
        else:
            self.heap.put_base(record)
        return tracked

    def _put_in_both(self, record: SessionRecord) -> None:
        self.heap.put(record)
        if self.off_heap is not None:
            self.off_heap.put(record)
            self._over.pop(record.key.digest, None)

    def keep(self, record: SessionRecord) -> None:
        """Keep this state as a base for reads; it is never served."""
        if self.off_heap is not None:
            self.off_heap.discard(record.key.digest)
        self.heap.put_base(record)

    def outdate(self, digest: bytes) -> bool:
        """Mark the state as outdated by another process; returns whether there was one."""
        if self.off_heap is None:
            return self.heap.outdate(digest)
        snapshot = self.heap.peek(digest)
        on_heap = snapshot.record.version if snapshot is not None and snapshot.current else 0
        over = max(self.off_heap.discard(digest), on_heap)
        if over:
            self._note_over(digest, over)
        self.heap.outdate(digest)
        return bool(over)

    def end(self, digest: bytes) -> None:
        """The session does not exist any more, or not in a form that is known here."""
        if self.off_heap is not None:
            self._note_over(digest, _ENDED)
            self.off_heap.discard(digest)
        self.heap.discard(digest)

    def extend(self, key: SessionKey, expires_ms: int) -> None:
        """The session lives until then at least, if it is not touched again (C-16)."""
        snapshot = self.heap.peek(key.digest)
        if snapshot is not None and snapshot.record.expires_ms < expires_ms:
            snapshot.record = replace(snapshot.record, expires_ms=expires_ms)
        own = None if self.off_heap is None else self.off_heap.get_own(key)
        if own is not None and self.off_heap is not None and expires_ms - own.expires_ms > own.interval_ms // 4:
            self.off_heap.put(replace(own, expires_ms=expires_ms))

    def clear(self) -> None:
        self.heap.clear()
        if self.off_heap is not None:
            self.off_heap.clear()

    def trust_until(self, instant: float) -> None:
        """The lease, for siblings; 0 ends it."""
        if self.off_heap is not None:
            self.off_heap.renew(instant)

    def close(self) -> None:
        if self.off_heap is not None:
            self.off_heap.close()

    def _note_over(self, digest: bytes, version: int) -> None:
        over = self._over
        over[digest] = max(version, over.pop(digest, 0))  # removed first, so that it becomes the newest entry
        if len(over) > _REMEMBERED:
            del over[next(iter(over))]
