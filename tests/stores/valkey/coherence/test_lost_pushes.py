"""A lapse of pushes ends trust in every copy, however short it was, and although pushes come again (C-22, F-13)."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.caching_node import CachingNode, caching_node
from tests.stores.valkey.links import PATIENCE, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.record import CommitStatus, SessionRecord
from wsgessions.store.cache_statistics import Loss
from wsgessions.stores.valkey.client.replies import Reply
from wsgessions.stores.valkey.coherence.byte_count import sent_before
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.testing.stores.harness import change, created, stored

__all__ = ["shared_server"]

SELDOM = 2 * PATIENCE
"""Seconds between two beats: those that matter are asked for."""

COUNTED = "counted"


@pytest.fixture
async def proxy(shared_server: RawServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(shared_server.path, watch_pushes=True) as proxy:
        yield proxy


@pytest.fixture
def user(request: pytest.FixtureRequest, shared_server: RawServer) -> str:
    """Whom the node signs in as, as it stands in its address; one that may not ask is told nothing to count by."""
    if getattr(request, "param", COUNTED) == COUNTED:
        return ""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(shared_server.path)
        ask(client, "ACL", "SETUSER", "uncounted", "on", ">a-password", "~*", "&*", "+@all", "-client|info")
    return "uncounted:a-password@"


@pytest.fixture
async def node(proxy: FaultProxy, user: str) -> AsyncIterator[CachingNode]:
    """The node that is not told, with a lease that outlasts the test."""
    url = f"valkey://{user}{proxy.host}:{proxy.port}"
    async with caching_node(url, heartbeat=SELDOM, lease=3 * SELDOM) as node:
        await node.may_serve()
        assert (node.store.tracking.count is None) == bool(user)
        yield node


@pytest.fixture
async def other(shared_server: RawServer, node: CachingNode) -> AsyncIterator[ValkeyStore]:
    """The one that changes sessions."""
    async with started(store_at(shared_server.url, namespace=node.store._namespace)) as other:
        yield other


async def changed_by(other: ValkeyStore, record: SessionRecord) -> SessionRecord:
    delta = change(record, a=b"theirs")
    outcome = await other.apply(delta)
    assert outcome.status is CommitStatus.APPLIED
    return record.after(delta, outcome)


async def changed_untold(
    proxy: FaultProxy, node: CachingNode, other: ValkeyStore, record: SessionRecord
) -> SessionRecord:
    """Changed elsewhere, and the node has missed the push of that."""
    before = proxy.counts.pushes_dropped
    after = await changed_by(other, record)
    await until(lambda: proxy.counts.pushes_dropped > before)
    assert node.recalls(record) == record, "it cannot know, and its lease lasts"
    return after


async def beat(node: CachingNode) -> None:
    """One beat from now on, and what it leads to."""
    heartbeat = node.store.heartbeat
    assert heartbeat is not None
    last = heartbeat._beats
    heartbeat._pace.call()
    await until(lambda: heartbeat._beats >= last + 2)  # a hint is answered by two, the second to confirm the first
    await node.catches_up()


def lapses(node: CachingNode) -> int:
    return node.cache.statistics.losses[Loss.PUSHES_LOST]


async def test_pushes_that_were_lost_within_one_beat_end_all_copies_once(
    proxy: FaultProxy, node: CachingNode, other: ValkeyStore
) -> None:
    """C-22: one made before, one made meanwhile, and one of a session that has not changed at all."""
    before, meanwhile, same = [await created(other) for _ in range(3)]
    await stored(node.cache, before)
    await stored(node.cache, same)
    proxy.drop_pushes()
    await stored(node.cache, meanwhile)
    after = [await changed_untold(proxy, node, other, record) for record in (before, meanwhile)]
    proxy.heal()
    await beat(node)
    assert lapses(node) == 1
    assert [node.recalls(record, version=0) for record in (before, meanwhile, same)] == [None] * 3
    assert [await stored(node.cache, record) for record in after] == after
    await node.may_serve()
    assert [node.recalls(record) for record in after] == after
    await beat(node)
    assert lapses(node) == 1
    assert [node.recalls(record) for record in after] == after


async def test_one_push_that_is_lost_among_others_that_arrive_is_noticed(
    proxy: FaultProxy, node: CachingNode, other: ValkeyStore
) -> None:
    """C-22: those after it prove nothing for it."""
    missed, told = await created(node.cache), await created(node.cache)
    proxy.drop_pushes()
    after = await changed_untold(proxy, node, other, missed)
    proxy.heal()
    await changed_by(other, told)
    await node.hears_no_more_of(told)
    assert lapses(node) == 0
    await beat(node)
    assert lapses(node) == 1
    assert node.recalls(missed, version=0) is None
    assert await stored(node.cache, missed) == after


@pytest.mark.parametrize("user", [COUNTED, "uncounted, as before Valkey 8.1"], indirect=True)
async def test_pushes_that_were_lost_beyond_a_beat_end_the_copies_made_meanwhile_when_they_come_again(
    proxy: FaultProxy, node: CachingNode, other: ValkeyStore
) -> None:
    """C-22, F-13: it is noticed at the beat, and what is cached after that is not trusted either."""
    before, meanwhile = await created(node.cache), await created(other)
    proxy.drop_pushes()
    await changed_untold(proxy, node, other, before)
    await beat(node)
    assert lapses(node) >= 1
    assert node.recalls(before, version=0) is None
    await stored(node.cache, meanwhile)
    dropped = proxy.counts.pushes_dropped
    after = await changed_by(other, meanwhile)
    await until(lambda: proxy.counts.pushes_dropped > dropped)
    assert node.recalls(meanwhile, version=0) is None
    proxy.heal()
    noticed = lapses(node)
    await beat(node)
    await node.may_serve()
    assert lapses(node) > noticed
    assert node.recalls(meanwhile, version=0) is None
    assert await stored(node.cache, meanwhile) == after
    assert node.recalls(after) == after
    noticed = lapses(node)
    await beat(node)
    assert lapses(node) == noticed


async def test_while_pushes_arrive_no_beat_takes_them_for_lost(node: CachingNode, other: ValkeyStore) -> None:
    """C-22: neither large replies, nor changes of its own or of others, upset the count."""
    record = await created(node.cache, {"large": bytes(60_000)})
    for _ in range(5):
        record = await changed_by(other, record)
        await node.hears_no_more_of(record)
        assert await stored(node.cache, record) == record
        await node.cache.apply(change(record, b=bytes(20_000)))
        record = await stored(node.cache, record)
        await beat(node)
    assert not node.cache.statistics.losses
    assert node.recalls(record) == record


@pytest.mark.parametrize(
    ("info", "sent"),
    [
        (b"id=3 obl=5 oll=0 omem=0 events=r tot-net-in=9 tot-net-out=100", 105),
        (b"id=3 obl=5 oll=1 omem=20504 events=r tot-net-out=100", None),
        (b"id=3 obl=0 oll=0 omem=0 events=rw tot-net-out=100", None),
        (b"id=3 obl=0 oll=0 omem=0 events=r", None),
        (["no", "text"], None),
    ],
    ids=["counted", "a list of buffers", "a buffer half written", "a server that does not count", "no text"],
)
def test_a_count_is_taken_only_where_it_is_exact(info: Reply, sent: int | None) -> None:
    """C-22: what cannot be counted now is covered by the next count; a guess would drop all copies for nothing."""
    assert sent_before(info) == sent
