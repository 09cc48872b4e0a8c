"""The near cache is a store like any other, and serves from memory only what is provably right (C-11, C-16, C-19)."""

from __future__ import annotations

import asyncio
import math
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.caching_node import CachingNode, caching_node, node_of
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from wsgessions.cache.near_cache import NearCache
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.record import Seen, SessionRecord, StoredAttributes
from wsgessions.record.struct import replace
from wsgessions.session import Session
from wsgessions.store.cache_statistics import Loss, Miss
from wsgessions.store.capabilities import CacheLookup
from wsgessions.store.contract import Store
from wsgessions.stores.loop.store import LoopBoundStore
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, new_key, stored
from wsgessions.testing.stores.suite import StoreSuite

__all__ = ["shared_server"]


class TestNearCache(StoreSuite):
    """It keeps the contract of all stores."""

    @pytest.fixture(autouse=True)
    def _on_the_shared_server(self, shared_server: RawServer) -> None:
        self.url = shared_server.url

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[NearCache]:
        async with caching_node(self.url) as node:
            yield node.cache

    async def advance(self, store: Store, seconds: float) -> None:
        assert isinstance(store, NearCache)
        assert isinstance(store.below, ValkeyStore)
        await age(store.below, seconds)
        store.heap.clear()  # time has been moved by hand, and over our own link, which is told of nothing

    async def test_what_was_loaded_is_nobody_elses(self, store: Store) -> None:
        """K-11: all are given the same state, which nobody may change (`StoredAttributes`); what was sent is not it."""
        attributes = {"a": b"1"}
        record = await created(store, attributes)
        attributes["a"] = b"2"
        assert (await stored(store, record)).attributes == {"a": b"1"}


@pytest.fixture
async def node(shared_server: RawServer) -> AsyncIterator[CachingNode]:
    async with caching_node(shared_server.url) as node:
        await node.may_serve()
        yield node


# -- what is served ----------------------------------------------------------------------------------------------------


async def test_what_is_recalled_costs_no_request_and_is_counted(node: CachingNode) -> None:
    record = await created(node.cache)
    assert [node.recalls(record) for _ in range(10)] == [record] * 10
    assert node.cache.statistics.heap_hits == 10
    assert node.cache.statistics.hit_ratio == 1.0


async def test_a_client_that_has_seen_less_is_served_and_one_that_has_seen_more_is_not(node: CachingNode) -> None:
    """C-11: the watermark is a lower bound."""
    record = await created(node.cache)
    assert node.recalls(record, version=record.version - 1) == record
    assert node.recalls(record, version=record.version + 1) is None
    assert node.cache.statistics.misses == {Miss.BEHIND: 1}


async def test_without_a_watermark_of_this_incarnation_nothing_is_served(node: CachingNode) -> None:
    """C-11: absent, forged or foreign is unknown, never zero."""
    record = await created(node.cache)
    assert node.cache.lookup(record.key, None) is None
    assert node.cache.lookup(record.key, Seen(record.incarnation + 1, record.version)) is None
    assert node.cache.statistics.misses == {Miss.UNKNOWN: 2}


async def test_a_session_that_is_about_to_end_is_left_to_the_store(node: CachingNode) -> None:
    """C-16: both by idling and by its deadline."""
    for idle, life in ((0.4, 60), (60, 0.4)):
        record = await created(node.cache, idle=idle, life=life)
        assert node.recalls(record) is None
    assert node.cache.statistics.misses == {Miss.EXPIRING: 2}


async def test_without_a_lease_and_without_a_copy_nothing_is_served(node: CachingNode) -> None:
    record = await created(node.cache)
    node.cache.heap.discard(record.key.digest)
    assert node.recalls(record) is None
    await stored(node.cache, record)
    node.cache.on_refused()
    assert node.recalls(record) is None
    assert node.cache.statistics.misses == {Miss.ABSENT: 1, Miss.LEASE: 1}
    assert node.cache.statistics.lease_losses == 1


