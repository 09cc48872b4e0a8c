"""What is written into the store from elsewhere costs its own session at most, never the link or the others (R-20).

The link carries the requests of all visitors. So nothing that lies in a record or an index may end it, whatever reads
it there: a load, a conditional one, a commit, a list, or the tiers that keep what was read.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.stores.valkey.links import soon
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import drop_orphans, repair_of, shared_server, started, store_at
from wsgessions.cache.lease import Lease
from wsgessions.cache.near_cache import NearCache
from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import CommitStatus, NewSession, RotationTarget, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.stores.valkey.format.principal import member_of
from wsgessions.stores.valkey.format.scripts import HEAD
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import DAY, IDLE, change, created, new_key, stored

__all__ = ["shared_server"]

Writer = Callable[[ValkeyStore, bytes], Awaitable[object]]


@pytest.fixture
async def cache(shared_server: RawServer, tmp_path: Path) -> AsyncIterator[NearCache]:
    """A store with all that keeps what was read."""
    tier = OffHeap(2**20, "foreign", directory=tmp_path)
    cache = NearCache(store_at(shared_server.url), lease=Lease(5.0), max_bytes=10**6, off_heap=tier, audit_share=0.0)
    await cache.start()
    yield cache
    await cache.close()


def below(cache: NearCache) -> ValkeyStore:
    assert isinstance(cache.below, ValkeyStore)
    return cache.below


def place_of(store: ValkeyStore, record: SessionRecord) -> tuple[bytes, bytes]:
    """The names of the record and of the index that it is in."""
    assert store.segments is not None
    segment = store.segments.of(record.key)
    return segment.record(record.key), segment.expiries


def field(name: bytes, value: bytes) -> Writer:
    """A field of the hash, written as our scripts write it, for a state that no cache has seen."""

    async def write(store: ValkeyStore, key: bytes) -> None:
        await store.link.request("HSET", key, name, value)

    return write


def newer(name: bytes) -> Writer:
    """An attribute of this name, written behind the state that is known."""

    async def write(store: ValkeyStore, key: bytes) -> None:
        raw = await store.link.request("HGET", key, "m")
        (version,) = struct.unpack_from(">Q", raw, 10)
        later = raw[:10] + struct.pack(">Q", version + 5) + raw[18:]
        await store.link.request("HSET", key, "m", later, name, struct.pack(">Q", version + 5) + b"\x01")

    return write


async def many_commits(store: ValkeyStore, key: bytes) -> None:
    """Metadata that remember more than a record ever does."""
    raw = await store.link.request("HGET", key, "m")
    await store.link.request("HSET", key, "m", raw[: HEAD.size] + bytes(19) * 10_000)


FOREIGN: dict[str, Writer] = {
    "a name that is not UTF-8": newer(b"a\xff\xfe"),
    "a name with half a character": newer(b"a\xed\xa0\x80"),
    "more commits than are remembered": many_commits,
    "a principal without end": field(b"p", bytes(8) + b"\0\x01" + b"x" * 70_000),
    "a principal with a prefix that no id has": field(b"p", bytes(8) + b"\xff\xffada"),
    "a predecessor without end": field(b"o", b"x" * 300),
    "a rotation without end": field(b"i", b"\xff" * 300),
}


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize("write", FOREIGN.values(), ids=FOREIGN)
async def test_no_record_costs_the_link(
    cache: NearCache, shared_server: RawServer, write: Writer, *, held: bool
) -> None:
    """R-20: the session is gone, or is what can be read of it; the requests of all others go on."""
    store = below(cache)
    async with started(store_at(shared_server.url, namespace=store._namespace)) as elsewhere:
        known = await created(cache if held else elsewhere, {"a": b"1"})
    other = await created(cache, {"b": b"2"})
    name, _ = place_of(store, known)
    await write(store, name)
    await store.link.request("PING")  # the push has come
    for call in (
        cache.load(known.key, since=known.seen),
        cache.load(known.key),
        store.load(known.key, since=known.seen),
        store.load(known.key),
        cache.apply(change(known, c=b"3")),
        store.page(None, 500, names=("a",)),
        store.with_ref(known.key.ref),
    ):
        await call
    assert store.link.generation == 1
    assert await stored(cache, other) == other
    assert (await cache.apply(change(other, b=b"3"))).status is CommitStatus.APPLIED


@pytest.mark.parametrize("name", [b"a\xff\xfe", b"a\xed\xa0\x80"])
async def test_a_commit_that_meets_an_unreadable_attribute_is_told_that_the_session_is_gone(
    cache: NearCache, name: bytes
) -> None:
    """R-20: what cannot be read is no session, in whatever way it is looked at; it is counted."""
    store = below(cache)
    known = await created(cache, {"a": b"1"})
    await newer(name)(store, place_of(store, known)[0])
    before = store.trouble.unreadable
    assert (await store.apply(change(known, c=b"3"))).status is CommitStatus.GONE
    assert await store.load(known.key, since=known.seen) is None
    assert store.trouble.unreadable == before + 2
    assert store.link.generation == 1


@pytest.mark.parametrize("score", ["+inf", "-inf", "1e300", "-5", "0.5"])
async def test_no_score_costs_the_link_or_a_list(cache: NearCache, score: str) -> None:
    """R-28: a score says when idling ends the session, and the deadline ends it in any case."""
    store = below(cache)
    known, other = await created(cache, {"a": b"1"}), await created(cache)
    _, index = place_of(store, known)
    await store.link.request("ZADD", index, score, known.key.digest)
    for found in (await store.load(known.key), await store.load(known.key, since=known.seen)):
        assert found is None or found.expires_ms <= 2**53
    page = await store.page(None, 500)
    assert other.key in {head.key for head in page.heads}
    assert store.link.generation == 1
    assert await stored(cache, other) == other


@pytest.mark.parametrize("member", [b"", b"x", b"\xff\xff" + bytes(16), bytes(40)])
async def test_no_member_keeps_a_segment_from_being_listed(cache: NearCache, member: bytes) -> None:
    """S-102."""
    store = below(cache)
    other = await created(cache)
    _, index = place_of(store, other)
    await store.link.request("ZADD", index, other.expires_ms, member)
    page = await store.page(None, 500)
    assert [head.key for head in page.heads] == [other.key]
    assert [head.key for head in await store.with_ref(other.key.ref)] == [other.key]


@pytest.mark.parametrize("member", [b"", b"x", b"\xff\xff" + bytes(16), bytes(40)])
@pytest.mark.parametrize("score", ["+inf", "-inf", "5"])
async def test_no_member_keeps_a_user_from_being_logged_out(cache: NearCache, member: bytes, score: str) -> None:
    """S-55: what is no member of ours hinders no other, and a score is what it is."""
    store = below(cache)
    new = NewSession(new_key(), {}, interval_ms=IDLE * 1000, lifetime_ms=DAY * 1000, principal="ada")
    known = await store.create(new)
    assert known is not None
    assert store.segments is not None
    index = store.segments.index_of("ada")
    await store.link.request("ZADD", index, score, member)
    assert await store.keys_of("ada") == [known.key]
    await store.link.request("ZADD", index, score, member_of(known.key))
    assert [head.key for head in await store.heads_of("ada", [known.key])] == [known.key]
    again = replace(new, key=new_key(), incarnation=5)
    assert await store.create(again) is not None
    await drop_orphans(store, [index])
    await repair_of(store).step()
    assert {*await store.keys_of("ada")} == {known.key, again.key}


async def test_a_forward_that_leads_in_a_circle_ends(cache: NearCache) -> None:
    """S-07: each old key is followed once."""
    store = below(cache)
    known = await created(cache)
    name, _ = place_of(store, known)
    renewed = RotationTarget(new_key(known.key.prefix), 7, forward_ms=5000)
    assert (await store.rotate(change(known), renewed)).status is CommitStatus.APPLIED
    raw = await store.link.request("HGET", name, "f")
    await store.link.request("HSET", name, "f", known.key.digest + raw[16:])
    assert not await store.was_replaced(known.key, deadline=soon(5.0))
    assert not await store.delete(known.key, deadline=soon(5.0))
    assert await store.load(known.key, deadline=soon(5.0)) is None
