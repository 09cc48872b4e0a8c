"""The near cache: hot sessions in the memory of this process, served without a round trip and provably fresh.

```
push, reply -> parser -> on_loaded, on_changed, on_removed, on_lost   fills and empties, in stream order (C-2)
heartbeat   -> parser -> on_heartbeat, on_refused                     grants and ends the lease (C-4, C-5)
request     -> lookup                                                 serves, never awaits
            -> load, apply, ...                                       the store behind, one round trip
```

A copy is served if the lease is fresh, if the session has not changed as far as the stream says, if the client has
seen nothing newer, and if the session cannot be over by the store's time (C-11, C-16). Otherwise the store is asked,
by a read that rests on the copy and so carries what has changed since.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from ..internal.jitter import chance
from ..record import Seen, SessionChanges, SessionKey, SessionRecord, allow_placeholders
from ..store.cache_statistics import CacheStatistics, Loss, Miss
from ..store.capabilities import SeenState
from ..store.contract import NEVER, Store
from ..store.layer import Layer
from .audit import CacheAudit
from .heap import MOST_USES, Snapshots
from .lease import Lease
from .listener import Feeding
from .single_flight import SingleFlight
from .tiers import Tiers

if TYPE_CHECKING:
    from .off_heap import OffHeap

__all__ = ["MARGIN", "PLACEHOLDER_SHARE", "NearCache"]

MARGIN: Final = 0.5
"""Seconds. The store's time is known to less (C-16)."""
PLACEHOLDER_SHARE: Final = 4
"""One fourth of the heap tier is for the placeholders of the states in use, see `wsgessions.record.attributes`."""
_AUDIT_SHARE: Final = 0.001
"""Share of the hits that are compared with the store afterwards (C-19)."""


class FeedingStore(Store, Feeding, Protocol):
    """A store that can be behind a near cache."""


