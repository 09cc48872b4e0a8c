"""Cases of `StoreSuite`: renewing an id, so that the old key leads to the new one, and giving one up (S-07)."""

from __future__ import annotations

import asyncio

from ...record import CommitStatus, NewSession, Place, RotationTarget, SessionKey, SessionRecord
from ...record.struct import replace
from ...store.constants import REPLACED_MS
from ...store.contract import Store
from .harness import IDLE, StoreHarness, change, created, new_key, number, stored, successor_of

__all__ = ["RenewalCases"]

GRACE = 10
"""Seconds."""


def renewal_of(key: SessionKey) -> RotationTarget:
    """A target for the renewal of a session under ``key``."""
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
        assert now.renewed_from == record.key.digest
        await store.end_forward([record.key], grace_ms=GRACE * 1000)
        assert await store.load(record.key) == now
        assert await store.load(record.key, since=record.seen) == now
        await self.advance(store, GRACE + 1)
        assert await store.load(record.key) is None
        assert await store.load(record.key, since=record.seen) is None
        assert (await stored(store, now)).attributes == {"a": b"1"}

    async def test_the_old_key_leads_on_until_the_new_one_was_presented(self, store: Store) -> None:
        """C-23: after a lost response a client has no other id, and keeps its session as long as it uses the old
        one.
        """
        record = await created(store, {"a": b"1"})
        now = await renewed(store, record)
        for _ in range(3):
            await self.advance(store, IDLE - 60)
            found = await store.load(record.key)
            assert isinstance(found, SessionRecord)
            assert found.key == now.key
            assert (await store.apply(change(record, a=b"2"))).moved == place_of(now)

    async def test_the_end_of_a_forward_is_never_put_off(self, store: Store) -> None:
        """C-23: each server that gets a request with the new id reports it, and all may do so at any time."""
        record = await created(store)
        await renewed(store, record)
        for grace in (GRACE, 3 * GRACE):
            await store.end_forward([record.key], grace_ms=grace * 1000)
        await self.advance(store, GRACE + 1)
        await store.end_forward([record.key], grace_ms=GRACE * 1000)
        assert await store.load(record.key) is None

    async def test_the_end_of_a_forward_that_is_none_changes_nothing(self, store: Store) -> None:
        record, rotated = await created(store, {"a": b"1"}), await created(store)
        await store.rotate(change(rotated), successor_of(rotated.key))
        await store.end_forward([record.key, rotated.key, new_key()], grace_ms=GRACE * 1000)
        assert await stored(store, record) == record
        assert await store.load(rotated.key) is None

    async def test_a_forward_is_told_by_the_session_until_its_id_is_another(self, store: Store) -> None:
        """C-23."""
        record = await created(store)
        now = await renewed(store, record)
        outcome = await store.apply(delta := change(now, a=b"1"))
        assert now.after(delta, outcome).renewed_from == record.key.digest
        assert (await stored(store, now)).renewed_from == record.key.digest
        to = successor_of(now.key)
        outcome = await store.rotate(delta := change(now), to)
        assert now.after(delta, outcome, to).renewed_from == b""
        last = await store.load(to.key)
        assert isinstance(last, SessionRecord)
        assert last.renewed_from == b""

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
        await store.end_forward([record.key], grace_ms=GRACE * 1000)
        await self.advance(store, GRACE + 1)
        assert (await store.apply(change(record, a=b"2"))).status is CommitStatus.GONE
        assert (await store.rotate(change(record), renewal_of(record.key))).status is CommitStatus.GONE
        assert (await stored(store, now)).attributes == {"a": b"1"}

    async def test_of_parallel_renewals_one_is_carried_out_and_the_others_follow_it(self, store: Store) -> None:
        """S-07: the changes of each of them are kept."""
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
        """S-06: the rotation may come under the renewed key or, from a server without the renewal, under the old
        one.
        """
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
        """The graces of the two do not add up."""
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
        """S-54: a logout that began before the renewal, with any delay."""
        for seconds in (0, GRACE + 1):
            record = await created(store)
            now = await renewed(store, await renewed(store, record))
            await store.end_forward([record.key], grace_ms=GRACE * 1000)
            await self.advance(store, seconds)
            assert await store.delete(record.key)
            assert await store.load(now.key) is None

    async def test_the_old_key_stays_taken(self, store: Store) -> None:
        """S-09."""
        record = await created(store)
        await renewed(store, record)
        assert await store.create(NewSession(record.key, {}, 1000, 1000)) is None

    async def test_an_id_that_its_client_gave_up_is_known_as_such_for_some_seconds(self, store: Store) -> None:
        """C-24: at a login, and at a logout."""
        rotated, ended = await created(store), await created(store)
        await store.rotate(change(rotated), successor_of(rotated.key))
        await store.delete(ended.key, by_client=True)
        for old in (rotated, ended):
            assert await store.was_replaced(old.key)
        await self.advance(store, REPLACED_MS / 1000 + 1)
        for old in (rotated, ended):
            assert not await store.was_replaced(old.key)

    async def test_other_ids_were_not_replaced(self, store: Store) -> None:
        """C-24: not for an id that is live, was renewed, was ended by others or was never known."""
        living, old, ended = await created(store), await created(store), await created(store)
        now = await renewed(store, old)
        await store.delete(ended.key)
        for key in (living.key, old.key, now.key, ended.key, new_key()):
            assert not await store.was_replaced(key)

    async def test_an_id_that_was_given_up_after_its_renewal_was_replaced(self, store: Store) -> None:
        """C-24: a logout under the old id ends the session under the new one; a login replaces both."""
        record, other = await created(store), await created(store)
        now, there = await renewed(store, record), await renewed(store, other)
        await store.delete(record.key, by_client=True)
        await store.rotate(change(there), successor_of(there.key))
        for key in (record.key, now.key, other.key, there.key):
            assert await store.was_replaced(key)

    async def test_when_a_client_gave_an_id_up_is_not_put_off_by_a_repetition(self, store: Store) -> None:
        """C-24: the request to log out may be sent again and again, and others may end the session too."""
        first, later = await created(store), await created(store)
        await store.delete(first.key, by_client=True)
        await store.delete(later.key)
        await self.advance(store, REPLACED_MS / 1000 - 1)
        for ended in (first, later):
            await store.delete(ended.key, by_client=True)
            await store.delete(ended.key)
        assert await store.was_replaced(first.key)
        await self.advance(store, 2)
        assert not await store.was_replaced(first.key)
        assert not await store.was_replaced(later.key)

    async def test_nothing_is_noted_of_an_id_that_was_never_known(self, store: Store) -> None:
        """C-24, S-50: made-up ids would fill the store."""
        made_up = new_key()
        assert not await store.delete(made_up, by_client=True)
        assert not await store.was_replaced(made_up)

    async def test_no_repetition_of_a_rotation_puts_off_when_the_id_was_given_up(self, store: Store) -> None:
        """C-23, C-24: a rotation of unknown outcome is repeated, and was carried out the first time."""
        record = await created(store)
        delta, to = change(record), successor_of(record.key)
        await store.rotate(delta, to)
        await self.advance(store, REPLACED_MS / 1000 + 1)
        assert (await store.rotate(delta, to)).status is CommitStatus.APPLIED
        assert not await store.was_replaced(record.key)
