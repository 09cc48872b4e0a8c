"""What a process remembers of ended sessions (C-15b); what it does with it, `test_failover` shows."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.record import CommitStatus
from wsgessions.store.constants import TOMBSTONE_MS
from wsgessions.stores.valkey.coherence import revocations
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, new_key, successor_of

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock, moved by hand."""
    now = [1000.0]
    monkeypatch.setattr(revocations, "lease_clock", lambda: now[0])
    return now


async def test_what_never_was_is_not_remembered(store: ValkeyStore) -> None:
    """Or made-up ids would drive out what has ended."""
    key = new_key()
    assert not await store.delete(key)
    assert await store.load(key) is None
    assert len(store.revocations) == 0


async def test_an_end_and_a_login_are_remembered_and_a_renewal_is_not(store: ValkeyStore) -> None:
    ended, renewed, logged_in = [await created(store) for _ in range(3)]
    await store.delete(ended.key)
    assert len(store.revocations) == 1
    await store.rotate(change(renewed), successor_of(renewed.key)._replace(forward_ms=60_000))
    assert len(store.revocations) == 1
    outcome = await store.rotate(change(logged_in), successor_of(logged_in.key))
    assert outcome.status is CommitStatus.APPLIED
    assert set(store.revocations._until) == {ended.key, logged_in.key}


async def test_a_login_over_an_id_that_was_just_renewed_ends_both_old_ids(store: ValkeyStore) -> None:
    record = await created(store)
    renewed = successor_of(record.key)._replace(forward_ms=60_000)
    await store.rotate(change(record), renewed)
    await store.rotate(change(record), successor_of(record.key))
    assert set(store.revocations._until) == {record.key, renewed.key}


async def test_an_end_is_forgotten_with_its_tombstone(store: ValkeyStore, seconds: list[float]) -> None:
    first, second = [await created(store) for _ in range(2)]
    await store.delete(first.key)
    seconds[0] += TOMBSTONE_MS / 2000
    await store.delete(second.key)
    seconds[0] += TOMBSTONE_MS / 2000
    store.revocations.note(new_key())
    assert len(store.revocations) == 2
    assert second.key in store.revocations._until


async def test_of_too_many_ends_the_oldest_are_forgotten(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "MOST_REVOCATIONS", 3)
    keys = [new_key() for _ in range(5)]
    for key in (*keys[:3], keys[0], *keys[3:]):
        store.revocations.note(key)
    assert list(store.revocations._until) == [keys[0], *keys[3:]]


async def test_a_store_that_was_restarted_is_told_of_all_ends(shared_server: RawServer) -> None:
    """F-05: an end may be among what a crash of the store has lost."""
    async with started(store_at(shared_server.url)) as store:
        ended = [await created(store) for _ in range(300)]
        name = (await store.segment(ended[0].key, 0)).record(ended[0].key)
        dump = await store.link.request(b"DUMP", name)
        for record in ended:
            await store.delete(record.key)
        await store.link.request(b"RESTORE", name, 0, dump, b"REPLACE")
        store.revocations.see_timeline(b"another history")
        await until(lambda: store.trouble.revived == 1)
        assert await store.load(ended[0].key) is None
        await until(lambda: store.revocations._task is None)