async def test_what_others_have_changed_is_read_as_a_change(node: CachingNode, shared_server: RawServer) -> None:
    """The copy is no longer served, and spares reading the whole again."""
    record = await created(node.cache, {"a": b"0", "large": b"x" * 10_000})
    async with started(store_at(shared_server.url, namespace=node.store._namespace)) as other:
        await other.apply(change(record, a=b"1"))
    await node.hears_no_more_of(record)
    assert node.recalls(record) is None
    assert node.cache.get_base(record.key) == record
    after = await stored(node.cache, record)
    assert after.attributes == {"a": b"1", "large": b"x" * 10_000}
    assert node.recalls(after) == after


async def test_500_first_reads_at_once_are_two(node: CachingNode, shared_server: RawServer) -> None:
    """F-22, by what the server has seen."""
    async with started(store_at(shared_server.url, namespace=node.store._namespace)) as other:
        record = await created(other)
        await other.link.request(b"CONFIG", b"RESETSTAT")
        found = await asyncio.gather(*(node.cache.load(record.key) for _ in range(500)))
        stats: bytes = await other.link.request(b"INFO", b"commandstats")
    (reads,) = [line for line in bytes(stats).decode().splitlines() if line.startswith("cmdstat_zscore:")]
    assert int(reads.partition("calls=")[2].partition(",")[0]) <= 2
    assert found == [record] * 500
    assert node.cache.statistics.joined_reads == 498


# -- audits ------------------------------------------------------------------------------------------------------------


async def test_hits_are_compared_with_the_store_afterwards(shared_server: RawServer) -> None:
    """C-19."""
    async with caching_node(shared_server.url, audit_share=1.0) as node:
        await node.may_serve()
        record = await created(node.cache)
        assert node.recalls(record) == record
        await until(lambda: node.cache.statistics.audits == 1)
        assert node.cache.statistics.audit_mismatches == 0
        assert node.recalls(record) == record


@pytest.mark.parametrize("wrong", ["content", "gone"])
async def test_a_copy_that_is_wrong_raises_an_alarm_and_all_are_dropped(
    shared_server: RawServer, wrong: str, caplog: pytest.LogCaptureFixture
) -> None:
    """C-19, T-06."""
    async with caching_node(shared_server.url, audit_share=1.0) as node:
        await node.may_serve()
        record, bystander = await created(node.cache), await created(node.cache)
        if wrong == "content":
            node.cache.on_loaded(replace(record, attributes=StoredAttributes({"a": b"never written"})))
        else:
            async with started(store_at(shared_server.url, namespace=node.store._namespace)) as other:
                await other.delete(record.key)
            await node.hears_no_more_of(record)
            node.cache.on_loaded(record)
        assert node.recalls(record) is not None
        await until(lambda: node.cache.statistics.audit_mismatches == 1)
        assert node.cache.statistics.losses[Loss.AUDIT] == 1
        assert node.recalls(bystander) is None
        assert record.key.digest.hex() not in caplog.text


async def test_an_audit_of_what_has_changed_meanwhile_says_nothing(shared_server: RawServer) -> None:
    async with caching_node(shared_server.url, audit_share=1.0) as node:
        await node.may_serve()
        record = await created(node.cache)
        assert node.recalls(record) == record
        outcome = await node.cache.apply(change(record, a=b"1"))
        await asyncio.gather(*node.cache._audit._tasks)
        await node.catches_up()
        assert outcome.version > record.version
        assert node.cache.statistics.audit_mismatches == 0


async def test_a_hit_of_a_loop_that_has_ended_is_a_hit() -> None:
    """The audit is dropped with the loop, and nothing is raised."""
    node = node_of(store_at("unix:///nowhere"), audit_share=1.0)
    loop = asyncio.new_event_loop()
    loop.close()
    node.cache._loop = loop
    record = SessionRecord(new_key(), 1, 1, 1, 0, 2**52, 2**52, StoredAttributes({}))
    node.lease.renew(node.lease.clock())
    node.cache.on_loaded(record)
    assert node.recalls(record) == record


# -- from anywhere -----------------------------------------------------------------------------------------------------


