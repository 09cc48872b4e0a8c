"""Sessions that are missing in the index come back into it although nobody uses them (R-28)."""

from __future__ import annotations

import itertools
import logging
from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.links import at, until
from tests.stores.valkey.links import started as started_link
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import reaper_of, repair_of, shared_server, started, store_at
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.record import SessionRecord
from wsgessions.stores.valkey.format.segments import Segment
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.stores.valkey.upkeep import index_repair
from wsgessions.testing.stores.harness import DAY, change, created, stored, successor_of

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


def segment_of(store: ValkeyStore, record: SessionRecord) -> Segment:
    assert store.segments is not None
    return store.segments.of(record.key)


async def score_of(store: ValkeyStore, record: SessionRecord) -> float | None:
    score: float | None = await store.link.request("ZSCORE", segment_of(store, record).expiries, record.key.digest)
    return score


async def unindex(store: ValkeyStore, record: SessionRecord) -> None:
    assert await store.link.request("ZREM", segment_of(store, record).expiries, record.key.digest) == 1


async def repair(store: ValkeyStore) -> int:
    """One whole pass; the number of sessions that came back."""
    before, pass_ = store.trouble.reindexed, repair_of(store)
    while await pass_.step():
        pass
    return store.trouble.reindexed - before


async def test_a_session_that_nobody_uses_comes_back_with_the_end_that_its_last_commit_gave_it(
    store: ValkeyStore,
) -> None:
    record = await created(store)
    outcome = await store.apply(change(record, a=b"1"))
    await unindex(store, record)
    assert await repair(store) == 1
    assert await score_of(store, record) == outcome.expires_ms
    assert await repair(store) == 0


async def test_a_session_comes_back_with_no_end_beyond_its_deadline(store: ValkeyStore) -> None:
    records = [await created(store, idle=0), await created(store, idle=2 * DAY)]
    for record in records:
        await unindex(store, record)
    assert await repair(store) == 2
    assert [await score_of(store, record) for record in records] == [record.deadline_ms for record in records]


async def test_what_is_indexed_stays_as_it_is(store: ValkeyStore) -> None:
    record = await created(store)
    await store.link.request("ZADD", segment_of(store, record).expiries, record.expires_ms + 7, record.key.digest)
    assert await repair(store) == 0
    assert await score_of(store, record) == record.expires_ms + 7


async def test_one_whose_time_is_over_is_indexed_for_the_reaper(shared_server: RawServer) -> None:
    async with started(store_at(shared_server.url, grace=0.0)) as store:
        record, sweeper = await created(store, idle=0.001), reaper_of(store)
        await unindex(store, record)
        assert await sweeper.sweep() == 0
        assert await repair(store) == 1
        assert await store.load(record.key) is None
        assert await sweeper.sweep() == 1
        assert await store.link.request("EXISTS", segment_of(store, record).record(record.key)) == 0


async def test_a_session_that_lost_its_time_to_live_too_gets_one(store: ValkeyStore) -> None:
    """R-26."""
    record = await created(store)
    name = segment_of(store, record).record(record.key)
    await unindex(store, record)
    await store.link.request("PERSIST", name)
    assert await repair(store) == 1
    assert await store.link.request("PTTL", name) > 0


async def test_tombstones_and_what_is_no_session_of_ours_stay_out(store: ValkeyStore) -> None:
    """R-20, R-22, S-62: what has been ended is not brought back, and nothing is written into what cannot be read."""
    ended, rotated, damaged, newer, other = [await created(store) for _ in range(5)]
    await store.delete(ended.key)
    successor = successor_of(rotated.key)
    await store.rotate(change(rotated), successor)
    damage = ((damaged, ("HSET", "m", "rubbish")), (newer, ("HSET", "m", b"w\xffnew")), (other, ("SET", "text")))
    for record, (command, *words) in damage:
        await unindex(store, record)
        await store.link.request(command, segment_of(store, record).record(record.key), *words)
    records = [ended, rotated, damaged, newer, other]
    names = [segment_of(store, record).record(record.key) for record in records]
    before = [await store.link.request("DUMP", name) for name in names]
    assert await repair(store) == 0
    assert [await score_of(store, record) for record in records] == [None] * 5
    assert [await store.link.request("DUMP", name) for name in names] == before


