"""The reaper removes what has expired, once, and nothing else (E-4, F-27, K-10)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.links import PATIENCE, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, reaper_of, shared_server, started, store_at
from wsgessions.errors import StoreRefused
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.record import CommitStatus, NewSession, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.stores.valkey.upkeep import reaper
from wsgessions.stores.valkey.upkeep.reaper import LONGEST_REST, Reaper
from wsgessions.testing.stores.harness import IDLE, change, created, new_key, stored, successor_of

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


async def names_in(store: ValkeyStore) -> set[bytes]:
    return set(await store.link.request("KEYS", f"{store._namespace}:*:[sx]*"))


async def test_expired_sessions_and_their_index_entries_go_together(store: ValkeyStore) -> None:
    sweeper = reaper_of(store)
    for _ in range(30):
        await created(store, {"a": b"1"})
    await age(store, IDLE + 60)
    survivors = [await created(store, {"a": b"1"}) for _ in range(10)]
    assert await sweeper.sweep() == 30
    assert (sweeper.expired, sweeper.orphans) == (30, 0)
    assert await store.count() == 10
    for record in survivors:
        assert await stored(store, record) == record
    assert len([name for name in await names_in(store) if b":s:" in name]) == 10
    assert await sweeper.sweep() == 0


async def test_created_is_live_and_destroyed_and_expired(store: ValkeyStore) -> None:
    """K-10: also with changes, touches and rotations in between."""
    sweeper, destroyed = reaper_of(store), 0
    records = [await created(store, idle=IDLE if place % 2 else 3 * IDLE) for place in range(60)]
    for place, record in enumerate(records):
        if place % 3 == 0:
            await store.apply(change(record, a=b"1"))
        elif place % 3 == 1:
            await store.rotate(change(record), successor_of(record.key))
        if place % 5 == 0:
            destroyed += await store.delete(record.key)
    await age(store, IDLE + 60)
    await sweeper.sweep()
    live = await store.count()
    assert live + destroyed + sweeper.expired == len(records)
    assert live > 0
    assert destroyed > 0
    assert sweeper.orphans == 0


async def test_nothing_is_removed_within_the_grace(store: ValkeyStore) -> None:
    """C-16: a use before the end may be reported after it, and the session then goes on."""
    sweeper, record = reaper_of(store), await created(store)
    await age(store, IDLE + 1)
    assert await store.load(record.key) is None
    assert await sweeper.sweep() == 0
    await store.touch([record.key])
    assert (await stored(store, record)).version == record.version
    await age(store, IDLE + 1)
    assert (await store.apply(change(record, a=b"1"))).status is CommitStatus.APPLIED
    assert (await stored(store, record)).attributes == {"a": b"1"}


async def test_a_session_used_after_it_was_listed_is_not_removed(store: ValkeyStore) -> None:
    sweeper, record = reaper_of(store), await created(store)
    await age(store, IDLE + 60)
    assert store.segments is not None
    segment = store.segments.of(record.key)
    await store.link.request("ZADD", segment.expiries, record.expires_ms + IDLE * 1000, record.key.digest)
    await sweeper._reap({segment: [record.key.digest]})
    assert sweeper.expired == 0
    assert (await stored(store, record)).version == record.version


async def test_entries_without_a_session_are_dropped(store: ValkeyStore) -> None:
    """R-28, T-13."""
    sweeper, record = reaper_of(store), await created(store)
    assert store.segments is not None
    await store.link.request("DEL", store.segments.of(record.key).record(record.key))
    await age(store, IDLE + 60)
    await sweeper.sweep()
    assert (sweeper.expired, sweeper.orphans) == (0, 1)
    assert await names_in(store) == set()


async def test_damaged_records_leave_the_index_and_stay_for_inspection(store: ValkeyStore) -> None:
    """R-20."""
    sweeper, record = reaper_of(store), await created(store)
    assert store.segments is not None
    name = store.segments.of(record.key).record(record.key)
    await store.link.request("HSET", name, "m", "rubbish")
    await age_index(store, record)
    assert await sweeper.sweep() == 0
    assert await names_in(store) == {name}
    assert store.trouble.unreadable == 1


async def age_index(store: ValkeyStore, record: SessionRecord) -> None:
    assert store.segments is not None
    await store.link.request("ZADD", store.segments.of(record.key).expiries, 1, record.key.digest)


async def test_records_of_a_later_release_are_left_and_do_not_stand_in_the_way(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-22."""
    monkeypatch.setattr(reaper, "_BATCH", 2)
    monkeypatch.setattr(reaper, "_BATCHES", 1)
    assert store.segments is not None
    newer = [await created_in(store, 7) for _ in range(5)]
    for record in newer:
        await store.link.request("HSET", store.segments.of(record.key).record(record.key), "m", b"w\xffnew")
        await age_index(store, record)
    ours = await created_in(store, 7)
    await age_index(store, ours)
    await store.link.request("ZADD", store.segments.of(ours.key).expiries, 2, ours.key.digest)
    sweeper = reaper_of(store)
    assert sum([await sweeper.sweep() for _ in range(4)]) == 1
    assert len(await names_in(store)) == 6
    assert await store.link.request("ZCARD", store.segments.of(ours.key).expiries) == 5


async def created_in(store: ValkeyStore, prefix: int) -> SessionRecord:
    record = await store.create(NewSession(new_key(prefix), {}, IDLE * 1000, 10 * IDLE * 1000))
    assert record is not None
    return record


