"""Lists of sessions in Valkey: of applications that share a server, of strange records, and what they cost (E-8)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from wsgessions.errors import StoreRefused
from wsgessions.record import NewSession, SessionKey, SessionRecord
from wsgessions.store.listing import LARGEST_PAGE
from wsgessions.stores.valkey.client.replies import Reply
from wsgessions.stores.valkey.client.requests import PendingRequest
from wsgessions.stores.valkey.sessions import listing
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import DAY, IDLE, created, new_key
from wsgessions.testing.stores.listing import all_listed, keys_of
from wsgessions.testing.stores.principals import bound, moved

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


def record_of(store: ValkeyStore, record: SessionRecord) -> bytes:
    assert store.segments is not None
    return store.segments.of(record.key).record(record.key)


async def test_sessions_of_other_applications_are_not_listed(shared_server: RawServer, store: ValkeyStore) -> None:
    """S-12: nor found by their refs."""
    mine = await created(store)
    for options in ({"context_path": "/other"}, {"namespace": store._namespace + "x"}):
        other = store_at(shared_server.url, **{"namespace": store._namespace, **options})
        async with started(other):
            theirs = await created(other)
            assert [head.key for head in await all_listed(other)] == [theirs.key]
            assert await store.with_ref(theirs.key.ref) == []
    assert [head.key for head in await all_listed(store)] == [mine.key]


async def test_paths_whose_digests_begin_alike_are_two_applications(shared_server: RawServer) -> None:
    """S-12, S-212. 32 bits of the digest, which these two paths share, do not name an application."""
    paths = ("/tenant-38762", "/tenant-70588")
    digests = {hashlib.sha256(path.encode()).hexdigest()[:8] for path in paths}
    assert len(digests) == 1
    async with AsyncExitStack() as stack:
        mine, other = [
            await stack.enter_async_context(started(store_at(shared_server.url, namespace="alike", context_path=path)))
            for path in paths
        ]
        theirs = await bound(other, "alice")
        assert await all_listed(mine) == []
        assert await mine.keys_of("alice") == []
        assert [head.key for head in await all_listed(other)] == [theirs.key]


@pytest.mark.parametrize("concurrency", [1, 3, 64, 4096])
async def test_all_segments_are_gone_through(shared_server: RawServer, concurrency: int) -> None:
    async with started(store_at(shared_server.url, concurrency=concurrency)) as store:
        records = await asyncio.gather(*(created(store) for _ in range(150)))
        for limit in (1, 40, 1000):
            listed = await all_listed(store, limit)
            assert len(listed) == 150
            assert keys_of(listed) == {record.key for record in records}


async def test_a_crowd_that_ends_in_one_millisecond_is_listed_in_parts(shared_server: RawServer) -> None:
    async with started(store_at(shared_server.url, concurrency=1)) as store:
        records = await asyncio.gather(*(created(store) for _ in range(50)))
        assert store.segments is not None
        index = next(iter(store.segments)).expiries
        for at, record in enumerate(sorted(records, key=lambda record: record.key.digest)):
            last = at == 49
            await store.link.request("ZADD", index, records[0].expires_ms + DAY * 1000 + last, record.key.digest)
        listed = await all_listed(store, 7)
        assert [head.key.digest for head in listed] == sorted(record.key.digest for record in records)


async def test_what_cannot_be_read_hides_no_other(store: ValkeyStore) -> None:
    """R-20, R-22: it is counted, and left as it is."""
    damaged, newer, other, vanished, *whole = [await created(store) for _ in range(9)]
    await store.link.request("HSET", record_of(store, damaged), "m", "rubbish")
    await store.link.request("HSET", record_of(store, newer), "m", b"w\xffnew")
    await store.link.request("SET", record_of(store, other), "text")
    await store.link.request("UNLINK", record_of(store, vanished))
    for limit in (1, 100):
        before = (store.trouble.unreadable, store.trouble.too_new)
        assert keys_of(await all_listed(store, limit)) == {record.key for record in whole}
        assert (store.trouble.unreadable, store.trouble.too_new) == (before[0] + 2, before[1] + 1)


async def test_a_list_that_is_refused_is_no_empty_list(store: ValkeyStore) -> None:
    """F-00a."""
    record = await created(store)
    assert store.segments is not None
    await store.link.request("SET", store.segments.of(record.key).expiries, "no index")
    for ask in (store.page(None, 10), store.with_ref(record.key.ref)):
        with pytest.raises(StoreRefused):
            await ask


# -- what happens meanwhile --------------------------------------------------------------------------------------------


@pytest.fixture
def before_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], Awaitable[Any]]], None]:
    """Have something done once a page knows its sessions, and has not read them yet."""

    def put(step: Callable[[], Awaitable[Any]]) -> None:
        read = listing._Look.read

        async def stepping(*args: Any) -> Any:
            monkeypatch.setattr(listing._Look, "read", read)
            await step()
            return await read(*args)

        monkeypatch.setattr(listing._Look, "read", stepping)

    return put


@pytest.mark.parametrize("forward_ms", [0, 10_000])
async def test_a_session_that_moves_before_it_is_read_is_listed_under_its_new_key(
    store: ValkeyStore, before_reading: Callable[[Callable[[], Awaitable[Any]]], None], forward_ms: int
) -> None:
    """S-07: on a later page, or when one looks again; and never under both."""
    records = [await created(store) for _ in range(10)]
    heirs: list[SessionRecord] = []

    async def move() -> None:
        heirs.extend([await moved(store, record, forward_ms=forward_ms) for record in records])

    before_reading(move)
    page = await store.page(None, 100)
    assert page == ([], None)
    assert keys_of(await all_listed(store, 3)) == {heir.key for heir in heirs}


async def test_a_session_that_ends_before_it_is_read_leaves_a_shorter_page(
    store: ValkeyStore, before_reading: Callable[[Callable[[], Awaitable[Any]]], None]
) -> None:
    records = [await created(store) for _ in range(10)]
    ended = records[::2]

    async def end() -> None:
        for record in ended:
            await store.delete(record.key)

    before_reading(end)
    assert keys_of(await all_listed(store, 100)) == {record.key for record in records[1::2]}


async def test_what_ends_between_counting_and_listing_hides_no_other(
    shared_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is 20 sessions of one segment and 5 of the next, and the 20 end before it is filled."""
    async with started(store_at(shared_server.url, concurrency=3)) as store:
        doomed, living = [[await in_segment(store, number) for _ in range(20)] for number in (1, 2)]
        answers = store.sender.answers

        async def answers_and_end(commands: Any, *, deadline: float) -> list[Reply]:
            replies = await answers(commands, deadline=deadline)
            if commands[0][0] == b"ZCOUNT":
                while doomed:
                    await store.delete(doomed.pop())
            return replies

        monkeypatch.setattr(store.sender, "answers", answers_and_end)
        assert sorted(head.key for head in await all_listed(store, 24)) == sorted(living)


