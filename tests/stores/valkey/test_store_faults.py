"""Links that break, servers that stop or vanish: every write is done once, not at all, or unknown (F-01 to F-26)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.stores.valkey.links import soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import NonStopTimeout, StoreUnavailable
from wsgessions.record import CommitStatus, NewSession, SessionDelta, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import Direction, Ending, FaultProxy
from wsgessions.testing.stores.harness import DAY, IDLE, change, created, new_key, number, stored, successor_of

__all__ = ["shared_server"]

CUTS = [
    *((Direction.TO_CLIENT, place) for place in (0, 1, 5, 20, 40)),
    *((Direction.TO_SERVER, place) for place in (0, 1, 30, 120, 200, 230)),
]


@asynccontextmanager
async def behind(proxy: FaultProxy) -> AsyncIterator[ValkeyStore]:
    """A store that does not look at the list of members, which a cut could hit too, and which would be counted."""
    async with started(store_at(f"valkey://{proxy.host}:{proxy.port}", heartbeat=3600.0)) as store:
        yield store


@pytest.fixture
async def proxy(shared_server: RawServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(shared_server.path) as proxy:
        yield proxy


def adding(record: SessionRecord) -> SessionDelta:
    return replace(change(record), increments={"n": 1})


@pytest.mark.parametrize("ending", Ending)
@pytest.mark.parametrize(("direction", "place"), CUTS)
async def test_a_cut_anywhere_leaves_each_write_done_once(
    proxy: FaultProxy, direction: Direction, place: int, ending: Ending
) -> None:
    """F-07, F-26: the link comes back and the request is sent again, within its deadline."""
    async with behind(proxy) as store:
        record = await created(store)
        await store.apply(adding(record))
        proxy.cut_after(place, direction, ending=ending)
        outcome = await store.apply(adding(record), deadline=soon())
        assert (outcome.status, outcome.computed) == (CommitStatus.APPLIED, {"n": number(2)})
        assert (await stored(store, record)).attributes == {"n": number(2)}
        assert store.trouble.resent == 1


@pytest.mark.parametrize(
    ("direction", "place"), [(Direction.TO_CLIENT, 0), (Direction.TO_CLIENT, 3), (Direction.TO_SERVER, 60)]
)
async def test_every_operation_survives_a_cut(proxy: FaultProxy, direction: Direction, place: int) -> None:
    async with behind(proxy) as store:
        new = NewSession(new_key(), {"a": b"1"}, IDLE * 1000, DAY * 1000)
        proxy.cut_after(place, direction)
        record = await store.create(new, deadline=soon())
        assert record is not None
        assert record.attributes == {"a": b"1"}
        proxy.cut_after(place, direction)
        assert await store.load(record.key, deadline=soon()) == record
        proxy.cut_after(place, direction)
        await store.touch([record.key], deadline=soon())
        proxy.cut_after(place, direction)
        assert await store.count(deadline=soon()) == 1
        to = successor_of(record.key)
        proxy.cut_after(place, direction)
        moved = await store.rotate(change(record, a=b"2"), to, deadline=soon())
        assert moved.status is CommitStatus.APPLIED
        assert await store.load(record.key) is None
        proxy.cut_after(place, direction)
        assert await store.delete(to.key, deadline=soon())
        assert await store.load(to.key) is None
        assert store.trouble.resent == 6


async def test_a_link_that_breaks_again_and_again_makes_a_write_unknown(proxy: FaultProxy) -> None:
    async with behind(proxy) as store:
        record = await created(store)
        await store.apply(adding(record))

        async def break_it() -> None:
            while True:
                seen = proxy.counts.bytes_to_client
                proxy.cut_after(1)
                while proxy.counts.bytes_to_client == seen:  # noqa: ASYNC110 - the proxy counts, and tells nobody
                    await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            breaker = group.create_task(break_it())
            with pytest.raises(StoreUnavailable):
                await store.apply(adding(record), deadline=soon(1.0))
            breaker.cancel()
        proxy.heal()
        found = await stored(store, record)
        assert found.attributes["n"] in {number(1), number(2)}


async def test_parallel_increments_over_a_breaking_link_are_counted_once_or_unknown(proxy: FaultProxy) -> None:
    """F-26, K-03: a session with more writers than it remembers commits."""
    async with behind(proxy) as store:
        record = await created(store)
        await store.apply(adding(record))
        applied = unknown = 0

        async def add() -> None:
            nonlocal applied, unknown
            try:
                status = (await store.apply(adding(record), deadline=soon(2.0))).status  # C-20: told at the deadline
            except StoreUnavailable:
                status = CommitStatus.UNKNOWN
            applied += status is CommitStatus.APPLIED
            unknown += status is CommitStatus.UNKNOWN

        for place in (0, 100, 700, 1500, 2500):
            proxy.cut_after(place, Direction.TO_CLIENT, ending=Ending.RESET)
            await asyncio.gather(*(add() for _ in range(100)))
        found = (await stored(store, record)).attributes["n"]
        total = int.from_bytes(found[1:]) if len(found) > 1 else found[0]
        assert applied + unknown == 500
        assert applied + 1 <= total <= applied + unknown + 1
        assert applied > 0


async def test_a_server_that_stands_still_costs_the_deadline_and_no_more(server: RawServer) -> None:
    """F-04, F-00b, C-20: what was sent is unknown, and is not done when the server goes on after the deadline."""
    async with started(store_at(server.url)) as store:
        record = await created(store)
        await store.apply(adding(record))
        server.pause()
        try:
            with pytest.raises(NonStopTimeout):
                await store.apply(adding(record), deadline=soon(1.0))  # time enough to be sent
            with pytest.raises(NonStopTimeout):
                await store.load(record.key, deadline=soon(0.05))
        finally:
            server.resume()
        outcome = await store.apply(adding(record), deadline=soon())
        assert outcome.status is CommitStatus.APPLIED
        assert (await stored(store, record)).attributes == {"n": number(2)}


async def test_a_server_without_its_data_has_no_sessions_and_takes_new_ones(server: RawServer) -> None:
    """F-23, R-27: killed and started anew without persistence, and flushed."""
    async with started(store_at(server.url)) as store:
        record = await created(store)
        server.kill()
        server.start()
        assert await store.load(record.key, deadline=soon()) is None
        assert (await store.apply(change(record, a=b"1"))).status is CommitStatus.GONE
        again = await created(store)
        await store.link.request("FLUSHALL")
        await store.link.request("SCRIPT", "FLUSH")
        assert await store.load(again.key) is None
        assert (await store.rotate(change(again), successor_of(again.key))).status is CommitStatus.GONE
        assert (await stored(store, await created(store, {"a": b"1"}))).attributes == {"a": b"1"}


async def test_a_store_that_is_not_there_is_an_error_and_never_a_missing_session(server: RawServer) -> None:
    """F-00a."""
    async with started(store_at(server.url)) as store:
        record = await created(store)
        server.kill()
        for operation in (
            store.load(record.key, deadline=soon(0.05)),
            store.apply(change(record), deadline=soon(0.05)),
            store.create(NewSession(new_key(), {}, 1, 1), deadline=soon(0.05)),
            store.touch([record.key], deadline=soon(0.05)),
            store.delete(record.key, deadline=soon(0.05)),
            store.count(deadline=soon(0.05)),
        ):
            with pytest.raises(StoreUnavailable):
                await operation


async def test_a_write_whose_link_does_not_come_back_is_unknown(proxy: FaultProxy) -> None:
    """C-9: the text does not say that nothing was sent."""
    async with behind(proxy) as store:
        record = await created(store)
        await store.apply(adding(record))
        proxy.refuse()
        proxy.cut_after(0)
        with pytest.raises(NonStopTimeout, match="may or may not have been carried out"):
            await store.apply(adding(record), deadline=soon(1.0))
        await proxy.accept()
        assert (await stored(store, record)).attributes == {"n": number(2)}


async def test_closing_under_way_makes_a_write_unknown(proxy: FaultProxy) -> None:
    async with behind(proxy) as store:
        record = await created(store)
        proxy.hold(Direction.TO_CLIENT)
        sent = proxy.counts.bytes_to_server
        task = asyncio.ensure_future(store.apply(adding(record), deadline=soon(2.0)))  # C-20: told at the deadline
        await until(lambda: proxy.counts.bytes_to_server > sent)
        await store.close()
        with pytest.raises(NonStopTimeout):
            await task


async def test_a_closed_store_says_so(shared_server: RawServer) -> None:
    async with started(store_at(shared_server.url)) as store:
        record = await created(store)
        await store.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await store.load(record.key)
        await store.start()
        assert await store.load(record.key) == record


async def test_a_store_need_not_be_started(shared_server: RawServer) -> None:
    """R-44: the first request does it, and finds the segments."""
    store = store_at(shared_server.url)
    record, other = await asyncio.gather(created(store), created(store))
    assert await store.load(record.key) == record
    assert await store.load(other.key) == other
    await store.close()


async def test_cancelling_commits_at_any_moment_does_each_of_them_or_not(proxy: FaultProxy) -> None:
    """R-36: and no later reply goes to the wrong request."""
    async with behind(proxy) as store:
        record = await created(store)
        done = 0
        proxy.delay(0.001)
        for turns in range(60):
            task = asyncio.ensure_future(store.apply(adding(record)))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            (result,) = await asyncio.gather(task, return_exceptions=True)
            done += not isinstance(result, BaseException)
        proxy.heal()
        final = await store.apply(adding(record))
        assert done < final.computed["n"][0] <= 61
