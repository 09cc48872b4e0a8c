"""The barrier returns when no node can serve any more what was replaced, and not before (C-6, C-15, T-05)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.valkey.caching_node import CachingNode, Clock, caching_node
from tests.valkey.links import PATIENCE, soon, until
from tests.valkey.raw_server import RawServer
from tests.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import NonStopTimeout
from wsgessions.record import SessionRecord
from wsgessions.stores.feed import Loss
from wsgessions.testing.faults import Direction, FaultProxy
from wsgessions.testing.store_harness import created, stored
from wsgessions.valkey.barrier import _Member

__all__ = ["shared_server"]

SELDOM = 2 * PATIENCE
"""Seconds between two beats, where none is to be waited for."""
A_WHILE = 0.2
"""Seconds in which a barrier that does not wait would have returned."""


@pytest.fixture
async def node(shared_server: RawServer) -> AsyncIterator[CachingNode]:
    """A node that has known the store for long, and hardly ever beats."""
    clock = Clock()
    async with caching_node(shared_server.url, heartbeat=SELDOM, lease=5.0, clock=clock) as node:
        await node.may_serve()
        clock.now += 60
        yield node


@contextlib.asynccontextmanager
async def peer_of(node: CachingNode, proxy: FaultProxy, **options: Any) -> AsyncIterator[CachingNode]:
    """Another node of the same application, behind a proxy."""
    url, namespace = f"valkey://{proxy.host}:{proxy.port}", node.store._namespace
    async with caching_node(url, namespace=namespace, **options) as peer:
        await peer.may_serve()
        yield peer


async def with_a_copy_at(peer: CachingNode, node: CachingNode) -> SessionRecord:
    """A session that the peer serves from memory."""
    record = await created(node.cache)
    await stored(peer.cache, record)
    assert peer.recalls(record) == record
    return record


async def still_waits(barrier: asyncio.Task[None]) -> bool:
    await asyncio.wait({barrier}, timeout=A_WHILE)
    return not barrier.done()


async def test_a_node_that_is_alone_waits_for_nobody(node: CachingNode) -> None:
    """It has heard of its own changes."""
    record = await created(node.cache)
    await node.cache.delete(record.key)
    await node.store.barrier(deadline=soon())
    assert node.recalls(record) is None


async def test_a_hint_makes_all_nodes_answer_at_once(node: CachingNode, shared_server: RawServer) -> None:
    """The next beat of the peer, and the end of its lease, are further off than a test may take."""
    lease = 3 * SELDOM
    async with FaultProxy(shared_server.path) as proxy, peer_of(node, proxy, heartbeat=SELDOM, lease=lease) as peer:
        record = await with_a_copy_at(peer, node)
        for _ in range(3):
            await node.cache.delete(record.key)
            await node.store.barrier(deadline=soon())
            assert peer.recalls(record) is None
            record = await with_a_copy_at(peer, node)


async def test_it_waits_for_a_node_that_has_not_heard_of_the_end_yet(
    node: CachingNode, shared_server: RawServer
) -> None:
    async with FaultProxy(shared_server.path) as proxy, peer_of(node, proxy, heartbeat=0.05, lease=60) as peer:
        record = await with_a_copy_at(peer, node)
        proxy.hold(Direction.TO_CLIENT)
        await node.cache.delete(record.key)
        barrier = asyncio.ensure_future(node.store.barrier(deadline=soon()))
        assert await still_waits(barrier)
        assert peer.recalls(record) == record
        proxy.heal()
        await barrier
        assert peer.recalls(record) is None


async def test_of_a_node_that_has_fallen_silent_it_waits_for_the_lease(
    node: CachingNode, shared_server: RawServer
) -> None:
    """As of one that was stopped, or cut off: it serves on, and notices nothing until its lease is over."""
    async with FaultProxy(shared_server.path) as proxy, peer_of(node, proxy, heartbeat=0.05, lease=1.0) as peer:
        record = await with_a_copy_at(peer, node)
        proxy.hold()
        await node.cache.delete(record.key)
        assert peer.recalls(record) == record
        await node.store.barrier(deadline=soon())
        assert not peer.lease.fresh
        assert peer.recalls(record) is None
        proxy.heal()


async def test_a_node_that_misses_the_pushes_cannot_acknowledge(node: CachingNode, shared_server: RawServer) -> None:
    """F-13: it notices by the hint that the push of the deletion must have been swallowed, too."""
    proxy = FaultProxy(shared_server.path, watch_pushes=True)
    async with proxy, peer_of(node, proxy, heartbeat=SELDOM, lease=3 * SELDOM) as peer:
        record = await with_a_copy_at(peer, node)
        proxy.drop_pushes()
        await node.cache.delete(record.key)
        assert peer.recalls(record) == record
        barrier = asyncio.ensure_future(node.store.barrier(deadline=soon()))
        assert await still_waits(barrier), "the hint did not arrive either"
        assert peer.store.heartbeat is not None
        peer.store.heartbeat._hinted.set()  # a beat at last
        await barrier
        assert peer.recalls(record) is None
        assert peer.cache.statistics.losses[Loss.PUSHES_LOST] >= 1


async def test_when_the_deadline_passes_it_says_what_may_still_happen(
    node: CachingNode, shared_server: RawServer
) -> None:
    async with FaultProxy(shared_server.path) as proxy, peer_of(node, proxy, heartbeat=0.05, lease=60) as peer:
        record = await with_a_copy_at(peer, node)
        proxy.hold(Direction.TO_CLIENT)
        await node.cache.delete(record.key)
        with pytest.raises(NonStopTimeout, match="may still serve the session, for as long as their leases last"):
            await node.store.barrier(deadline=time.monotonic() + A_WHILE)
        proxy.heal()


async def test_a_node_that_has_just_come_to_know_the_store_waits_for_a_lease(shared_server: RawServer) -> None:
    """C-6: another one may serve that is not in the list of this history yet."""
    clock = Clock()
    async with caching_node(shared_server.url, lease=0.3, clock=clock) as node:
        await node.may_serve()
        barrier = asyncio.ensure_future(node.store.barrier(deadline=soon()))
        assert await still_waits(barrier)
        await barrier


async def test_who_keeps_no_copies_can_wait_for_those_who_do(node: CachingNode, shared_server: RawServer) -> None:
    """With the longest lease there is, as it cannot know for how long this history has been going on."""
    namespace = node.store._namespace
    async with started(store_at(shared_server.url, namespace=namespace)) as other:
        record = await created(node.cache)
        await other.delete(record.key)
        with pytest.raises(NonStopTimeout):
            await other.barrier(deadline=time.monotonic() + A_WHILE)
        await until(lambda: not node.holds_current(record))


@pytest.mark.parametrize(
    ("acknowledged_ms", "now_ms", "may_serve"),
    [(999, 1000, True), (1000, 1000, True), (1001, 1001, False), (0, 2040, True), (0, 2051, False)],
)
def test_a_node_may_serve_unless_it_has_acknowledged_a_later_beat_or_its_lease_is_over(
    acknowledged_ms: int, now_ms: int, may_serve: bool
) -> None:
    """A beat of the same millisecond may have come before the end."""
    member = _Member(b"node", beat_ms=1000, acknowledged_ms=acknowledged_ms, lease_ms=1000)
    assert member.may_serve(1000, now_ms) is may_serve
