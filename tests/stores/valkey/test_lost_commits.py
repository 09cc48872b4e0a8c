"""A client has seen a commit that the store has lost: it is told so, and nobody else is (C-8, C-12, T-03)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.caching_node import caching_node
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.sessions.test_commit_script import segment_of
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions import Session, SessionMiddleware
from wsgessions.cache.lease import Lease
from wsgessions.cache.near_cache import NearCache
from wsgessions.manager import SessionManager
from wsgessions.record import Seen, SessionChanges, SessionKey, SessionRecord
from wsgessions.session import ServedFrom, unit_of
from wsgessions.settings import SessionSettings
from wsgessions.store.constants import COMMITS_REMEMBERED
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, number

__all__ = ["shared_server"]

BROWSERS = 3
NODES = 2


class Cluster:
    """Nodes with near caches, and browsers that use one session on all of them."""

    def __init__(self, store: ValkeyStore, caches: list[NearCache], record: SessionRecord) -> None:
        self.store = store
        self.caches = caches
        self.key = record.key
        self.marks = [record.seen] * BROWSERS
        self.views = [record] * BROWSERS
        self.lost: dict[int, int] = {}
        """Commits that were lost, and how many there have been since."""
        self.noticed = 0
        self._values = 0

    async def read(self, node: int, browser: int) -> None:
        cache, mark = self.caches[node], self.marks[browser]
        record = cache.lookup(self.key, mark) or await cache.load(self.key)
        assert isinstance(record, SessionRecord)
        self.judge(browser, record)

    async def refresh(self, node: int, browser: int) -> None:
        view = self.views[browser]
        found = await self.caches[node].load(self.key, since=view.seen)
        assert found is not None
        self.judge(browser, view.merged(found) if isinstance(found, SessionChanges) else found)

    async def commit(self, node: int, browser: int) -> None:
        """On the browser's view, which may be old."""
        self._values += 1
        view = self.views[browser]
        delta = change(view, **{f"n{self._values % 3}": number(self._values)})
        outcome = await self.caches[node].apply(delta)
        self.lost = {version: since + 1 for version, since in self.lost.items()}
        self.judge(browser, view.after(delta, outcome))

    async def lose(self, node: int, browser: int) -> None:
        name = segment_of(self.store, self.key).record(self.key)
        dump = await self.store.link.request("DUMP", name)
        await self.commit(node, browser)
        await self.store.link.request("RESTORE", name, 0, dump, "REPLACE")
        self.lost[self.marks[browser].version] = 0
        for cache in self.caches:
            await cache.below.load(self.key)  # the link has heard what was pushed before

    def judge(self, browser: int, record: SessionRecord) -> None:
        mark = self.marks[browser].version
        noticed = not record.follows(mark)
        if mark not in self.lost:
            assert not noticed, "a false alarm"
        elif self.lost[mark] <= COMMITS_REMEMBERED:
            assert noticed, "a lost commit goes unnoticed"
        self.noticed += noticed
        seen = record.version if noticed else max(mark, record.version)
        self.marks[browser], self.views[browser] = Seen(record.incarnation, seen), record


STEPS = st.tuples(
    st.sampled_from(["read", "read", "refresh", "commit", "commit", "commit"]),
    st.integers(0, NODES - 1),
    st.integers(0, BROWSERS - 1),
)
STEPS_WITH_LOSSES = st.one_of(
    STEPS, STEPS, STEPS, st.tuples(st.just("lose"), st.integers(0, NODES - 1), st.integers(0, BROWSERS - 1))
)


@asynccontextmanager
async def cluster_at(server: RawServer) -> AsyncIterator[Cluster]:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(started(store_at(server.url)))
        others = [caching_node(server.url, namespace=store._namespace) for _ in range(NODES)]
        caches = [(await stack.enter_async_context(other)).cache for other in others]
        yield Cluster(store, caches, await created(store, {"a": b"1"}))


