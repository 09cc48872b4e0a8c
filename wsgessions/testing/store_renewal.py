"""Cases of `StoreSuite`: renewing an id, with a grace in which the old key leads to the new one (S-07)."""

from __future__ import annotations

import asyncio

from ..frozen import replace
from ..record import CommitStatus, NewSession, Place, SessionKey, SessionRecord, Successor
from ..stores.base import Store
from .store_harness import StoreHarness, change, created, number, stored, successor_of

__all__ = ["RenewalCases"]

GRACE = 10
"""Seconds."""


def renewal_of(key: SessionKey) -> Successor:
    """What a session under ``key`` may be renewed to."""
    return successor_of(key)._replace(forward_ms=GRACE * 1000)


async def renewed(store: Store, record: SessionRecord) -> SessionRecord:
    """The session under its new key."""
    to = renewal_of(record.key)
    outcome = await store.rotate(change(record), to)
    assert (outcome.status, outcome.moved) == (CommitStatus.APPLIED, None)
    found = await store.load(to.key)
    assert isinstance(found, SessionRecord)
    return found


def place_of(record: SessionRecord) -> Place:
    return Place(record.key, record.incarnation, record.rotated)


class RenewalCases(StoreHarness):
    """Rotating with a forward."""

    async def test_a_rotation_is_noted_in_the_record(self, store: Store) -> None:
        record = await created(store)
        assert record.rotated == 0
        to = successor_of(record.key)
        outcome = await store.rotate(change(record), to)
        moved = await store.load(to.key)
        assert isinstance(moved, SessionRecord)
        assert moved.rotated == outcome.version
        await store.apply(change(moved, a=b"1"))
        assert (await stored(store, moved)).rotated == outcome.version

    async def test_the_old_key_leads_to_the_renewed_session_until_the_grace_is_over(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        now = await renewed(store, record)
        assert await store.load(record.key) == now
        assert await store.load(record.key, since=record.seen) == now
        await self.advance(store, GRACE + 1)
        assert await store.load(record.key) is None
        assert await store.load(record.key, since=record.seen) is None
        assert (await stored(store, now)).attributes == {"a": b"1"}

    async def test_a_commit_under_the_old_key_reaches_the_renewed_session(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        now = await renewed(store, record)
        await store.apply(replace(change(now, a=b"2"), removed=frozenset({"b"})))
        delta = replace(change(record, c=b"3"), increments={"n": 1})
        outcome = await store.apply(delta)
        assert (outcome.status, outcome.moved) == (CommitStatus.APPLIED, place_of(now))
        assert outcome.changes is not None
        assert outcome.changes.changed == {"a": b"2"}
        assert record.after(delta, outcome) == await stored(store, now)
        again = await store.apply(delta)
        assert (again.version, again.computed) == (outcome.version, {"n": number(1)})

    async def test_a_guard_holds_across_a_renewal(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        now = await renewed(store, record)
        await store.apply(change(now, a=b"2"))
        refused = await store.apply(replace(change(record, a=b"3"), guarded=frozenset({"a"})))
        assert (refused.status, refused.names) == (CommitStatus.CONFLICT, ("a",))

    async def test_after_the_grace_a_commit_under_the_old_key_is_refused(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        now = await renewed(store, record)
        await self.advance(store, GRACE + 1)
        assert (await store.apply(change(record, a=b"2"))).status is CommitStatus.GONE
        assert (await store.rotate(change(record), renewal_of(record.key))).status is CommitStatus.GONE
        assert (await stored(store, now)).attributes == {"a": b"1"}

    async def test_of_parallel_renewals_one_is_carried_out_and_the_others_follow_it(self, store: Store) -> None:
        """S-07: what each of them changed is kept."""
        record = await created(store, {"a": b"1"})
        successors = [renewal_of(record.key) for _ in range(20)]
        outcomes = await asyncio.gather(
            *(store.rotate(change(record, **{f"a{at}": b"1"}), to) for at, to in enumerate(successors))
        )
        assert {outcome.status for outcome in outcomes} == {CommitStatus.APPLIED}
        found = [session for to in successors if (session := await store.load(to.key)) is not None]
        assert len(found) == 1
        assert isinstance(found[0], SessionRecord)
        assert set(found[0].attributes) == {"a", *(f"a{at}" for at in range(20))}
        assert [outcome.moved for outcome in outcomes].count(None) == 1
        assert {outcome.moved for outcome in outcomes} == {None, place_of(found[0])}

    async def test_a_renewal_that_is_sent_twice_is_one(self, store: Store) -> None:
        record = await created(store)
        delta, to = change(record, a=b"1"), renewal_of(record.key)
        first, second = await store.rotate(delta, to), await store.rotate(delta, to)
        assert (second.status, second.version, second.moved) == (CommitStatus.APPLIED, first.version, None)

    async def test_a_rotation_without_grace_leads_nowhere(self, store: Store) -> None:
        """S-07: as after a change of privilege."""
        record = await created(store)
        await store.rotate(change(record), successor_of(record.key))
        assert await store.load(record.key) is None

    async def test_nothing_leads_past_a_later_rotation(self, store: Store) -> None:
        """S-06: be it told to the renewed session or, by one that has not heard of the renewal, to the old one."""
        for knows in (True, False):
            record = await created(store, {"a": b"1"})
            now = await renewed(store, record)
            to = successor_of(record.key)
            outcome = await store.rotate(change(now if knows else record, a=b"2"), to)
            assert (outcome.status, outcome.moved) == (CommitStatus.APPLIED, None)
            last = await store.load(to.key)
            assert isinstance(last, SessionRecord)
            assert last.attributes == {"a": b"2"}
            for old in (record, now):
                assert await store.load(old.key) is None
                assert (await store.apply(change(old, a=b"3"))).status is CommitStatus.GONE

    async def test_nothing_leads_past_a_later_renewal(self, store: Store) -> None:
        """The grace of the one does not add to that of the other."""
        record = await created(store)
        now = await renewed(store, record)
        await renewed(store, now)
        assert await store.load(record.key) is None
        assert (await store.apply(change(record, a=b"3"))).status is CommitStatus.GONE

    async def test_nothing_leads_past_the_end(self, store: Store) -> None:
        """S-62."""
        record = await created(store)
        now = await renewed(store, record)
        assert await store.delete(now.key)
        assert await store.load(record.key) is None
        assert (await store.apply(change(record, a=b"3"))).status is CommitStatus.GONE
        assert (await store.rotate(change(record), renewal_of(record.key))).status is CommitStatus.GONE
        assert not await store.delete(record.key)

    async def test_an_end_under_the_old_key_ends_the_renewed_session(self, store: Store) -> None:
        """S-54: a logout that began before the renewal, and was as slow as it likes."""
        for seconds in (0, GRACE + 1):
            record = await created(store)
            now = await renewed(store, await renewed(store, record))
            await self.advance(store, seconds)
            assert await store.delete(record.key)
            assert await store.load(now.key) is None

    async def test_the_old_key_stays_taken(self, store: Store) -> None:
        """S-09."""
        record = await created(store)
        await renewed(store, record)
        assert await store.create(NewSession(record.key, {}, 1000, 1000)) is None
