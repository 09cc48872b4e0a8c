"""A node with a near cache over a real server, in parts that tests can reach."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from tests.stores.valkey.links import until
from tests.stores.valkey.shared_server import store_at
from wsgessions.cache.lease import Lease, lease_clock
from wsgessions.cache.near_cache import NearCache
from wsgessions.record import Seen, SessionRecord
from wsgessions.stores.valkey.store import ValkeyStore


class Clock:
    """The clock of a lease, moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class CachingNode(NamedTuple):
    """One process's part."""

    cache: NearCache
    store: ValkeyStore
    lease: Lease

    def recalls(self, record: SessionRecord, version: int | None = None) -> SessionRecord | None:
        """What is served from memory to a client that has seen ``record``, or another version of it."""
        seen = Seen(record.incarnation, record.version if version is None else version)
        return self.cache.lookup(record.key, seen)

    async def may_serve(self) -> None:
        """Wait for a lease."""
        await until(lambda: self.lease.fresh)

    async def hears_no_more_of(self, record: SessionRecord) -> None:
        """Wait until the copy of this session is outdated or gone."""
        await until(lambda: not self.holds_current(record))

    def holds_current(self, record: SessionRecord) -> bool:
        snapshot = self.cache.heap.peek(record.key.digest)
        return snapshot is not None and snapshot.current

    async def catches_up(self) -> None:
        """Hear all that the server has said so far."""
        await self.store.link.request(b"PING")


@asynccontextmanager
async def beating_on(store: ValkeyStore) -> AsyncIterator[None]:
    """Have a node that hears no reply beat on and on, more often than its lease ends, so that it is always heard."""
    beats: set[asyncio.Task[None]] = set()
    assert store.heartbeat is not None

    async def beat(send: Callable[[], Any]) -> None:
        while True:
            beats.add(asyncio.ensure_future(send()))
            await asyncio.sleep(0.01)

    beats.add(asyncio.ensure_future(beat(store.heartbeat._beat)))
    try:
        yield
    finally:
        for each in beats:
            each.cancel()
        await asyncio.gather(*beats, return_exceptions=True)


def node_of(
    store: ValkeyStore, *, lease: float = 5.0, clock: Callable[[], float] = lease_clock, **options: Any
) -> CachingNode:
    """A node that is not started yet."""
    granted = Lease(lease, clock=clock)
    cache = NearCache(store, lease=granted, max_bytes=2 * 10**6, **{"audit_share": 0.0, **options})
    return CachingNode(cache, store, granted)


@asynccontextmanager
async def caching_node(
    url: str, *, lease: float = 5.0, clock: Callable[[], float] = lease_clock, audit_share: float = 0.0, **options: Any
) -> AsyncIterator[CachingNode]:
    """A started node; ``options`` are those of `store_at`."""
    node = node_of(store_at(url, **options), lease=lease, clock=clock, audit_share=audit_share)
    try:
        await node.cache.start()
        yield node
    finally:
        await node.cache.close()
