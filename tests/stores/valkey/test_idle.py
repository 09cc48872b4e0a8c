"""A process with nothing to do asks the store for next to nothing, and costs it no disk (C-4, E-4)."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.stores.valkey.caching_node import CachingNode, caching_node
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import reaper_of, started, store_at
from wsgessions.stores.valkey.coherence import pace
from wsgessions.stores.valkey.coherence.pace import Pace
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.stores.valkey.upkeep.reaper import LONGEST_REST
from wsgessions.testing.stores.harness import created, stored

MOST = 10
"""Commands per second of one idle process, those within scripts included."""
TIMES = 20
NEVER_BY_ITSELF = 1000.0
"""Seconds between two beats, or two looks at the origin, where a test sends them."""


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[RawServer]:
    """A server with an append-only file."""
    server = RawServer(tmp_path, "--appendonly", "yes", "--appendfsync", "always")
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def node(kept: RawServer) -> AsyncIterator[CachingNode]:
    """A node that beats when it is told to."""
    async with caching_node(kept.url, heartbeat=NEVER_BY_ITSELF) as node:
        await node.may_serve()
        yield node


async def cost_of(store: ValkeyStore, work: Callable[[], Awaitable[Any]]) -> tuple[int, int]:
    """The number of commands that the server carries out for this, and how many bytes its file grows by."""
    link = store.link
    before = await _figure(store, "persistence", r"aof_current_size:(\d+)")
    await link.request("CONFIG", "RESETSTAT")
    await work()
    usage = (await link.request("INFO", "commandstats")).decode()
    calls = sum(int(found) for found in re.findall(r"cmdstat_(?!config)[^:]+:calls=(\d+)", usage))
    return calls, await _figure(store, "persistence", r"aof_current_size:(\d+)") - before


async def _figure(store: ValkeyStore, section: str, pattern: str) -> int:
    found = re.search(pattern, (await store.link.request("INFO", section)).decode())
    assert found is not None
    return int(found[1])


async def beats(node: CachingNode) -> None:
    assert node.store.heartbeat is not None
    for _ in range(TIMES):
        await node.store.heartbeat._beat()


async def test_the_beats_of_an_idle_process_are_few_commands_and_leave_no_trace_on_disk(node: CachingNode) -> None:
    """C-4: they are writes, since only a primary accepts those, and are kept out of the append-only file."""
    commands, bytes_written = await cost_of(node.store, lambda: beats(node))
    assert commands / TIMES / Pace(0.5).seconds < 0.6 * MOST
    assert bytes_written == 0


async def test_the_looks_for_expired_sessions_of_an_idle_process_are_few_commands_and_leave_no_trace_on_disk(
    kept: RawServer,
) -> None:
    """E-4: one script for all segments, which asks an empty store next to nothing."""
    async with started(store_at(kept.url, heartbeat=NEVER_BY_ITSELF)) as store:
        reapers = [reaper_of(store) for _ in range(3)]
        await reapers[0].sweep()
        commands, bytes_written = await cost_of(store, reapers[0].sweep)
        assert commands < 2 * MOST
        for _ in range(64):
            await created(store)
        many, more_bytes = await cost_of(store, reapers[0].sweep)
        assert many / reapers[0].rest < MOST / 5
        assert reapers[0].rest == LONGEST_REST
        assert (bytes_written, more_bytes) == (0, 0)
        assert store.segments is not None
        assert await store.link.request("EXISTS", *(segment.claim for segment in store.segments)) == 1


async def test_several_idle_processes_do_not_multiply_the_looks(kept: RawServer) -> None:
    """F-27: all but one ask only for the claim, and not again before that ends."""
    async with started(store_at(kept.url, heartbeat=NEVER_BY_ITSELF)) as store:
        holder, *others = [reaper_of(store) for _ in range(5)]
        for _ in range(64):
            await created(store)
        await holder.sweep()
        for other in others:
            commands, bytes_written = await cost_of(store, other.sweep)
            assert commands <= 3
            assert other.rest > LONGEST_REST
            assert bytes_written == 0


async def test_a_process_without_copies_is_quiet_too(kept: RawServer) -> None:
    """C-25."""
    async with started(store_at(kept.url, heartbeat=NEVER_BY_ITSELF)) as store:
        commands, bytes_written = await cost_of(store, store._origin_watch.look)
        assert commands / Pace(0.5).seconds < 0.6 * MOST
        assert bytes_written == 0


async def test_the_comparison_of_settings_is_few_commands_and_leaves_no_trace_on_disk(kept: RawServer) -> None:
    """C-27: each process compares twice a minute."""
    async with started(
        store_at(kept.url, heartbeat=NEVER_BY_ITSELF, compared=lambda: {"absolute_timeout": "24h"})
    ) as store:
        await store.settings_check.look()
        commands, bytes_written = await cost_of(store, store.settings_check.look)
        assert commands < MOST
        assert bytes_written == 0
        assert store.segments is not None
        assert await store.link.request("PTTL", next(iter(store.segments)).settings) > 0


def test_beats_are_frequent_while_sessions_are_used_and_slower_the_longer_they_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C-4: between uses that are a few seconds apart the lease of three beats does not end."""
    now = 1000.0
    monkeypatch.setattr(pace, "time", SimpleNamespace(monotonic=lambda: now))
    beating = Pace(0.5)
    assert beating.seconds == 2.0
    beating.note_use()
    assert beating.seconds == 0.5
    now += 2.0
    assert beating.seconds == 0.5
    now += 3.0
    assert beating.seconds == 1.25
    now += 60.0
    assert beating.seconds == 2.0
    assert Pace(10.0).seconds == 10.0


async def test_an_idle_process_that_gets_a_request_may_serve_from_memory_at_once(
    kept: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """C-4: the lease has ended meanwhile, and the next slow beat is far away."""
    monkeypatch.setattr(pace, "_SLOWEST", NEVER_BY_ITSELF)
    monkeypatch.setattr(pace, "_LARGEST_FACTOR", NEVER_BY_ITSELF)
    async with (
        caching_node(kept.url, heartbeat=1.0) as node,
        started(store_at(kept.url, namespace=node.store._namespace)) as other,
    ):
        record = await created(other)
        await node.may_serve()
        await until(lambda: node.store.pace._rests)
        node.lease.end()
        await stored(node.cache, record)
        await node.may_serve()
        assert node.recalls(record) == record
