"""A tombstone that leads to the successor, as it lies in the server and as near caches see it (S-07)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.caching_node import caching_node
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.cache.near_cache import NearCache
from wsgessions.record import CommitStatus, SessionKey, SessionRecord
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import IDLE, change, created, stored
from wsgessions.testing.stores.renewal import renewal_of, renewed

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


@pytest.fixture
async def cache(store: ValkeyStore, shared_server: RawServer) -> AsyncIterator[NearCache]:
    """Of another node with the sessions of ``store``."""
    async with caching_node(shared_server.url, namespace=store._namespace) as node:
        yield node.cache


def has(cache: NearCache, key: SessionKey) -> bool:
    return cache.get_base(key) is not None


def name_of(store: ValkeyStore, key: SessionKey) -> bytes:
    assert store.segments is not None
    return store.segments.of(key).record(key)


async def test_a_session_that_is_read_by_its_old_key_is_cached_under_its_new_one(
    store: ValkeyStore, cache: NearCache
) -> None:
    record = await created(store, {"a": b"1"})
    now = await renewed(store, record)
    found = await cache.load(record.key)
    assert isinstance(found, SessionRecord)
    assert found.key == now.key
    assert (has(cache, record.key), has(cache, now.key)) == (False, True)
    assert cache.lookup(record.key, found.seen) is None


async def test_a_copy_under_the_old_key_is_not_served_once_another_node_has_renewed_the_id(
    store: ValkeyStore, cache: NearCache
) -> None:
    record = await created(store, {"a": b"1"})
    await cache.load(record.key)
    assert has(cache, record.key)
    now = await renewed(store, record)
    await until(lambda: cache.lookup(record.key, record.seen) is None)
    found = await cache.load(record.key)
    assert isinstance(found, SessionRecord)
    assert found.seen == now.seen
    assert not has(cache, record.key)


async def test_a_commit_that_is_sent_on_leaves_no_copy_under_the_old_key(store: ValkeyStore, cache: NearCache) -> None:
    record = await created(store, {"a": b"1"})
    await cache.load(record.key)
    now = await renewed(store, record)
    outcome = await cache.apply(change(record, a=b"2"))
    assert outcome.status is CommitStatus.APPLIED
    assert not has(cache, record.key)
    found = await cache.load(record.key)
    assert isinstance(found, SessionRecord)
    assert (found.key, found.attributes.raw) == (now.key, {"a": b"2"})


async def test_a_renewal_on_a_caching_node_keeps_the_copy_under_the_new_key(
    store: ValkeyStore, cache: NearCache
) -> None:
    """C-9: the next request with the new id is served from memory."""
    record = await created(store, {"a": b"1"})
    await cache.load(record.key)
    to = renewal_of(record.key)
    delta = change(record, a=b"2")
    after = record.after(delta, await cache.rotate(delta, to), to)
    assert not has(cache, record.key)
    assert cache.get_base(to.key) == after


@pytest.mark.parametrize("damage", [b"", b"x", bytes(31), bytes(33)])
async def test_a_damaged_forward_leads_nowhere(store: ValkeyStore, damage: bytes) -> None:
    """R-20."""
    record = await created(store, {"a": b"1"})
    now = await renewed(store, record)
    await store.link.request("HSET", name_of(store, record.key), "f", damage)
    assert await store.load(record.key) is None
    assert await store.load(record.key, since=record.seen) is None
    assert (await store.apply(change(record, a=b"2"))).status is CommitStatus.GONE
    assert not await store.delete(record.key)
    assert await stored(store, now) == now


async def test_the_tombstone_lapses_as_every_tombstone(store: ValkeyStore) -> None:
    """K-10: fifteen minutes after it leads nowhere any more, or, with none that use it, after the session has ended."""
    record = await created(store)
    await renewed(store, record)
    idle_ms, name = IDLE * 1000, name_of(store, record.key)
    assert idle_ms + 14 * 60_000 < await store.link.request("PTTL", name) <= idle_ms + 15 * 60_000
    await store.end_forward([record.key], grace_ms=1000)
    assert 14 * 60_000 < await store.link.request("PTTL", name) <= 15 * 60_000 + 1000
