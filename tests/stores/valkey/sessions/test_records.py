"""What lies in the server is taken for a session only if it is one, and is otherwise left as it is (R-20 to R-28)."""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.stores.valkey.links import PATIENCE
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from wsgessions.errors import RecordTooNew, StoreRefused
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.record import CommitStatus, NewSession, SessionRecord
from wsgessions.stores.valkey import diagnostics
from wsgessions.stores.valkey.format.scripts import HEAD, Head
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import DAY, IDLE, change, created, new_key, stored, successor_of

__all__ = ["shared_server"]

DAY_MS = DAY * 1000


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


def name_of(store: ValkeyStore, record: SessionRecord) -> bytes:
    assert store.segments is not None
    return store.segments.of(record.key).record(record.key)


def index_of(store: ValkeyStore, record: SessionRecord) -> bytes:
    assert store.segments is not None
    return store.segments.of(record.key).expiries


async def records_in(store: ValkeyStore) -> list[bytes]:
    found: list[bytes] = await store.link.request("KEYS", f"{store._namespace}:*:s:*")
    return found


# -- damage ------------------------------------------------------------------------------------------------------------

Damage = Callable[[ValkeyStore, bytes], Awaitable[object]]


def replaced_by(*command: object) -> Damage:
    async def damage(store: ValkeyStore, name: bytes) -> None:
        await store.link.request("DEL", name)
        await store.link.request(str(command[0]), name, *map(str, command[1:]))

    return damage


def metadata(edit: Callable[[bytes], bytes]) -> Damage:
    async def damage(store: ValkeyStore, name: bytes) -> None:
        raw = await store.link.request("HGET", name, "m")
        await store.link.request("HSET", name, "m", edit(raw))

    return damage


def head(**fields: Any) -> Damage:
    def edit(raw: bytes) -> bytes:
        return HEAD.pack(*Head._make(HEAD.unpack_from(raw))._replace(**fields)) + raw[HEAD.size :]

    return metadata(edit)


