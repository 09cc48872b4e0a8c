"""Callers and copies that rest on commits which the server has lost, in a failover or by an old dump (C-8, C-12)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.stores.valkey.caching_node import caching_node
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.sessions.test_commit_script import resend, segment_of
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.record import CommitStatus, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.store.constants import COMMITS_REMEMBERED
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, number, stored

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


class Histories:
    """A record whose server lost its latest commits in a failover, as put together from an older dump of it."""

    def __init__(self, store: ValkeyStore, record: SessionRecord) -> None:
        self._store = store
        self._record = record
        self._name = segment_of(store, record.key).record(record.key)

    async def commit(self, **changed: bytes) -> SessionRecord:
        """The session after one more commit."""
        await self._store.apply(change(await stored(self._store, self._record), **changed))
        return await stored(self._store, self._record)

    async def losing(self, meanwhile: Callable[[], Awaitable[None]] | None = None, **changed: bytes) -> SessionRecord:
        """The session after a commit that the present history does not have; ``meanwhile`` somebody may see it."""
        dump = await self._store.link.request("DUMP", self._name)
        lost = await self.commit(**changed)
        if meanwhile is not None:
            await meanwhile()
        await self._store.link.request("RESTORE", self._name, 0, dump, "REPLACE")
        return lost


@pytest.mark.parametrize("before", [0, 1, COMMITS_REMEMBERED, COMMITS_REMEMBERED + 3])
async def test_a_view_of_a_lost_history_is_replaced_by_the_present_one(store: ValkeyStore, before: int) -> None:
    """C-8, C-12: the version of the view is above its base and below what followed in the present history."""
    record = await created(store, {"a": b"1", "b": b"1"})
    history = Histories(store, record)
    for value in range(before):
        await history.commit(n=number(value))
    lost = await history.losing(a=b"lost", x=b"lost")
    present = await history.commit(b=b"2")
    assert lost.version < present.version
    assert await store.load(record.key, since=lost.seen) == present
    delta = change(lost, c=b"3")
    outcome = await store.apply(delta)
    assert lost.after(delta, outcome) == await stored(store, record)
    assert (await stored(store, record)).attributes == {**present.attributes.raw, "c": b"3"}


async def test_a_guard_does_not_rest_on_a_lost_history(store: ValkeyStore) -> None:
    """C-10: what the caller has seen of the attribute is lost, so that it must look again."""
    record = await created(store, {"a": b"1"})
    history = Histories(store, record)
    lost = await history.losing(a=b"lost")
    present = await history.commit(b=b"2")
    refused = await store.apply(replace(change(lost, a=b"2"), guarded=frozenset({"a"})))
    assert (refused.status, refused.names) == (CommitStatus.CONFLICT, ("a",))
    assert refused.changes is not None
    assert lost.merged(refused.changes) == present


async def test_a_resend_from_a_lost_history_is_told_all_of_the_present_one(store: ValkeyStore) -> None:
    """C-9, C-12: whether its first sending reached the present history or not."""
    record = await created(store, {"a": b"1"})
    history = Histories(store, record)
    lost = await history.losing(a=b"lost", x=b"lost")
    await history.commit(b=b"2")
    for _ in range(2):
        delta = replace(change(lost, c=b"3"), commit_id=b"commit 1")
        outcome = await resend(store, delta)
        assert lost.after(delta, outcome) == await stored(store, record)


@pytest.mark.parametrize("guarded", [frozenset(), frozenset({"b"})], ids=["applied", "refused"])
async def test_what_a_commit_tells_is_not_merged_into_a_copy_of_a_lost_history(
    store: ValkeyStore, shared_server: RawServer, guarded: frozenset[str]
) -> None:
    """C-9: the base of the commit is of the present history, and the copy, younger than it, is not."""
    async with caching_node(shared_server.url, namespace=store._namespace) as node:
        cache = node.cache
        record = await created(store, {"a": b"1"})
        history = Histories(store, record)

        async def see() -> None:
            await cache.load(record.key)

        lost = await history.losing(see, a=b"lost", x=b"lost")
        assert cache.get_base(record.key) == lost
        await history.commit(b=b"2")
        outcome = await cache.apply(replace(change(record, b=b"3", c=b"3"), guarded=guarded))
        assert (outcome.status is CommitStatus.CONFLICT) == bool(guarded)
        assert cache.get_base(record.key) in (None, await stored(store, record))
        assert await cache.load(record.key) == await stored(store, record)
