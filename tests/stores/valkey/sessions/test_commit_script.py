"""What the commit script promises beyond the contract of stores: resends, and what it reads (C-3, C-9, F-04, F-26)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.stores.valkey.links import LATER, at, soon, until
from tests.stores.valkey.links import started as started_link
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.record import CommitOutcome, CommitStatus, RotationTarget, SessionDelta, SessionKey, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.store.constants import COMMITS_REMEMBERED
from wsgessions.stores.valkey.client.requests import Argument, ScriptCall
from wsgessions.stores.valkey.format import scripts
from wsgessions.stores.valkey.format.segments import Segment
from wsgessions.stores.valkey.format.session_scripts import COMMIT
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, new_key, number, stored, successor_of

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


def segment_of(store: ValkeyStore, key: SessionKey) -> Segment:
    assert store.segments is not None
    return store.segments.of(key)


def script_call(
    store: ValkeyStore, delta: SessionDelta, to: RotationTarget | None = None, *, resend: bool
) -> tuple[list[Argument], list[Argument]]:
    """Keys and arguments."""
    segment = segment_of(store, delta.key)
    keys: list[Argument] = [segment.record(delta.key), segment.expiries]
    if to is not None:
        keys.append(segment.record(to.key))
    return keys, [*scripts.pack_commit(delta, to, grace_ms=store.grace_ms, resend=resend, not_after=LATER)]


async def resend(store: ValkeyStore, delta: SessionDelta, to: RotationTarget | None = None) -> CommitOutcome:
    """Send a commit marked as sent again, whether or not it was sent before."""
    keys, args = script_call(store, delta, to, resend=True)
    return scripts.read_outcome(delta, await store.link.call(COMMIT, keys, args))


def adding(record: SessionRecord) -> SessionDelta:
    return replace(change(record), increments={"n": 1})


async def others_commit(store: ValkeyStore, record: SessionRecord, times: int) -> None:
    for value in range(times):
        await store.apply(change(record, other=number(value)))


async def test_a_resend_of_what_was_applied_is_answered_as_the_first_time(store: ValkeyStore) -> None:
    record = await created(store)
    delta = adding(record)
    first = await store.apply(delta)
    await others_commit(store, record, COMMITS_REMEMBERED - 1)
    again = await resend(store, delta)
    assert (again.status, again.version, again.computed) == (CommitStatus.APPLIED, first.version, {"n": number(1)})
    assert again.changes is not None
    assert again.changes.changed == {"other": number(COMMITS_REMEMBERED - 2)}


async def test_a_resend_of_what_never_arrived_is_applied(store: ValkeyStore) -> None:
    record = await created(store)
    await others_commit(store, record, COMMITS_REMEMBERED - 1)
    outcome = await resend(store, adding(record))
    assert (outcome.status, outcome.computed) == (CommitStatus.APPLIED, {"n": number(1)})


async def test_a_resend_that_comes_too_late_to_tell_is_unknown_and_not_applied(store: ValkeyStore) -> None:
    """C-9: be it that the first sending was applied, or that it was not."""
    record = await created(store)
    delta = adding(record)
    await store.apply(delta)
    await others_commit(store, record, COMMITS_REMEMBERED)
    assert (await resend(store, delta)).status is CommitStatus.UNKNOWN
    assert (await resend(store, adding(record))).status is CommitStatus.UNKNOWN
    assert (await stored(store, record)).attributes["n"] == number(1)


async def test_a_late_commit_that_is_no_resend_is_applied(store: ValkeyStore) -> None:
    record = await created(store)
    await others_commit(store, record, 3 * COMMITS_REMEMBERED)
    assert (await store.apply(adding(record))).status is CommitStatus.APPLIED


async def test_a_first_sending_that_arrives_after_its_resend_is_not_applied(store: ValkeyStore) -> None:
    """F-04: a server that stood still finds both in its sockets, in any order."""
    record = await created(store)
    delays = [adding(record) for _ in range(3)]
    for delta in delays:
        await resend(store, delta)
    await others_commit(store, record, 2 * COMMITS_REMEMBERED)
    for delta in delays:
        assert (await store.apply(delta, deadline=soon(0.1))).status is CommitStatus.UNKNOWN
    assert (await stored(store, record)).attributes["n"] == number(3)


async def test_a_resend_after_the_session_has_ended_tells_what_became_of_it(store: ValkeyStore) -> None:
    record = await created(store)
    applied, never_arrived = adding(record), adding(record)
    first = await store.apply(applied)
    await store.delete(record.key)
    again = await resend(store, applied)
    assert (again.status, again.version, again.computed) == (CommitStatus.APPLIED, first.version, first.computed)
    assert (await resend(store, never_arrived)).status is CommitStatus.GONE


async def test_a_resend_after_a_rotation_tells_what_became_of_it(store: ValkeyStore) -> None:
    record = await created(store)
    applied, rotation, to = adding(record), change(record), successor_of(record.key)
    await store.apply(applied)
    first = await store.rotate(rotation, to)
    assert (await resend(store, applied)).status is CommitStatus.APPLIED
    again = await resend(store, rotation, to)
    assert (again.status, again.version) == (CommitStatus.APPLIED, first.version)
    assert (await resend(store, adding(record))).status is CommitStatus.GONE


@pytest.mark.parametrize("stale", [False, True])
async def test_a_rotation_sent_again_after_the_end_is_told_where_the_state_it_led_to_is_known(
    store: ValkeyStore, stale: bool
) -> None:
    """What others had committed since its base has ended with the session, see `Store.rotate`."""
    record = await created(store)
    if stale:
        await store.apply(adding(record))
    rotation, to = adding(record), successor_of(record.key)
    first = await store.rotate(rotation, to)
    await store.delete(to.key)
    again = await store.rotate(rotation, to)
    assert (first.status, again.status) == (CommitStatus.APPLIED, CommitStatus.GONE if stale else CommitStatus.APPLIED)


async def test_a_resend_to_what_has_vanished_is_unknown(store: ValkeyStore) -> None:
    """Neither record nor tombstone is there to tell."""
    nowhere = SessionDelta(new_key(), 1, 1, {"a": b"1"})
    assert (await resend(store, nowhere)).status is CommitStatus.UNKNOWN
    assert (await store.apply(nowhere)).status is CommitStatus.GONE


async def test_the_memory_for_resends_lapses(store: ValkeyStore) -> None:
    record = await created(store)
    name = segment_of(store, record.key).record(record.key)
    await resend(store, adding(record))
    await store.link.request("HSET", name, "r", bytes(16))  # an entry from long ago
    await resend(store, adding(record))
    assert len(await store.link.request("HGET", name, "r")) == 16


class Pushes:
    """A connection with tracking on, and the keys that it was told about."""

    def __init__(self, url: str) -> None:
        self.keys: list[bytes] = []
        self.link = at(url, on_push=self._take, on_connect=self._track)

    def _take(self, push: list[Any]) -> None:
        self.keys += push[1] or [b"everything"]

    async def _track(self, commands: Any) -> None:
        await commands.request("CLIENT", "TRACKING", "ON", "OPTIN", "NOLOOP")

    async def commit(self, store: ValkeyStore, delta: SessionDelta, to: RotationTarget | None = None) -> CommitOutcome:
        keys, args = script_call(store, delta, to, resend=False)
        tracked: list[Sequence[Argument] | ScriptCall] = [("CLIENT", "CACHING", "YES"), ScriptCall(COMMIT, keys, args)]
        _, reply = await self.link.pipeline(tracked)
        return scripts.read_outcome(delta, reply)


async def test_a_tracked_commit_stays_subscribed_to_its_record_and_to_nothing_else(
    store: ValkeyStore, shared_server: RawServer
) -> None:
    """C-3, C-3b, fact 5: also after several commits; writes to the index are never pushed."""
    record, pushes = await created(store), Pushes(shared_server.url)
    segment = segment_of(store, record.key)
    async with started_link(pushes.link):
        for value in range(3):
            await pushes.commit(store, change(record, a=number(value)))
        await store.touch([record.key])
        await store.link.request("ZADD", segment.expiries, 1, b"x" * 16)
        await pushes.link.request("PING")
        assert pushes.keys == []
        await store.apply(change(record, a=b"2"))
        await until(lambda: pushes.keys == [segment.record(record.key)])


async def test_a_tracked_rotation_subscribes_to_the_successor(store: ValkeyStore, shared_server: RawServer) -> None:
    record = await created(store, {"a": b"1"})
    to = successor_of(record.key)
    pushes = Pushes(shared_server.url)
    async with started_link(pushes.link):
        await pushes.commit(store, change(record), to)
        assert pushes.keys == []
        moved = await store.load(to.key)
        assert isinstance(moved, SessionRecord)
        await store.apply(change(moved, a=b"2"))
        await until(lambda: pushes.keys == [segment_of(store, to.key).record(to.key)])
