"""The self-audit of a near cache: a sample of the served states is compared with the store afterwards (C-19, T-06)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final, NamedTuple

from ..errors import StoreUnavailable
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..internal.own_context import begin_task
from ..record import SessionKey, SessionRecord
from ..record.clock import StoreClock
from ..store.cache_statistics import CacheStatistics
from .lease import Lease
from .listener import Feeding
from .tiers import Tiers

__all__ = ["CacheAudit"]

_log = LogThrottle(logging.getLogger("wsgessions.coherence"))

_SECONDS: Final = 5.0
"""Seconds until an audit without an answer is dropped."""
_CLOCK_MS: Final = 500
"""An upper bound for the error of the store's estimated time, in seconds."""


class _Lent(NamedTuple):
    """A state served from a sibling's memory: its link gets the invalidations, not ours, so that there is less to
    compare.
    """

    record: SessionRecord
    served_ms: int

    def contradicts(self, stored: SessionRecord, lease_ms: int) -> bool:
        """Whether it was served too long after it was replaced, or never was a stored state."""
        mine = self.record
        if stored.incarnation != mine.incarnation:
            return False
        if stored.version == mine.version:
            return stored.attributes != mine.attributes
        return stored.version > mine.version and stored.version // 1000 + lease_ms + _CLOCK_MS < self.served_ms


class CacheAudit:
    """Audits of one near cache; all in the thread of the parser.

    Args:
        store: the store to compare with.
        tiers: the cached states.
        clock: the store's time.
        lease: the lease that copies are served under.
        statistics: the counters.
        alarm: called when a copy was wrong; it must drop all copies.
    """

    def __init__(
        self,
        store: Feeding,
        tiers: Tiers,
        *,
        clock: StoreClock,
        lease: Lease,
        statistics: CacheStatistics,
        alarm: Callable[[], None],
    ) -> None:
        self._store = store
        self._tiers = tiers
        self._clock = clock
        self._lease_ms: Final = round(lease.length * 1000)
        self._statistics = statistics
        self._alarm = alarm
        self._tasks: set[asyncio.Task[None]] = set()
        self._lent: dict[bytes, _Lent] = {}

    def begin(self, record: SessionRecord) -> None:
        """Compare a served state that this process tracks."""
        task = begin_task(self._run(record.key), name="wsgessions audit")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def begin_lent(self, record: SessionRecord, served_ms: int) -> None:
        """Compare a sibling's state that was served at this time of the store."""
        self._lent[record.key.digest] = _Lent(record, served_ms)
        self.begin(record)

    async def close(self) -> None:
        """Drop the audits under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, key: SessionKey) -> None:
        try:
            await self._store.audit(key, deadline=time.monotonic() + _SECONDS)
        except StoreUnavailable as error:
            self._lent.pop(key.digest, None)
            _log.info("audit_failed", "a copy could not be compared with the store: %s", error)

    def compare(self, key: SessionKey, stored: SessionRecord | None) -> None:
        """See `InvalidationListener.audited`: every push before this answer has been processed."""
        held, lent = self._tiers.current(key), self._lent.pop(key.digest, None)
        if held is None and (lent is None or stored is None):
            return  # the served state has been outdated since, as expected
        self._statistics.audits += 1
        if held is not None:
            if self._differs(held, stored):
                self._report(held, stored)
        elif lent is not None and stored is not None and lent.contradicts(stored, self._lease_ms):
            self._report(lent.record, stored)

    def _differs(self, held: SessionRecord, stored: SessionRecord | None) -> bool:
        if stored is None:
            return min(held.expires_ms, held.deadline_ms) > self._clock.now_ms() + _CLOCK_MS
        return stored.seen != held.seen or stored.attributes != held.attributes

    def _report(self, held: SessionRecord, stored: SessionRecord | None) -> None:
        self._statistics.audit_mismatches += 1
        changed_ms = 0 if stored is None else stored.version // 1000
        self._statistics.stale_beyond_lease += self._clock.now_ms() - changed_ms > self._lease_ms
        _log.error("audit_mismatch", "the copy of session %s was stale; all copies are dropped", held.key.ref)
        self._alarm()