async def test_other_applications_and_other_keys_are_left_alone(shared_server: RawServer, store: ValkeyStore) -> None:
    elsewhere = store_at(shared_server.url, namespace=store._namespace, context_path="/other")
    further = store_at(shared_server.url, namespace=f"{store._namespace}x")
    async with started(elsewhere), started(further):
        strangers = [(each, await created(each)) for each in (elsewhere, further)]
        for each, record in strangers:
            await unindex(each, record)
        ours = await created(store)
        await unindex(store, ours)
        prefix = segment_of(store, ours).record_prefix
        await store.link.request("SET", prefix + b"too short", "x")
        await store.link.request("SET", prefix.replace(b"{", b"{none"), "x")
        assert await repair(store) == 1
        assert [await score_of(each, record) for each, record in strangers] == [None, None]


async def test_a_whole_index_that_was_lost_is_built_again(store: ValkeyStore) -> None:
    records = [await created(store) for _ in range(700)]
    for segment in store.segments or ():
        await store.link.request("UNLINK", segment.expiries)
    assert await store.count() == 0
    assert await repair(store) == 700
    assert await store.count() == 700
    assert (await stored(store, records[0])).expires_ms == records[0].expires_ms


async def test_a_step_looks_at_a_bounded_number_of_keys(server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_repair, "_KEYS_PER_SCAN", 10)
    monkeypatch.setattr(index_repair, "_SCANS", 2)
    async with started(store_at(server.url)) as store:
        for _ in range(200):
            await unindex(store, await created(store))
        pass_, steps, repaired = repair_of(store), 0, [0]
        while await pass_.step():
            steps += 1
            repaired.append(store.trouble.reindexed)
        assert steps > 5
        assert max(later - earlier for earlier, later in itertools.pairwise(repaired)) < 100
        assert store.trouble.reindexed == 200
        assert not await pass_.step()  # the next pass is not due yet
        usage = await store.link.request("INFO", "commandstats")
        assert b"cmdstat_keys:" not in usage


async def test_a_pass_begins_anew_over_another_connection(
    shared_server: RawServer, store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cursor means nothing to the server that took over."""
    monkeypatch.setattr(index_repair, "_KEYS_PER_SCAN", 10)
    monkeypatch.setattr(index_repair, "_SCANS", 1)
    for _ in range(200):
        await created(store)
    pass_ = repair_of(store)
    for _ in range(5):
        assert await pass_.step()
    seen = pass_._cursor
    async with started_link(at(shared_server.url)) as other:
        ours = await store.link.request("CLIENT", "ID")
        await other.request("CLIENT", "KILL", "ID", ours)
    await until(lambda: not store.link.connected)
    await store.link.request("PING")
    assert await pass_.step()
    assert pass_._cursor != seen
    first = repair_of(store)
    await first.step()
    assert pass_._cursor == first._cursor


async def test_a_running_store_repairs_by_itself(shared_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_repair, "_PERIOD", 0.05)
    async with started(store_at(shared_server.url, reap_interval=0.02)) as store:
        record = await created(store)
        await unindex(store, record)
        await until(lambda: store.trouble.reindexed == 1)
        assert await score_of(store, record) == record.expires_ms


async def test_of_several_processes_one_looks(shared_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has the claim of the first segment."""
    monkeypatch.setattr(index_repair, "_PERIOD", 0.0)
    async with started(store_at(shared_server.url)) as store:
        first, second = reaper_of(store, interval=60.0), reaper_of(store, interval=60.0)
        for reaper in (first, second):
            await reaper.sweep()
        assert (first.has_claim, second.has_claim) == (True, False)


async def test_a_server_that_does_not_let_us_scan_is_told_of_and_sessions_go_on(
    server: RawServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_repair, "_log", LogThrottle(logging.getLogger("wsgessions.reaper")))
    async with started_link(at(server.url)) as admin:
        await admin.request("ACL", "SETUSER", "app", "on", ">a-password", "~*", "&*", "+@all", "-scan")
    url = server.url.replace("unix://", "unix://app:a-password@")
    async with started(store_at(url, reap_interval=0.02, grace=0.0)) as store:
        sweeper = store.reaper
        assert sweeper is not None
        await until(lambda: "sessions missing in the index cannot be looked for" in caplog.text)
        await created(store, idle=0.001)
        await until(lambda: sweeper.expired == 1)