async def test_an_index_of_another_kind_is_reported(store: ValkeyStore) -> None:
    record = await created(store)
    assert store.segments is not None
    await store.link.request("SET", store.segments.of(record.key).expiries, "x")
    with pytest.raises(StoreRefused):
        await reaper_of(store).sweep()


async def test_one_process_at_a_time_sweeps(store: ValkeyStore) -> None:
    """F-27: a second process leaves the segments alone, and takes over when the first does not look again."""
    first, second = reaper_of(store, interval=60.0), reaper_of(store)
    assert await first.sweep() == 0
    for _ in range(10):
        await age_index(store, await created(store))
    assert await second.sweep() == 0
    assert (first.has_claim, second.has_claim) == (True, False)
    assert await first.sweep() == 10
    await age_index(store, await created(store))
    await age(store, 400)
    async with asyncio.timeout(PATIENCE):
        while second.expired == 0:
            await second.sweep()
    assert second.has_claim
    assert await names_in(store) == set()


async def test_a_process_that_waits_for_the_claim_of_another_rests_until_that_ends(store: ValkeyStore) -> None:
    """F-27: a sweeper that died is replaced within a few intervals after its next look would have been."""
    holder, heir = reaper_of(store), reaper_of(store)
    await created(store, idle=30.0)
    await holder.sweep()
    await heir.sweep()
    assert holder.rest < heir.rest <= holder.rest + 7.5


async def test_the_next_look_follows_the_earliest_end(store: ValkeyStore) -> None:
    """E-4: with nothing due for long, a minute later; else when the session is due, its grace included."""
    sweeper = reaper_of(store)
    await created(store, idle=1000.0)
    await sweeper.sweep()
    assert sweeper.rest == LONGEST_REST
    await created(store, idle=30.0)
    await created(store, idle=40.0)
    await sweeper.sweep()
    assert 29.0 < sweeper.rest - store.grace_ms / 1000 <= 30.0


async def test_a_short_life_is_told_to_the_reaper_of_the_process_that_stored_it(shared_server: RawServer) -> None:
    """E-4: another process has the claim, and would look a minute later."""
    async with started(store_at(shared_server.url, reap_interval=0.02, grace=0.0)) as store:
        holder = reaper_of(store)
        await holder.sweep()
        sweeper = store.reaper
        assert sweeper is not None
        await until(lambda: holder.has_claim and not sweeper.has_claim and sweeper.rest > 1)
        await created(store, idle=0.05)
        await until(lambda: sweeper.expired == 1)
        later = await created(store)
        await store.apply(replace(change(later), interval_ms=50))
        await until(lambda: sweeper.expired == 2)
        last = await created(store)
        await store.rotate(replace(change(last), interval_ms=50), successor_of(last.key))
        await until(lambda: sweeper.expired == 3)


async def test_a_broken_index_does_not_keep_the_sessions_of_others(store: ValkeyStore) -> None:
    """R-21."""
    broken, others = await created_in(store, 7), [await created_in(store, place) for place in (1, 8, 40)]
    assert store.segments is not None
    for record in others:
        await age_index(store, record)
    await store.link.request("SET", store.segments.of(broken.key).expiries, "x")
    sweeper = reaper_of(store)
    with pytest.raises(StoreRefused):
        await sweeper.sweep()
    assert sweeper.expired == 3


async def test_sweeps_at_the_same_time_remove_each_session_once(store: ValkeyStore) -> None:
    for _ in range(200):
        await created(store)
    await age(store, IDLE + 60)
    sweepers = [reaper_of(store) for _ in range(5)]
    assert sum(await asyncio.gather(*(sweeper.sweep() for sweeper in sweepers))) == 200
    assert await names_in(store) == set()


async def test_a_sweep_takes_a_bounded_number_from_a_segment(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_BATCH", 3)
    monkeypatch.setattr(reaper, "_BATCHES", 2)
    for _ in range(10):
        await age_index(store, await created_in(store, 7))
    sweeper = reaper_of(store)
    assert [await sweeper.sweep() for _ in range(3)] == [6, 4, 0]


async def test_a_started_store_sweeps_by_itself_until_it_is_closed(shared_server: RawServer) -> None:
    store = store_at(shared_server.url, reap_interval=0.02, grace=0.0)
    async with started(store):
        await store.start()
        await created(store, idle=0.001)
        assert store.reaper is not None
        sweeper = store.reaper
        await until(lambda: sweeper.expired == 1)
        assert await names_in(store) == set()
    assert not sweeper._task.running


async def test_a_reaper_survives_an_outage_and_says_so(
    server: RawServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_log", LogThrottle(logging.getLogger("wsgessions.reaper")))
    caplog.set_level(logging.DEBUG, "wsgessions.reaper")  # the line of the outage itself is a warning
    async with started(store_at(server.url, reap_interval=0.02, grace=0.0)) as store:
        sweeper = store.reaper
        assert sweeper is not None
        server.kill()
        await until(lambda: any(line.name == "wsgessions.reaper" for line in caplog.records))
        server.start()
        await created(store, idle=0.001)
        await until(lambda: sweeper.expired == 1)


async def test_a_reaper_survives_its_own_faults_and_says_so(
    shared_server: RawServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "_log", LogThrottle(logging.getLogger("wsgessions.reaper")))
    monkeypatch.setattr(Reaper, "_groups", lambda self: 1 / 0)
    async with started(store_at(shared_server.url, reap_interval=0.02, grace=0.0)) as store:
        sweeper = store.reaper
        assert sweeper is not None
        await until(lambda: any("ZeroDivisionError" in line.getMessage() for line in caplog.records))
        monkeypatch.undo()
        await created(store, idle=0.001)
        await until(lambda: sweeper.expired == 1)
