"""The barrier returns when no node can serve any more what was replaced, and not before (C-6, C-15, T-05)."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores.valkey.caching_node import CachingNode, beating_on, caching_node
from tests.stores.valkey.links import PATIENCE, soon
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import NonStopTimeout
from wsgessions.record import SessionRecord
from wsgessions.store.cache_statistics import Loss
from wsgessions.stores.valkey.coherence.members import Member
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import Direction, FaultProxy
from wsgessions.testing.stores.harness import created, stored

__all__ = ["shared_server"]

SELDOM = 2 * PATIENCE
"""Seconds between two beats, where none is to be waited for."""
A_WHILE = 0.2
"""Seconds in which a barrier that does not wait would have returned."""


@pytest.fixture
async def node(shared_server: RawServer) -> AsyncIterator[CachingNode]:
    """A node that hardly ever beats, of a store that has been in use for long."""
    async with caching_node(shared_server.url, heartbeat=SELDOM, lease=5.0) as node:
        await node.may_serve()
        await keep_list_for(60_000, node.store)
        yield node


async def keep_list_for(milliseconds: int, store: ValkeyStore) -> None:
    """As if the list of members had been kept for so long already."""
    assert store.segments is not None
    members = next(iter(store.segments)).members
    origin = await store.link.request("HGET", members, "origin")
    since_ms = int.from_bytes(origin[:8]) - milliseconds
    await store.link.request("HSET", members, "origin", since_ms.to_bytes(8) + origin[8:])
    store.members.origin = since_ms  # it is the list that this connection knows


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


async def test_of_a_node_that_is_deaf_it_waits_for_the_lease_although_its_beats_go_on(
    node: CachingNode, shared_server: RawServer
) -> None:
    """C-26: as of a link that is half open. It is on the same link, and heard, when the barrier returns, and after."""
    async with FaultProxy(shared_server.path) as proxy, peer_of(node, proxy, heartbeat=0.05, lease=0.5) as peer:
        peer.store.link._stall_limit = 2 * PATIENCE  # nor does it give its link up
        for _ in range(2):
            record = await with_a_copy_at(peer, node)
            connections = proxy.counts.connections
            proxy.drop(Direction.TO_CLIENT)
            async with beating_on(peer.store):
                await node.cache.delete(record.key)
                await node.store.barrier(deadline=soon())
                returned_ms = (await node.store.members.list(hint=False, deadline=soon())).now_ms
                assert peer.store.link.connected
                assert proxy.counts.connections == connections
                assert not peer.lease.fresh
                assert peer.recalls(record) is None
                async with asyncio.timeout(PATIENCE):
                    while await last_beat_of(peer, node) < returned_ms:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
            proxy.heal()
            proxy.end_connections()
            await peer.may_serve()


async def last_beat_of(peer: CachingNode, node: CachingNode) -> int:
    """When the store heard it last, in its own milliseconds."""
    assert peer.store.heartbeat is not None
    listed = await node.store.members.list(hint=False, deadline=soon())
    return next(each.beat_ms for each in listed.members if each.node == peer.store.heartbeat.node)


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
        peer.store.heartbeat._pace.call()  # a beat at last
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


async def test_while_the_list_is_younger_than_a_lease_another_one_may_serve_that_is_not_in_it(
    shared_server: RawServer,
) -> None:
    """C-6."""
    async with caching_node(shared_server.url, lease=0.5) as node:
        await node.may_serve()
        barrier = asyncio.ensure_future(node.store.barrier(deadline=soon()))
        assert await still_waits(barrier)
        await barrier
        await node.store.barrier(deadline=time.monotonic() + A_WHILE)


@pytest.mark.parametrize("loss", [("FLUSHALL",), ("DEBUG", "CHANGE-REPL-ID")], ids=" ".join)
async def test_a_list_that_was_lost_or_is_of_another_history_is_a_young_one(
    loss: tuple[str, ...], tmp_path: Path
) -> None:
    """C-6: whoever beat before that is in no list any more, and may serve for the rest of its lease."""
    server = RawServer(tmp_path, "--enable-debug-command", "yes")
    server.start()
    try:
        async with started(store_at(server.url)) as store:
            await keep_list_for(60_000, store)
            await store.barrier(deadline=time.monotonic() + A_WHILE)
            await store.link.request(*loss)
            with pytest.raises(NonStopTimeout):
                await store.barrier(deadline=time.monotonic() + A_WHILE)
    finally:
        server.kill()


async def test_a_list_begun_by_a_clock_that_was_set_back_since_is_a_young_one(shared_server: RawServer) -> None:
    async with started(store_at(shared_server.url)) as store:
        await keep_list_for(-3_600_000, store)
        with pytest.raises(NonStopTimeout):
            await store.barrier(deadline=time.monotonic() + A_WHILE)
        await keep_list_for(60_000, store)
        await store.barrier(deadline=time.monotonic() + A_WHILE)


async def test_who_keeps_no_copies_waits_for_those_who_do_and_not_for_the_rest(
    node: CachingNode, shared_server: RawServer
) -> None:
    """C-6: the list tells for how long it has been kept, by whomever."""
    async with started(store_at(shared_server.url, namespace=node.store._namespace)) as other:
        record = await created(node.cache)
        await other.delete(record.key)
        await other.barrier(deadline=soon())
        assert node.recalls(record) is None


async def test_with_nobody_who_keeps_copies_the_list_begins_when_the_first_one_connects(
    shared_server: RawServer,
) -> None:
    async with started(store_at(shared_server.url)) as one:
        await keep_list_for(60_000, one)
        async with started(store_at(shared_server.url, namespace=one._namespace)) as other:
            await other.barrier(deadline=time.monotonic() + A_WHILE)


@pytest.mark.parametrize(
    ("acknowledged_ms", "now_ms", "may_serve"),
    [(999, 1000, True), (1000, 1000, True), (1001, 1001, False), (0, 2040, True), (0, 2051, False)],
)
def test_a_node_may_serve_unless_it_has_acknowledged_a_later_beat_or_its_lease_is_over(
    acknowledged_ms: int, now_ms: int, may_serve: bool
) -> None:
    """A beat of the same millisecond may have come before the end."""
    member = Member(b"node", beat_ms=1000, acknowledged_ms=acknowledged_ms, lease_ms=1000)
    assert member.may_serve(1000, now_ms) is may_serve


@pytest.mark.parametrize(
    ("beat_ms", "now_ms", "may_serve"),
    [(1500, 1999, True), (1500, 2051, False), (9000, 2051, False), (600, 1650, True), (600, 1651, False)],
)
def test_no_beat_that_comes_after_the_end_makes_it_wait_longer(beat_ms: int, now_ms: int, may_serve: bool) -> None:
    """C-26: of the beat and the end, the earlier one counts."""
    member = Member(b"node", beat_ms=beat_ms, acknowledged_ms=500, lease_ms=1000)
    assert member.may_serve(1000, now_ms) is may_serve