def homed(server: RawServer, nodes: list[CachingNode]) -> LoopBoundStore:
    def make() -> Store:
        nodes.append(node_of(store_at(server.url)))
        return nodes[-1].cache

    return LoopBoundStore(make)


def test_before_the_start_there_is_nothing_to_recall(shared_server: RawServer) -> None:
    nodes: list[CachingNode] = []
    store = homed(shared_server, nodes)
    assert isinstance(store, CacheLookup)
    record = asyncio.run(_record_of(store_at(shared_server.url)))
    assert store.lookup(record.key, record.seen) is None


async def _record_of(store: ValkeyStore) -> SessionRecord:
    async with started(store):
        return await created(store)


async def test_any_thread_recalls_without_a_loop(shared_server: RawServer) -> None:
    """R-57."""
    nodes: list[CachingNode] = []
    store = homed(shared_server, nodes)
    assert isinstance(store, CacheLookup)
    await store.start()
    record = await created(store)
    await nodes[-1].may_serve()
    found: list[SessionRecord | None] = []
    thread = threading.Thread(target=lambda: found.append(store.lookup(record.key, record.seen)))
    thread.start()
    await asyncio.to_thread(thread.join)
    assert found == [record]
    await store.close()
    assert store.lookup(record.key, record.seen) is None


async def test_after_a_fork_the_child_has_nothing_to_recall(shared_server: RawServer) -> None:
    """F-25: nobody tells it of changes."""
    nodes: list[CachingNode] = []
    store = homed(shared_server, nodes)
    assert isinstance(store, CacheLookup)
    await store.start()
    record = await created(store)
    await nodes[-1].may_serve()
    assert store.lookup(record.key, record.seen) == record
    child = os.fork()
    if child == 0:
        os._exit(0 if store.lookup(record.key, record.seen) is None else 1)
    _, status = await asyncio.to_thread(os.waitpid, child, 0)
    assert status == 0
    assert store.lookup(record.key, record.seen) == record
    await store.close()


# -- what requests do to it --------------------------------------------------------------------------------------------


@pytest.fixture
async def manager(shared_server: RawServer) -> AsyncIterator[SessionManager]:
    manager = SessionManager(store_url=shared_server.url, namespace=f"near{os.urandom(4).hex()}", lease="5s")
    await manager.start()
    yield manager
    await manager.close()


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


def hits(manager: SessionManager) -> int:
    assert isinstance(manager.store, CacheLookup)
    return manager.store.statistics.heap_hits


async def hot(manager: SessionManager, browser: Browser) -> None:
    """Wait until this browser is served from memory."""
    async with asyncio.timeout(20):
        before = hits(manager)
        while hits(manager) == before:
            await browser.copy().request(on(manager, dict))
            await asyncio.sleep(0.001)


async def test_requests_of_one_copy_share_nothing_that_can_be_changed(manager: SessionManager) -> None:
    """K-11: neither with each other nor with the copy; an error drops what a request has done to its own."""
    browser = Browser()
    await browser.request(on(manager, lambda session: session.update(cart={"items": ["pot"]})))
    await hot(manager, browser)
    ready, seen, before = asyncio.Barrier(2), [], hits(manager)

    async def request(number: int) -> None:
        async def handler(session: Session) -> None:
            cart = session["cart"]
            seen.append(cart)
            cart["items"].append(number)
            await ready.wait()
            assert cart == {"items": ["pot", number]}
            raise RuntimeError("drop it all")

        with pytest.raises(RuntimeError, match="drop it all"):
            await browser.copy().request(on(manager, handler))

    await asyncio.gather(request(1), request(2))
    assert seen[0] is not seen[1]
    assert seen[0]["items"] is not seen[1]["items"]
    response = await browser.request(on(manager, lambda session: (session["cart"], session.served_from.value)))
    assert response.data == [{"items": ["pot"]}, "near-cache"]
    assert hits(manager) == before + 3