async def follow(server: RawServer, steps: list[tuple[str, int, int]]) -> None:
    async with cluster_at(server) as cluster:
        for step, node, browser in steps:
            await getattr(cluster, step)(node, browser)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(STEPS, min_size=5, max_size=50))
def test_where_nothing_is_lost_nobody_is_alarmed(shared_server: RawServer, steps: list[tuple[str, int, int]]) -> None:
    """C-12: whatever the nodes do, in whatever order, on whatever state of the past."""
    asyncio.run(follow(shared_server, steps))


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(STEPS_WITH_LOSSES, min_size=5, max_size=50))
def test_only_those_are_alarmed_who_have_seen_what_is_lost(
    shared_server: RawServer, steps: list[tuple[str, int, int]]
) -> None:
    """C-12: each loss among the remembered commits, also when others have committed since."""
    asyncio.run(follow(shared_server, steps))


@pytest.mark.parametrize("since", range(COMMITS_REMEMBERED + 3))
async def test_a_loss_is_noticed_while_the_record_remembers_all_that_came_after(
    shared_server: RawServer, since: int
) -> None:
    """C-12: by reads of the store, and by hits of a copy that is younger than what the client has seen."""
    async with cluster_at(shared_server) as cluster:
        await cluster.lose(0, 0)
        mark = cluster.marks[0]
        for _ in range(since):
            await cluster.commit(1, 1)
        loaded = await cluster.caches[0].load(cluster.key)
        assert isinstance(loaded, SessionRecord)
        assert loaded.follows(mark.version) == (since > COMMITS_REMEMBERED)
        await until(lambda: since == 0 or cluster.caches[0].lookup(cluster.key, mark) is not None)
        hit = cluster.caches[0].lookup(cluster.key, mark)
        assert hit is None or hit.follows(mark.version) == (since > COMMITS_REMEMBERED)


def visit(session: Session) -> list[object]:
    """Looks, and says whence it was served."""
    return [session.rolled_back, session["visits"], unit_of(session).served_from.value]


def count(session: Session) -> int:
    session["visits"] = session.get("visits", 0) + 1
    return int(session["visits"])


def count_elsewhere(session: Session) -> None:
    session["elsewhere"] = session.get("visits", 0)


async def test_a_hit_of_the_new_timeline_tells_its_client_once_what_was_lost(shared_server: RawServer) -> None:
    """C-12: the copy is younger than the watermark, and may be served; the loss is told, counted and forgotten."""
    below = store_at(shared_server.url)
    cache = NearCache(below, lease=Lease(2.0), max_bytes=2**20, audit_share=0)
    manager = SessionManager(SessionSettings(store_url="memory:"), store=cache)
    first = Browser()
    counting, looking = (SessionMiddleware(answering(each), manager=manager) for each in (count, visit))
    elsewhere = SessionMiddleware(answering(count_elsewhere), manager=manager)
    try:
        await first.request(counting)
        other = first.copy()
        name = _name_of(below, manager.requests.repository.identity.key(first.cookies["__Host-sid"]))
        async with started(store_at(shared_server.url, namespace=below._namespace)) as operator:
            dump = await operator.link.request("DUMP", name)
            assert (await first.request(counting)).data == 2
            await operator.link.request("RESTORE", name, 0, dump, "REPLACE")
        await until(lambda: not _current(cache))
        await other.request(elsewhere)
        await until(lambda: cache._lease.fresh and _current(cache))
        assert manager.statistics.lost_commits_detected == 0
        response = await first.request(looking)
        assert response.data == [True, 1, ServedFrom.NEAR_CACHE.value]
        assert set(response.set_cookies) == {"__Host-sid-v"}
        assert manager.statistics.lost_commits_detected == 1
        response = await first.request(looking)
        assert response.data[:2] == [False, 1]
        assert response.set_cookies == {}
        assert manager.statistics.lost_commits_detected == 1
    finally:
        await manager.close()


def _name_of(store: ValkeyStore, key: SessionKey) -> bytes:
    return segment_of(store, key).record(key)


def _current(cache: NearCache) -> bool:
    return any(snapshot.current for snapshot in cache.heap._by_digest.values())
