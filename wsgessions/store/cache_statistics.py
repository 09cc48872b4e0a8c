"""Statistics of one near cache. Counters are plain integers that only grow, in the thread that counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["CacheStatistics", "Loss", "Miss"]


class Miss(Enum):
    """Why a session was not served from memory."""

    ABSENT = "absent"
    """There is no copy: never read here, or evicted."""
    OUTDATED = "outdated"
    """Another process has written to it."""
    BEHIND = "behind"
    """The client has seen a newer state, of which the push is still on its way (C-11)."""
    UNKNOWN = "unknown"
    """The client's watermark is missing, forged or of another incarnation (C-11)."""
    LEASE = "lease"
    """The node could not prove that its copies are fresh (C-4)."""
    EXPIRING = "expiring"
    """It may have ended by the store's time (C-16)."""


class Loss(Enum):
    """Why all copies that came over a link were dropped at once (C-1)."""

    CONNECTION = "connection"
    """The connection ended, and with it the server's tracking of our copies."""
    FLUSHED = "flushed"
    """The server reported that all keys may have changed: FLUSHALL, or a full resync."""
    TIMELINE = "timeline"
    """The replication id has changed: a new timeline has begun."""
    PUSHES_LOST = "pushes_lost"
    """An expected push has not come: the server, or a proxy, loses them (F-13)."""
    REPLACED = "replaced"
    """The store has lost its data: it was emptied, swapped, or restarted without them (C-25)."""
    AUDIT = "audit"
    """A copy was found to be wrong (C-19)."""


@dataclass(slots=True)
class CacheStatistics:
    """Events since the start of this process."""

    heap_hits: int = 0
    """Requests served from this process's heap."""
    off_heap_hits: int = 0
    """Requests served from memory that the workers of this host share."""
    misses: Counter[Miss] = field(default_factory=Counter[Miss])
    """Requests that read the store, by reason."""
    joined_reads: int = 0
    """Reads that waited for another one of the same session (F-22)."""
    invalidations: int = 0
    """Copies outdated by a push."""
    lease_losses: int = 0
    """How often the lease ended early, by an error reply or a loss."""
    losses: Counter[Loss] = field(default_factory=Counter[Loss])
    """How often all copies were dropped, by reason."""
    tracking: bool = False
    """Whether the last heartbeat has shown that the server sends invalidations. If it does not, as behind some
    proxies, each request reads the store, which is slower, but correct."""
    tracked_keys: int = 0
    """Keys that the server tracked for all its clients at the last reading, about once a minute (C-18)."""
    tracked_items: int = 0
    """The same, each key counted once for every client that has read it: their share of the server's memory."""
    audits: int = 0
    """Copies that were compared with the store after they had been served (C-19)."""
    audit_mismatches: int = 0
    """Copies that differed from the store: each one is a bug, and raises an alarm."""
    stale_beyond_lease: int = 0
    """Those of them that had been wrong for longer than the lease. Must stay 0 (T-06)."""

    @property
    def hit_ratio(self) -> float:
        """Hits among all requests that could have been one; NaN before the first (guide)."""
        hits = self.heap_hits + self.off_heap_hits
        asked = hits + self.misses.total()
        return hits / asked if asked else float("nan")