class NearCache(Layer[FeedingStore]):
    """A `Store` in front of a store, with the capability `CacheLookup`; the `InvalidationListener` of the store behind.

    Belongs to the event loop of the store behind, but for `lookup`, which any thread may call.

    Args:
        store: the store behind.
        lease: how long copies may be served after a heartbeat; with length 0, each request reads the store.
        max_bytes: the limit on the memory of copies in this process (the setting `max_bytes_on_heap`).
        off_heap: a second tier, of encoded bytes that the workers of this host share; closed with the cache.
        margin: seconds before its end from which a session is not served from memory any more: the uncertainty of the
            store's time plus the delay of reported uses, so that a hit needs no check of these (K-09).
        audit_share: share of the hits that are compared with the store afterwards.
    """

    def __init__(
        self,
        store: FeedingStore,
        *,
        lease: Lease,
        max_bytes: int,
        off_heap: OffHeap | None = None,
        margin: float = MARGIN,
        audit_share: float = _AUDIT_SHARE,
    ) -> None:
        super().__init__(store)
        self.statistics: Final = CacheStatistics()
        for_placeholders = max_bytes // PLACEHOLDER_SHARE
        allow_placeholders(for_placeholders)
        self.tiers: Final = Tiers(Snapshots(max_bytes - for_placeholders), off_heap)
        self.heap: Final = self.tiers.heap
        self._peek: Final = self.heap.peek
        self.get_base: Final = self.tiers.held
        """See `InvalidationListener.get_base`."""
        self.on_loaded: Final = self.tiers.put
        """See `InvalidationListener.on_loaded`."""
        self.generation: int = 0
        """See `InvalidationListener.generation`."""
        self._lease = lease
        self._clock = lease.clock
        self._store_clock: Final = store.clock
        self._margin_ms: Final = round(margin * 1000)
        self._audit_share = audit_share
        self._reads: SingleFlight[SessionRecord | SessionChanges | None] = SingleFlight()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._audit = CacheAudit(
            store,
            self.tiers,
            clock=store.clock,
            lease=lease,
            statistics=self.statistics,
            alarm=lambda: self.on_lost(Loss.AUDIT),
        )
        store.feed(self, lease)

    # -- serving -------------------------------------------------------------------------------------------------------

    def lookup(self, key: SessionKey, mark: SeenState | None) -> SessionRecord | None:
        """See `CacheLookup.lookup`."""
        if mark is None:
            return self._miss(Miss.UNKNOWN)
        if self._clock() >= self._lease.fresh_until:
            return self._miss(Miss.LEASE)
        snapshot = self._peek(key.digest)
        if snapshot is None:
            return self._lookup_off_heap(key, mark, Miss.ABSENT)
        if snapshot.uses < MOST_USES:
            snapshot.uses += 1
        if not snapshot.current:
            return self._lookup_off_heap(key, mark, Miss.OUTDATED)
        record = snapshot.record  # after `current`: in another thread the parser may be at work in between
        if record.incarnation != mark.incarnation:
            return self._miss(Miss.UNKNOWN)
        if record.version < mark.version:
            return self._lookup_off_heap(key, mark, Miss.BEHIND)
        clock = self._store_clock
        ends_ms = (clock.monotonic() + clock.offset) * 1000 + self._margin_ms  # `now_ms`, without the call
        if record.expires_ms <= ends_ms or record.deadline_ms <= ends_ms:
            return self._miss(Miss.EXPIRING)
        self.statistics.heap_hits += 1
        if chance.random() < self._audit_share:
            self._call_later(self._audit.begin, record)
        return record

    def _lookup_off_heap(self, key: SessionKey, mark: SeenState, reason: Miss) -> SessionRecord | None:
        generation = self.generation
        record = self.tiers.find_off_heap(key, mark)
        if record is None:
            return self._miss(reason)
        if min(record.expires_ms, record.deadline_ms) <= self.clock.now_ms() + self._margin_ms:
            return self._miss(Miss.EXPIRING)
        self.statistics.off_heap_hits += 1
        self._call_later(partial(self._bring_back, generation, self.clock.now_ms()), record)
        return record

    def _bring_back(self, generation: int, served_ms: int, record: SessionRecord) -> None:
        if generation != self.generation:
            return  # it may belong to a lost timeline, and must not be a base (C-1)
        tracked = self.tiers.bring_back(record)
        if chance.random() < self._audit_share:
            if tracked:
                self._audit.begin(record)
            else:
                self._audit.begin_lent(record, served_ms)

    def _miss(self, reason: Miss) -> SessionRecord | None:
        self.statistics.misses[reason] += 1
        return None

    # -- what the parser tells -----------------------------------------------------------------------------------------

    def on_base(self, record: SessionRecord) -> None:
        """See `InvalidationListener.on_base`."""
        self.tiers.keep(record)

    def on_changed(self, digest: bytes) -> None:
        """See `InvalidationListener.on_changed`. On the heap the copy stays, as the base of the next read."""
        self.statistics.invalidations += self.tiers.outdate(digest)

    def on_removed(self, key: SessionKey) -> None:
        """See `InvalidationListener.on_removed`."""
        self.tiers.end(key.digest)

    def on_lost(self, loss: Loss) -> None:
        """See `InvalidationListener.on_lost`."""
        self.statistics.losses[loss] += 1
        self.generation += 1
        self.on_refused()
        self.tiers.clear()

    def on_heartbeat(self, sent_at: float) -> None:
        """See `InvalidationListener.on_heartbeat`."""
        self._lease.renew(sent_at)
        self.tiers.trust_until(self._lease.fresh_until)

    def on_refused(self) -> None:
        """See `InvalidationListener.on_refused`."""
        self.statistics.lease_losses += self._lease.end()
        self.tiers.trust_until(0.0)

    def audited(self, key: SessionKey, stored: SessionRecord | None) -> None:
        """See `InvalidationListener.audited`."""
        self._audit.compare(key, stored)

    def _call_later(self, call: Callable[[SessionRecord], None], record: SessionRecord) -> None:
        """In the thread of the parser."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop may end at any time, and the copies end with it
                self._loop.call_soon_threadsafe(call, record)

    # -- a store -------------------------------------------------------------------------------------------------------

    async def start(self, *, deadline: float = NEVER) -> None:
        """See `Store.start`."""
        self._loop = asyncio.get_running_loop()
        await self.below.start(deadline=deadline)

    async def close(self) -> None:
        """See `Store.close`."""
        self._loop = None
        await self._audit.close()
        await self.below.close()
        self.tiers.close()

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        """See `Store.load`. Always reads the store; simultaneous reads of one session share one request (F-22)."""
        if since is not None:
            return await self.below.load(key, since=since, deadline=deadline)
        found = await self._reads.run(key.digest, lambda: self.below.load(key, deadline=deadline), deadline=deadline)
        self.statistics.joined_reads = self._reads.joined
        return found

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        """See `Store.touch`. Acknowledged touches are applied to the copies too (C-16)."""
        began_ms = self.clock.now_ms()
        await self.below.touch(keys, deadline=deadline)
        ended_ms = self.clock.now_ms()
        for key in keys:
            held = self.tiers.current(key)
            # The touch may have come too late, and the store does not report for which sessions.
            if held is not None and held.interval_ms and held.expires_ms > ended_ms:
                self.tiers.extend(key, min(began_ms + held.interval_ms, held.deadline_ms))
