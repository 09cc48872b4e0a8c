"""The near cache with memory outside the heap keeps the contract of all stores, its limits, and what settings say."""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.cache import test_near_cache
from tests.coherence.browser import Tab
from tests.coherence.cluster import start_node
from tests.coherence.history import NEAR_CACHE, History, Op
from tests.stores.valkey.links import PATIENCE
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, store_at
from wsgessions.cache.lease import Lease
from wsgessions.cache.near_cache import PLACEHOLDER_SHARE, NearCache
from wsgessions.cache.off_heap import OffHeap
from wsgessions.manager.store_factory import open_store
from wsgessions.settings import SessionSettings
from wsgessions.store.capabilities import CacheLookup, find_capability
from wsgessions.store.contract import Store
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created

__all__ = ["shared_server"]

ROOT = Path(__file__).parents[2]
LIMIT = 8_000_000


class WithOffHeap(test_near_cache.TestNearCache):
    __test__ = False
    heap: ClassVar[int]

    @pytest.fixture(autouse=True)
    def _in_a_directory(self, tmp_path: Path) -> None:
        self.base = tmp_path

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[NearCache]:
        tier = OffHeap(2**20, "suite", directory=self.base)
        cache = NearCache(store_at(self.url), lease=Lease(5.0), max_bytes=self.heap, off_heap=tier, audit_share=0)
        try:
            await cache.start()
            yield cache
        finally:
            await cache.close()

    async def advance(self, store: Store, seconds: float) -> None:
        assert isinstance(store, NearCache)
        assert isinstance(store.below, ValkeyStore)
        await age(store.below, seconds)
        store.tiers.clear()  # time has been moved by hand, and over our own link, which is told of nothing


class TestBothTiers(WithOffHeap):
    __test__ = True
    heap = 10**6


class TestOffHeapAlone(WithOffHeap):
    __test__ = True
    heap = 0


# -- settings ----------------------------------------------------------------------------------------------------------


def settings(server: RawServer, **others: Any) -> SessionSettings:
    return SessionSettings(store_url=server.url, namespace=f"n{secrets.token_hex(4)}", **others)


@asynccontextmanager
async def opened(settings: SessionSettings) -> AsyncIterator[Store]:
    store = open_store(settings)
    try:
        await store.start()
        yield store
    finally:
        await store.close()


@pytest.mark.parametrize(("heap", "off_heap"), [("8M", 0), ("8M", "1M"), (0, "1M")])
async def test_what_was_written_is_served_from_the_tiers_that_the_settings_ask_for(
    shared_server: RawServer, heap: str | int, off_heap: str | int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsgessions.cache.off_heap.directory._SHARED_MEMORY", tmp_path)
    common = settings(shared_server, max_bytes_on_heap=heap, max_bytes_off_heap=off_heap)
    async with opened(common) as store:
        cache = find_capability(store, CacheLookup)
        assert cache is not None
        record = await created(store, {"a": b"1"})
        async with asyncio.timeout(PATIENCE):
            while cache.lookup(record.key, record.seen) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        delta = change(record, a=b"2")
        after = record.after(delta, await store.apply(delta))
        found = cache.lookup(record.key, after.seen)
        assert found is not None
        assert found.attributes == {"a": b"2"}
        assert found.seen == after.seen


def test_without_any_memory_there_is_no_cache(shared_server: RawServer) -> None:
    store = open_store(settings(shared_server, max_bytes_on_heap=0, max_bytes_off_heap=0))
    assert find_capability(store, CacheLookup) is None


async def test_servers_on_one_host_lend_each_other_their_sessions() -> None:
    """Whole processes, from the settings to the response: a browser that hops pays no round trip."""
    history: History = []
    options = {"max_bytes_off_heap": "1M", "lease": "5s"}
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="wsg"))
        server = RawServer(Path(directory))
        server.start()
        stack.callback(server.kill)
        paths = [f"{directory}/n{number}" for number in range(2)]
        for path in paths:
            await start_node(stack, path, server.url, options)
        tab = Tab("tab", paths, history)
        stack.callback(tab.close)
        warm = Tab("warm", paths, history)
        stack.callback(warm.close)
        async with asyncio.timeout(PATIENCE):
            while not await hops_for_nothing(warm):
                pass
        wrote = await tab.send(0, Op.WRITE)
        read = await tab.send(1, Op.READ)
        assert (wrote.status, read.status) == (200, 200)
        assert read.served_from == NEAR_CACHE
        assert (await tab.send(1, Op.WRITE)).served_from == NEAR_CACHE
        assert (await tab.send(0, Op.READ)).served_from == NEAR_CACHE
        assert (await tab.send(1, Op.INVALIDATE)).status == 200
        assert (await tab.send(1, Op.READ)).content == {}


async def hops_for_nothing(tab: Tab) -> bool:
    """Whether the servers know each other yet."""
    await tab.send(0, Op.WRITE)
    return (await tab.send(1, Op.READ)).served_from == NEAR_CACHE


# -- limits ------------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("off_heap", [0, LIMIT])
def test_the_process_keeps_within_its_limits_while_a_hundred_megabytes_pass(
    shared_server: RawServer, tmp_path: Path, off_heap: int
) -> None:
    """F-20. Memory of its own is what is resident and not of a file; the off-heap tier's file counts as shared."""
    base = tempfile.mkdtemp(dir=tmp_path)
    command = [sys.executable, "-m", "tests.cache.memory_program", shared_server.url, LIMIT, off_heap, base]
    run = subprocess.run(list(map(str, command)), cwd=ROOT, check=True, capture_output=True, text=True)
    own, shared, on_heap, outside, served = map(int, run.stdout.split())
    assert own <= 1.5 * LIMIT + 20_000_000
    assert shared <= off_heap + 2_000_000
    states = LIMIT - LIMIT // PLACEHOLDER_SHARE
    assert 0.9 * states < on_heap <= states
    assert 0.9 * off_heap <= outside <= off_heap
    assert served >= (on_heap + outside) // 50_000