DAMAGES = {
    "a string": replaced_by("SET", "x"),
    "a list": replaced_by("RPUSH", "x"),
    "a set": replaced_by("SADD", "x"),
    "a sorted set": replaced_by("ZADD", 1, "x"),
    "a stream": replaced_by("XADD", "*", "f", "v"),
    "a hash without metadata": replaced_by("HSET", "ax", "12345678v"),
    "empty metadata": metadata(lambda raw: b""),
    "metadata cut in the head": metadata(lambda raw: raw[: HEAD.size - 1]),
    "metadata cut in the commits": metadata(lambda raw: raw[:-1]),
    "random bytes": metadata(lambda raw: b"w\x02" + bytes(range(200, 256)) * 4),
    "another magic": head(magic=0),
    "text": metadata(lambda raw: b"not a record"),
    "format 0": head(format=0),
    "a version beyond what is exact": head(version=1 << 53),
    "an interval beyond what is exact": head(interval=1 << 60),
    "a creation in the far future": head(created=1 << 45, deadline=1 << 46),
    "a deadline before the creation": head(deadline=1),
    "more commits than are kept": head(commits=9),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
async def test_a_damaged_record_is_no_session_and_is_kept(store: ValkeyStore, damage: Damage) -> None:
    """R-20, R-21: every operation answers as if there were nothing; the bytes stay for inspection."""
    record = await created(store, {"a": b"1"})
    await store.apply(change(record, a=b"2"))
    name = name_of(store, record)
    await damage(store, name)
    before = await store.link.request("DUMP", name)
    assert await store.load(record.key) is None
    assert await store.load(record.key, since=record.seen) is None
    assert (await store.apply(change(record, a=b"3"))).status is CommitStatus.GONE
    assert (await store.rotate(change(record), successor_of(record.key))).status is CommitStatus.GONE
    assert await store.create(NewSession(record.key, {}, 1000, 1000, record.incarnation)) is None
    await store.touch([record.key])
    assert not await store.delete(record.key)
    assert await store.link.request("DUMP", name) == before
    assert store.trouble.unreadable == 5


@pytest.mark.parametrize("field", [(b"a\xff\xfe", b"12345678v"), (b"aname", b"1234567"), (b"i", b"12345678")])
async def test_a_damaged_field_makes_the_session_unreadable(store: ValkeyStore, field: tuple[bytes, bytes]) -> None:
    record = await created(store, {"a": b"1"})
    await store.link.request("HSET", name_of(store, record), *field)
    assert await store.load(record.key) is None
    assert store.trouble.unreadable == 1


async def test_damage_is_logged_once_and_without_the_id(
    store: ValkeyStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-20, S-80: the line names the session by its ref."""
    monkeypatch.setattr(diagnostics, "_log", LogThrottle(logging.getLogger("wsgessions.valkey")))
    record = await created(store)
    await DAMAGES["text"](store, name_of(store, record))
    for _ in range(20):
        assert await store.load(record.key) is None
    (line,) = caplog.records
    assert record.key.ref in line.getMessage()
    assert line.__dict__["event"] == "unreadable_record"
    assert store.trouble.unreadable == 20


async def test_a_record_of_a_later_release_is_left_to_it(store: ValkeyStore) -> None:
    """R-22."""
    record = await created(store, {"a": b"1"})
    name = name_of(store, record)
    await metadata(lambda raw: b"w\xff" + b"of a shape that nobody here knows")(store, name)
    before = await store.link.request("DUMP", name)
    for operation in (
        store.load(record.key),
        store.load(record.key, since=record.seen),
        store.apply(change(record, a=b"2")),
        store.rotate(change(record), successor_of(record.key)),
    ):
        with pytest.raises(RecordTooNew):
            await operation
    await store.touch([record.key])
    assert await store.create(NewSession(record.key, {}, 1000, 1000)) is None
    assert await store.link.request("DUMP", name) == before
    assert store.trouble.too_new == 4


async def test_the_end_of_a_record_of_a_later_release_is_its_end(store: ValkeyStore) -> None:
    """R-22, S-55: to end a session is to end it, whatever it holds. Its metadata stay, for that release to read."""
    record = await created(store, {"a": b"1"})
    name, later = name_of(store, record), b"w\xff" + b"of a shape that nobody here knows"
    await metadata(lambda raw: later)(store, name)
    assert await store.delete(record.key)
    assert await store.link.request("HGETALL", name) == {b"t": later}
    assert await store.link.request("PTTL", name) > 0
    assert not await store.delete(record.key)
    assert store.segments is not None
    assert await store.link.request("ZSCORE", store.segments.of(record.key).expiries, record.key.digest) is None


async def test_fields_of_other_releases_are_kept(store: ValkeyStore) -> None:
    """R-24: through changes and rotations."""
    record = await created(store, {"a": b"1"})
    await store.link.request("HSET", name_of(store, record), "zfuture", "kept", "", "kept too")
    outcome = await store.apply(change(record, a=b"2"))
    to = successor_of(record.key)
    await store.rotate(change(record), to)
    assert outcome.status is CommitStatus.APPLIED
    moved = await store.load(to.key)
    assert isinstance(moved, SessionRecord)
    assert moved.attributes == {"a": b"2"}
    assert await store.link.request("HMGET", name_of(store, moved), "zfuture", "") == [b"kept", b"kept too"]


# -- time to live ------------------------------------------------------------------------------------------------------


async def test_every_record_lives_until_a_day_after_its_deadline_and_no_use_moves_that(store: ValkeyStore) -> None:
    """E-5: and tombstones lapse."""
    record = await created(store, {"a": b"1"})
    name, ends = name_of(store, record), record.deadline_ms + DAY_MS
    assert await store.link.request("PEXPIRETIME", name) == ends
    await store.touch([record.key])
    await store.apply(change(record, a=b"2"))
    assert await store.link.request("PEXPIRETIME", name) == ends
    to = successor_of(record.key)
    await store.rotate(change(record), to)
    moved = await store.load(to.key)
    assert isinstance(moved, SessionRecord)
    assert await store.link.request("PEXPIRETIME", name_of(store, moved)) == ends
    assert 14 * 60_000 < await store.link.request("PTTL", name) <= 15 * 60_000
    await store.delete(to.key)
    assert 14 * 60_000 < await store.link.request("PTTL", name_of(store, moved)) <= 15 * 60_000


@pytest.mark.parametrize("use", ["touch", "commit", "rotation"])
async def test_a_lost_time_to_live_is_restored_by_the_next_use(store: ValkeyStore, use: str) -> None:
    """R-26."""
    record = await created(store, {"a": b"1"})
    key = record.key
    await store.link.request("PERSIST", name_of(store, record))
    if use == "touch":
        await store.touch([key])
    elif use == "commit":
        await store.apply(change(record, a=b"2"))
    else:
        to = successor_of(key)
        await store.rotate(change(record), to)
        key = to.key
    found = await store.load(key)
    assert isinstance(found, SessionRecord)
    assert await store.link.request("PEXPIRETIME", name_of(store, found)) == record.deadline_ms + DAY_MS


async def test_the_deadline_holds_without_time_to_live(store: ValkeyStore) -> None:
    """R-26, S-53: also if somebody has raised the score."""
    record = await created(store, life=IDLE)
    await store.link.request("PERSIST", name_of(store, record))
    await age(store, IDLE + 1)
    await store.link.request("ZADD", index_of(store, record), record.deadline_ms + DAY_MS, record.key.digest)
    assert await store.load(record.key) is None
    assert (await store.apply(change(record, a=b"2"))).status is CommitStatus.GONE


# -- the index ---------------------------------------------------------------------------------------------------------


async def test_a_session_that_is_missing_in_the_index_is_put_back_into_it(store: ValkeyStore) -> None:
    """R-28, C-16."""
    record = await created(store, {"a": b"1"})
    await store.link.request("DEL", index_of(store, record))
    found = await stored(store, record)
    assert found.expires_ms == record.created_ms + IDLE * 1000
    assert await store.link.request("ZSCORE", index_of(store, record), record.key.digest) >= found.expires_ms
    assert store.trouble.reindexed == 1
    await store.link.request("DEL", index_of(store, record))
    await store.apply(change(record, a=b"2"))
    assert await store.link.request("ZSCORE", index_of(store, record), record.key.digest) >= found.expires_ms


async def test_without_a_score_the_last_commit_tells_when_idling_ends(store: ValkeyStore) -> None:
    """C-16."""
    record = await created(store, idle=0.04)
    await store.link.request("DEL", index_of(store, record))
    async with asyncio.timeout(PATIENCE):
        while await store.load(record.key) is not None:
            await store.link.request("DEL", index_of(store, record))


async def test_an_index_of_another_kind_is_an_outage_and_changes_nothing(store: ValkeyStore) -> None:
    """Not to be read as "no such session": all sessions of the segment are concerned."""
    record = await created(store, {"a": b"1"})
    await store.link.request("SET", index_of(store, record), "x")
    before = await store.link.request("DUMP", name_of(store, record))
    successor = successor_of(record.key)
    for operation in (
        store.load(record.key),
        store.apply(change(record, a=b"2")),
        store.rotate(change(record), successor),
        store.touch([record.key]),
        store.delete(record.key),
        store.create(NewSession(new_key(record.key.prefix), {}, 1000, 1000)),
        store.count(),
    ):
        with pytest.raises(StoreRefused):
            await operation
    assert await store.link.request("DUMP", name_of(store, record)) == before
    assert await records_in(store) == [name_of(store, record)]


async def test_a_touch_never_lowers_a_score(store: ValkeyStore) -> None:
    """C-16: neither order nor repetition of touches matters."""
    record = await created(store)
    higher = record.expires_ms + 100_000
    await store.link.request("ZADD", index_of(store, record), higher, record.key.digest)
    await store.touch([record.key, record.key])
    assert await store.link.request("ZSCORE", index_of(store, record), record.key.digest) == higher


async def test_nothing_but_creation_adds_to_the_store(store: ValkeyStore) -> None:
    """S-50, C-16: neither made-up ids nor touches after a logout leave a ghost."""
    record = await created(store)
    await store.delete(record.key)
    size = await store.link.request("DBSIZE")
    strangers = [new_key() for _ in range(50)]
    for key in strangers:
        assert await store.load(key) is None
        assert not await store.delete(key)
    await store.touch([*strangers, record.key])
    await store.apply(change(record, a=b"1"))
    assert await store.link.request("DBSIZE") == size
    assert await store.count() == 0


async def test_versions_grow_even_if_the_clock_went_back(store: ValkeyStore) -> None:
    """C-8."""
    record = await created(store)
    ahead = record.version + 10**12
    await head(version=ahead)(store, name_of(store, record))
    outcome = await store.apply(change(record, a=b"1"))
    assert (outcome.previous, outcome.version) == (ahead, ahead + 1)
    (stamp,) = struct.unpack(">Q", (await store.link.request("HGET", name_of(store, record), "aa"))[:8])
    assert stamp == ahead + 1


async def test_what_the_namespace_holds_is_what_is_documented(store: ValkeyStore) -> None:
    """C-7, K-10: records with a time to live, an index per used segment, the list of members, the configuration."""
    records = [await created(store, {"a": b"1"}) for _ in range(20)]
    for place, record in enumerate(records):
        await store.apply(change(record, b=b"2"))
        if place % 3 == 0:
            await store.delete(record.key)
        elif place % 3 == 1:
            await store.rotate(change(record), successor_of(record.key))
    names = await records_in(store)
    assert len(names) == 27
    for name in names:
        assert await store.link.request("PTTL", name) > 0
    assert await store.count() == 13
    everything = await store.link.request("KEYS", f"{store._namespace}:*")
    assert {name.rpartition(b":")[2] for name in everything if name not in names} == {b"x", b"n", b"cfg"}
