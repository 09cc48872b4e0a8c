"""Statistics of one near cache. Counters are plain integers that only grow, in the thread that counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

__all__ = ["CacheStatistics", "Loss", "Miss"]


class Miss(Enum):
    """Why a session was not served from memory."""

    ABSENT = "absent"
    """It is not there: never read here, or thrown out to make room."""
    OUTDATED = "outdated"
    """Another process has written to it."""
    BEHIND = "behind"
    """The client has seen a newer state, of which the push is still on its way (C-11)."""
    UNKNOWN = "unknown"
    """The client's watermark is missing, forged or of another incarnation (C-11)."""
    LEASE = "lease"
    """The node could not prove that its copies are fresh (C-4)."""
    EXPIRING = "expiring"
    """It may be over by the store's time, so the store is asked (C-16)."""


class Loss(Enum):
    """Why everything that was learned over a link became worthless at once (C-1)."""

    CONNECTION = "connection"
    """The connection ended, and with it the server's memory of what we hold."""
    FLUSHED = "flushed"
    """The server said that all keys may have changed: FLUSHALL, or a full resync."""
    TIMELINE = "timeline"
    """The replication id has changed: another history goes on from here."""
    PUSHES_LOST = "pushes_lost"
    """A push that had to come has not: the server, or something between, swallows them (F-13)."""
    REPLACED = "replaced"
    """The store has not the data any more that it had: it was emptied, swapped, or restarted without them (C-25)."""
    AUDIT = "audit"
    """A copy was found to be wrong (C-19)."""


@dataclass(slots=True)
class CacheStatistics:
    """What has happened since the start of this process."""

    heap_hits: int = 0
    """Requests served from this process's heap."""
    off_heap_hits: int = 0
    """Requests served from memory that the workers of this host share."""
    misses: Counter[Miss] = field(default_factory=Counter[Miss])
    """Requests that asked the store, by reason."""
    joined_reads: int = 0
    """Reads that waited for another one of the same session (F-22)."""
    invalidations: int = 0
    """Copies outdated by a push."""
    lease_losses: int = 0
    """How often the lease ended before its time, by a refusal or a loss."""
    losses: Counter[Loss] = field(default_factory=Counter[Loss])
    """How often everything was dropped, by reason."""
    tracking: bool = False
    """Whether the last heartbeat has shown that the server tells when sessions change. If it does not, as behind some
    proxies, each request asks the store: slower, and as right."""
    tracked_keys: int = 0
    """Keys that the server watched for all its clients when last looked at, about once a minute (C-18)."""
    tracked_items: int = 0
    """The same, each key counted once for every client that has read it: their share of the server's memory."""
    audits: int = 0
    """Copies that were compared with the store after they had been served (C-19)."""
    audit_mismatches: int = 0
    """Copies that were not what the store had: each one is a bug, and an alarm."""
    stale_beyond_lease: int = 0
    """Those of them that had been wrong for longer than the lease. Must be 0 for ever (T-06)."""

    @property
    def hit_ratio(self) -> float:
        """Hits among all requests that could have been one; NaN before the first (guide)."""
        hits = self.heap_hits + self.off_heap_hits
        asked = hits + self.misses.total()
        return hits / asked if asked else float("nan")
