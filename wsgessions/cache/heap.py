"""The heap tier of a near cache: states of sessions in the memory of this process, bounded by bytes.

The eviction policy is S3-FIFO, measured in ``docs/design/near-cache.md``: a state enters a small queue, and only a
state that is used again while it waits there, or soon after its eviction, enters the main queue. So a crawler that uses
each session once does not evict the working set. A use only increments a counter; no entry is moved, so it needs no
lock.

The limit is on memory, by the object layout of CPython: it includes the objects around the values, which are most of a
small session. The figures follow from the layout of CPython's objects on 64 bits with an allocator that rounds up to 16
bytes; a test compares them with `tracemalloc`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from sys import getsizeof
from typing import Final

from ..record import SessionKey, SessionRecord
from ..record.attributes import UNKNOWN
from ..record.struct import Struct

__all__ = ["MOST_USES", "Snapshot", "Snapshots", "snapshot_bytes"]

_LARGEST_SHARE: Final = 10
"""A state larger than one tenth of the limit is not kept (F-20)."""
_SMALL_SHARE: Final = 10
"""States are evicted from the small queue first while it holds more than one tenth of the limit."""
MOST_USES: Final = 3
"""The largest number of counted uses: each is one more round in the main queue."""
_USES_TO_STAY: Final = 1
"""Uses in the small queue that move a state to the main one."""
_BYTES_PER_GHOST: Final = 2048
"""There is one ghost, the mark of an evicted state, for so many bytes of the limit."""

_SNAPSHOT: Final = 176
"""A `Snapshot`, and its share of the dict of snapshots."""
_RECORD: Final = 480
"""A `SessionRecord`, its key, the object of its attributes, and its numbers."""
_LINEAGE: Final = 40
"""The bytes object around a lineage, with a length that is a multiple of 8, and the most that the allocator adds."""
_BINDING: Final = 112
"""The binding to a principal without its text: a tuple of two, its number, and rounding."""
_RENEWED: Final = 64
"""The bytes object around a digest, rounded up."""


def snapshot_bytes(record: SessionRecord) -> int:
    """The memory of a snapshot of this state, without placeholders, which few states have (`StoredAttributes`)."""
    attributes = record.attributes
    if attributes.memory == UNKNOWN:
        attributes.measure()
    size = _SNAPSHOT + _RECORD + _LINEAGE + len(record.lineage) + attributes.memory
    if record.renewed_from:
        size += _RENEWED
    if record.binding is not None:
        size += _BINDING + getsizeof(record.binding.principal)
    return size


class _Queue:
    """Snapshots in the order of their insertion. Any of them can be removed in constant time."""

    __slots__ = ("bytes", "newest", "oldest")

    def __init__(self) -> None:
        self.bytes: int = 0
        self.oldest: Snapshot | None = None
        self.newest: Snapshot | None = None

    def push(self, snapshot: Snapshot) -> None:
        newest = self.newest
        snapshot.queue, snapshot.before, self.newest = self, newest, snapshot
        if newest is None:
            self.oldest = snapshot
        else:
            newest.after = snapshot
        self.bytes += snapshot.size

    def take(self, snapshot: Snapshot) -> None:
        before, after = snapshot.before, snapshot.after
        if before is None:
            self.oldest = after
        else:
            before.after = after
        if after is None:
            self.newest = before
        else:
            after.before = before
        snapshot.unlink()
        self.bytes -= snapshot.size

    def forget(self) -> None:
        self.oldest = self.newest = None
        self.bytes = 0


class Snapshot(Struct, eq=False, gc=False):
    """One cached state of one session.

    The garbage collector does not track it, and so visits nothing of a full cache. Snapshots in a queue refer to each
    other: they are freed once they were unlinked. A field must not refer to anything else that refers back.
    """

    record: SessionRecord
    size: int
    """Its memory in this process, in bytes."""
    queue: _Queue
    current: bool = True
    """False once another process has written: never served any more, still the base of a conditional read."""
    uses: int = 0
    """Counted uses, up to `MOST_USES`; see `Snapshots.peek`."""
    before: Snapshot | None = None
    after: Snapshot | None = None

    def unlink(self) -> None:
        """Drop all references to others."""
        self.before = self.after = None


class Snapshots:
    """States by the digest of their session, within ``max_bytes``.

    `peek` may be called from any thread. All else is called by one thread at a time: the parser's (C-2).

    Args:
        max_bytes: the limit on the memory of all snapshots, their bookkeeping included.
    """

    __slots__ = ("_by_digest", "_ghosts", "_main", "_outdated", "_small", "bytes", "evicted", "max_bytes", "peek")

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes: Final = max_bytes
        self.bytes: int = 0
        """The accounted memory; never more than the limit."""
        self.evicted: int = 0
        """The number of evictions so far."""
        self._by_digest: dict[bytes, Snapshot] = {}
        self.peek: Final[Callable[[bytes], Snapshot | None]] = self._by_digest.get
        """The snapshot of the session with this digest, if there is one. A caller that serves it counts the use, in
        `Snapshot.uses`: two simultaneous threads may count one use, which is accurate enough.
        """
        self._small = _Queue()
        self._main = _Queue()
        self._outdated = _Queue()
        self._ghosts = array("Q", bytes(8 * (1 + max_bytes // _BYTES_PER_GHOST)))

    def __del__(self) -> None:
        self.clear()  # or else the snapshots would keep each other alive

    def __len__(self) -> int:
        return len(self._by_digest)

    def held(self, key: SessionKey) -> SessionRecord | None:
        """The state that was stored last, even if it was outdated since."""
        snapshot = self._by_digest.get(key.digest)
        return None if snapshot is None else snapshot.record

    def put(self, record: SessionRecord) -> None:
        """Keep this state in place of the previous one. A state larger than a tenth of the limit is not kept (F-20)."""
        digest, size = record.key.digest, snapshot_bytes(record)
        there = self._by_digest.get(digest)
        if size > self.max_bytes // _LARGEST_SHARE:
            if there is not None:
                self._remove(digest, there)
            return
        if there is None:
            queue = self._main if self._lay_ghost(digest) else self._small
            self._by_digest[digest] = snapshot = Snapshot(record, size, queue)
            queue.push(snapshot)
            self.bytes += size
        else:  # it is in use: written to, or read again after a change
            grown, main = size - there.size, self._main
            if there.queue is main:
                main.bytes += grown
                there.size = size
            else:
                there.queue.take(there)
                there.size = size
                main.push(there)
            self.bytes += grown
            there.record, there.current = record, True
            if there.uses < MOST_USES:
                there.uses += 1
        if self.bytes > self.max_bytes:
            self._make_room()

    def put_base(self, record: SessionRecord) -> None:
        """Keep this state as an outdated one, if there is room: never served, the base of a read."""
        digest, size = record.key.digest, snapshot_bytes(record)
        if size > self.max_bytes // _LARGEST_SHARE:
            return
        self.discard(digest)  # another thread may be about to serve the old one
        self._by_digest[digest] = based = Snapshot(record, size, self._outdated, current=False)
        self._outdated.push(based)
        self.bytes += size
        self._make_room()

    def outdate(self, digest: bytes) -> bool:
        """Mark the snapshot as outdated by another process; returns whether it existed and was current until now."""
        snapshot = self._by_digest.get(digest)
        if snapshot is None or not snapshot.current:
            return False
        snapshot.current = False
        snapshot.queue.take(snapshot)
        self._outdated.push(snapshot)
        return True

    def discard(self, digest: bytes) -> bool:
        """Remove this session's snapshot; returns whether there was one."""
        snapshot = self._by_digest.get(digest)
        if snapshot is not None:
            self._remove(digest, snapshot)
        return snapshot is not None

    def clear(self) -> int:
        """Remove all snapshots; returns their number."""
        removed = list(self._by_digest.values())
        self._by_digest.clear()
        self.bytes = 0
        for queue in (self._small, self._main, self._outdated):
            queue.forget()
        for snapshot in removed:
            snapshot.unlink()
        return len(removed)

    def _remove(self, digest: bytes, snapshot: Snapshot) -> None:
        del self._by_digest[digest]
        snapshot.queue.take(snapshot)
        self.bytes -= snapshot.size

    def _make_room(self) -> None:
        while self.bytes > self.max_bytes:
            victim = self._outdated.oldest or self._next_in_small() or self._next_in_main()
            if victim is not None:
                self._remove(victim.record.key.digest, victim)
                self.evicted += 1

    def _next_in_small(self) -> Snapshot | None:
        """The next snapshot to evict from the small queue; snapshots that were used while they waited move to the main
        one.
        """
        while self._small.bytes > self.max_bytes // _SMALL_SHARE and (oldest := self._small.oldest):
            if oldest.uses < _USES_TO_STAY:
                self._haunt(oldest.record.key.digest)
                return oldest
            self._small.take(oldest)
            oldest.uses = 0
            self._main.push(oldest)
        return None

    def _next_in_main(self) -> Snapshot | None:
        """The next snapshot to evict from the main queue; snapshots that were used get another round for each use."""
        while oldest := self._main.oldest:
            if not oldest.uses:
                return oldest
            oldest.uses -= 1
            self._main.take(oldest)
            self._main.push(oldest)
        return self._small.oldest

    # Ghosts: marks of states that left the small queue unused, and should have stayed if used again soon. A digest is
    # random, so part of it chooses a place in a table of fixed size, and each place holds the last one that left.

    def _haunt(self, digest: bytes) -> None:
        ghost = int.from_bytes(digest[:8])
        self._ghosts[ghost % len(self._ghosts)] = ghost

    def _lay_ghost(self, digest: bytes) -> bool:
        ghost = int.from_bytes(digest[:8])
        place = ghost % len(self._ghosts)
        found = self._ghosts[place] == ghost
        if found:
            self._ghosts[place] = 0
        return found