async def in_segment(store: ValkeyStore, prefix: int) -> SessionKey:
    """A new session there."""
    key = new_key(prefix)
    assert await store.create(NewSession(key, {}, IDLE * 1000, DAY * 1000))
    return key


async def test_what_has_expired_since_the_page_before_is_not_listed(shared_server: RawServer) -> None:
    """C-16: the cursor stands among what was alive then. Nothing has removed it from the index yet."""
    async with started(store_at(shared_server.url, concurrency=1)) as store:
        records = [await created(store) for _ in range(6)]
        page = await store.page(None, 2)
        assert len((await store.page(page.cursor, 10)).heads) == 4
        await age(store, IDLE + 1)
        assert await store.page(page.cursor, 10) == await store.page(None, 10) == ([], None)
        assert await store.count() == 0
        await store.touch([record.key for record in records])
        assert len((await store.page(page.cursor, 10)).heads) == 6


# -- what it costs -----------------------------------------------------------------------------------------------------


async def test_a_page_is_five_round_trips_and_no_attribute_travels_unasked(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-102: however many sessions there are; and nothing goes through the key space."""
    for at in range(200):
        await created(store, {"small": b"x", "large": bytes(5_000)}, idle=at + 60)
    await bound(store, "ada", {"small": b"x", "large": bytes(5_000)})
    sent: list[PendingRequest] = []
    submit = store.link.submit

    def counted(ticket: PendingRequest) -> asyncio.Future[Reply]:
        sent.append(ticket)
        return submit(ticket)

    before = await traffic(store)
    monkeypatch.setattr(store.link, "submit", counted)
    page = await store.page(None, 100, names=["small"])
    assert len(page.heads) == 100
    assert all(head.attributes == {"small": b"x"} for head in page.heads)
    assert len(sent) == 5
    assert page.cursor is not None
    await store.page(page.cursor, LARGEST_PAGE)
    assert len(sent) == 10
    assert await traffic(store) - before < 100 * 5_000


async def traffic(store: ValkeyStore) -> int:
    """Bytes that the server has sent."""
    told: bytes = await store.link.request("INFO", "stats")
    return int(told.partition(b"total_net_output_bytes:")[2].split()[0])


async def test_a_session_is_found_by_its_ref_in_one_segment(store: ValkeyStore) -> None:
    record = await bound(store, "ada", {"a": b"1", "b": bytes(5_000)})
    await asyncio.gather(*(created(store) for _ in range(300)))
    await store.link.request("CONFIG", "RESETSTAT")
    [head] = await store.with_ref(record.key.ref, names=["a"])
    assert head.attributes == {"a": b"1"}
    calls: bytes = await store.link.request("INFO", "commandstats")
    assert b"cmdstat_zscan:calls=1," in calls
    assert b"cmdstat_hmget:calls=1," in calls
    assert b"cmdstat_scan" not in calls


async def test_a_search_that_meets_another_server_begins_again(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-11: half of the way means nothing to who took over. So it does not say that there is no such session."""
    record = await created(store)
    answers, scans = store.sender.answers, 0

    async def answers_from_another_server(commands: Any, *, deadline: float) -> list[Reply]:
        nonlocal scans
        if commands[0][0] == b"ZSCAN":
            scans += 1
            if scans == 1:
                generation = store.link.generation
                store.link.abandon("the primary is another one")
                while store.link.generation == generation:
                    await store.load(record.key)
                return [[b"0", []]]
        return await answers(commands, deadline=deadline)

    monkeypatch.setattr(store.sender, "answers", answers_from_another_server)
    assert [head.key for head in await store.with_ref(record.key.ref)] == [record.key]
    assert scans == 2
