"""Waiting for replicas: who waits, for what, how many share it, and what ends it (C-15b, fact 15)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.links import soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.replicas import Replicated, command, information, replicated
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import created

__all__ = ["shared_server"]


@pytest.fixture
async def servers() -> AsyncIterator[Replicated]:
    async with replicated(3) as servers:
        yield servers


@pytest.fixture
async def store(servers: Replicated) -> AsyncIterator[ValkeyStore]:
    async with started(ValkeyStore(servers.locate, namespace="fence", reap_interval=None)) as store:
        yield store


async def timeline(servers: Replicated) -> bytes:
    return (await information(servers.primary)).partition("master_replid:")[2].split()[0].encode()


async def rounds(servers: Replicated) -> int:
    told: bytes = await command(servers.primary, "INFO", "commandstats")
    return int(told.decode().partition("cmdstat_wait:calls=")[2].partition(",")[0] or 0)


async def clients(server: RawServer) -> int:
    told: bytes = await command(server, "CLIENT", "LIST")
    return told.count(b"name=wsgessions")


async def test_without_replicas_nobody_waits_and_there_is_no_second_connection(shared_server: RawServer) -> None:
    async with started(store_at(shared_server.url)) as store:
        record = await created(store)
        before = await clients(shared_server)
        assert await store.delete(record.key)
        assert await clients(shared_server) == before
        assert store.trouble.unconfirmed == 0


async def test_an_end_is_reported_when_all_replicas_have_it(servers: Replicated, store: ValkeyStore) -> None:
    records = [await created(store) for _ in range(10)]
    for record in records:
        assert await store.delete(record.key, deadline=soon())
        name = (await store.segment(record.key, soon())).record(record.key)
        for replica in servers.replicas:
            assert await command(replica, "HEXISTS", name, "t")  # type: ignore[arg-type]
    assert store.trouble.unconfirmed == 0


async def test_ends_at_the_same_time_share_the_waiting(servers: Replicated, store: ValkeyStore) -> None:
    records = [await created(store) for _ in range(200)]
    assert all(await asyncio.gather(*(store.delete(record.key, deadline=soon()) for record in records)))
    assert store.trouble.unconfirmed == 0
    assert 1 <= await rounds(servers) <= 20
    assert await clients(servers.primary) == 2


async def test_a_replica_that_hears_nothing_does_not_hold_up_an_end_for_long(
    servers: Replicated, store: ValkeyStore
) -> None:
    """F-11: it is reported as done, and counted."""
    record = await created(store)
    servers.replicas[0].pause()
    try:
        assert await store.delete(record.key)
        assert store.trouble.unconfirmed == 1
    finally:
        servers.replicas[0].resume()


async def test_a_replica_that_comes_late_still_counts(servers: Replicated, store: ValkeyStore) -> None:
    """Longer than one round."""
    now = await timeline(servers)
    servers.replicas[0].pause()
    waiting = asyncio.create_task(store.fence.passed(now, 2, deadline=soon()))
    enough = await rounds(servers) + 2
    await store.fence.passed(now, 1, deadline=soon())
    while await rounds(servers) < enough:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert not waiting.done()
    servers.replicas[0].resume()
    assert await waiting


async def test_what_replicas_of_another_history_have_is_worth_nothing(servers: Replicated, store: ValkeyStore) -> None:
    now = await timeline(servers)
    assert await store.fence.passed(now, 2, deadline=math.inf)
    assert not await store.fence.passed(b"another history", 2, deadline=math.inf)
    await servers.promote(servers.replicas[0])
    assert not await store.fence.passed(now, 1, deadline=math.inf)
    store.link.abandon("the primary is another one")
    await store.link.request(b"PING", deadline=soon())
    assert await store.fence.passed(await timeline(servers), 2, deadline=math.inf)


async def test_a_lost_connection_is_made_anew(servers: Replicated, store: ValkeyStore) -> None:
    now = await timeline(servers)
    assert await store.fence.passed(now, 2, deadline=soon())
    await command(servers.primary, "CLIENT", "KILL", "TYPE", "normal")
    await store.link.request(b"PING", deadline=soon())
    assert await store.fence.passed(now, 2, deadline=soon())


async def test_who_may_not_ask_replicas_does_not_wait_for_them(servers: Replicated, store: ValkeyStore) -> None:
    await command(servers.primary, "ACL", "SETUSER", "default", "-wait")
    assert not await store.fence.passed(await timeline(servers), 1, deadline=math.inf)


async def test_closing_releases_whoever_waits(servers: Replicated, store: ValkeyStore) -> None:
    waiting = asyncio.create_task(store.fence.passed(await timeline(servers), 9, deadline=math.inf))
    await until(lambda: store.fence._link is not None and store.fence._link.connected)
    await store.fence.close()
    assert not await waiting


async def test_who_gives_up_waiting_leaves_the_others_alone(servers: Replicated, store: ValkeyStore) -> None:
    now = await timeline(servers)
    gone = [asyncio.create_task(store.fence.passed(now, 9, deadline=math.inf)) for _ in range(3)]
    assert not await store.fence.passed(now, 9, deadline=soon(0.01))
    for task in gone:
        task.cancel()
    assert await store.fence.passed(now, 2, deadline=soon())
    await until(lambda: store.fence._task is None)