@pytest.mark.parametrize("watermark", [None, "forged", "other"])
async def test_without_a_good_watermark_a_request_is_one_read(manager: SessionManager, watermark: str | None) -> None:
    """C-11: and the answer carries a good one, so that the next request is served from memory."""
    browser, other = Browser(), Browser()
    for each in (browser, other):
        await each.request(on(manager, lambda session: session.update(n=1)))
    await hot(manager, browser)
    good = browser.cookies.pop("__Host-sid-v")
    if watermark is not None:
        browser.cookies["__Host-sid-v"] = other.cookies["__Host-sid-v"] if watermark == "other" else f"x{good[1:]}"
    loads = manager.statistics.loads
    assert (await browser.request(on(manager, dict))).data == {"n": 1}
    assert manager.statistics.loads == loads + 1
    assert (await browser.request(on(manager, dict))).data == {"n": 1}
    assert manager.statistics.loads == loads + 1


async def test_a_lost_history_is_accepted_said_counted_and_not_asked_for_again(
    manager: SessionManager, shared_server: RawServer
) -> None:
    """C-12."""
    browser = Browser()
    await browser.request(on(manager, lambda session: session.update(n=1)))
    key = manager.requests.repository.identity.key(browser.cookies["__Host-sid"])
    async with started(_bare(manager, shared_server)) as store:
        segment = await store.segment(key, float("inf"))
        old: bytes = await store.link.request(b"DUMP", segment.record(key))
        await browser.request(on(manager, lambda session: session.update(n=2)))
        ahead = browser.cookies["__Host-sid-v"]
        assert isinstance(manager.store, CacheLookup)
        told, statistics = manager.store.statistics.invalidations, manager.store.statistics
        await store.link.request(b"RESTORE", segment.record(key), 0, old, b"REPLACE")
        await until(lambda: statistics.invalidations > told)
    response = await browser.request(on(manager, lambda session: (dict(session), session.rolled_back)))
    assert response.data == [{"n": 1}, True]
    assert browser.cookies["__Host-sid-v"] != ahead
    assert manager.statistics.lost_commits_detected == 1
    again = await browser.request(on(manager, lambda session: (dict(session), session.rolled_back)))
    assert again.data == [{"n": 1}, False]
    assert manager.statistics.lost_commits_detected == 1


def _bare(manager: SessionManager, server: RawServer) -> ValkeyStore:
    return store_at(server.url, namespace=manager.settings.namespace)


async def test_statistics_tell_how_often_a_request_asks_the_store(shared_server: RawServer) -> None:
    """T-12: once to begin, never for what is held here, once for a change, and once more after a hop."""
    namespace = f"trips{os.urandom(4).hex()}"
    one, other = (SessionManager(store_url=shared_server.url, namespace=namespace, lease="5s") for _ in range(2))
    browser = Browser()
    assert math.isnan(one.statistics.round_trips_per_request)
    await browser.request(on(one, lambda session: session.update(n=1)))
    assert one.statistics.round_trips_per_request == 1
    await hot(one, browser)
    asked, requests = one.statistics.loads + 1, one.statistics.recalled + one.statistics.loads + 1
    for _ in range(10):
        await browser.request(on(one, dict))
    assert one.statistics.round_trips_per_request == asked / (requests + 10)
    await browser.request(on(one, lambda session: session.update(n=2)))
    assert one.statistics.round_trips_per_request == (asked + 1) / (requests + 11)
    await browser.request(on(other, dict))
    assert other.statistics.round_trips_per_request == 1
    await one.close()
    await other.close()


async def test_a_hop_can_be_made_to_cost_one_read(shared_server: RawServer) -> None:
    """C-14: with `hop_check`; who stays at one node is served from memory."""
    namespace = f"hop{os.urandom(4).hex()}"
    one, other = (
        SessionManager(store_url=shared_server.url, namespace=namespace, lease="5s", hop_check=True) for _ in range(2)
    )
    browser = Browser()
    await browser.request(on(one, lambda session: session.update(n=1)))
    for manager in (one, other):
        await browser.request(on(manager, dict))
        await hot(manager, browser)
        loads = manager.statistics.loads
        await browser.request(on(manager, dict))
        assert manager.statistics.loads == loads
    loads = one.statistics.loads
    await browser.request(on(one, dict))
    assert one.statistics.loads == loads + 1
    await one.close()
    await other.close()
