"""Cases of `StoreSuite`: callers that have seen a version of a lost timeline."""

from __future__ import annotations

from ...record import CommitStatus, Seen, SessionChanges, StoredAttributes
from ...record.struct import replace
from ...store.constants import COMMITS_REMEMBERED
from ...store.contract import Store
from .harness import StoreHarness, change, created, number, stored, successor_of

__all__ = ["LineageCases"]


class LineageCases(StoreHarness):
    """Whether a version that a caller has seen belongs to this timeline, and the answer if not (C-8, C-12)."""

    async def test_a_base_from_a_lost_timeline_is_told_everything(self, store: Store) -> None:
        """C-12: the caller has seen a version that the store never had."""
        record = await created(store, {"a": b"1", "b": b"1"})
        ahead = replace(record, version=record.version + 1)
        refused = await store.apply(replace(change(ahead, a=b"2"), guarded=frozenset({"a"})))
        assert refused.status is CommitStatus.CONFLICT
        outcome = await store.apply(change(ahead, a=b"2"))
        assert outcome.status is CommitStatus.APPLIED
        assert outcome.changes is not None
        assert outcome.changes.changed == {"b": b"1"}
        assert outcome.changes.live == frozenset({"a", "b"})

    async def test_a_base_between_remembered_versions_is_of_a_lost_timeline(self, store: Store) -> None:
        """C-8, C-12: it is above the oldest that the store remembers, and none of those that followed."""
        record = await created(store, {"a": b"1", "b": b"1"})
        await self.advance(store, 1)
        record = await stored(store, record)
        for value in range(3):
            await store.apply(change(record, b=number(value)))
        lost = replace(record, version=record.version + 1, attributes=StoredAttributes({"a": b"lost", "x": b"lost"}))
        assert await store.load(record.key, since=lost.seen) == await stored(store, record)
        refused = await store.apply(replace(change(lost, a=b"2"), guarded=frozenset({"a"})))
        assert refused.status is CommitStatus.CONFLICT
        assert refused.changes is not None
        assert lost.merged(refused.changes) == await stored(store, record)
        delta = replace(change(lost, c=b"2"), increments={"n": 1})
        outcome = await store.apply(delta)
        assert outcome.changes is not None
        assert outcome.changes.changed == {"a": b"1", "b": number(2)}
        assert outcome.changes.live == frozenset({"a", "b", "c", "n"})
        assert lost.after(delta, outcome) == await stored(store, record)

    async def test_a_base_above_all_versions_yields_to_the_store(self, store: Store) -> None:
        """C-12: also if the clock of the new timeline is so far behind that its versions stay below the lost one."""
        record = await created(store, {"a": b"1"})
        attributes = StoredAttributes({"a": b"lost", "x": b"lost"})
        lost = replace(record, version=record.version + 10**12, attributes=attributes)
        delta = change(lost, b=b"2")
        outcome = await store.apply(delta)
        assert outcome.version < lost.version
        assert lost.after(delta, outcome) == await stored(store, record)

    async def test_every_state_tells_what_was_lost_from_what_is_old(self, store: Store) -> None:
        """C-12: for each origin of the state: created, read, brought up to date, committed, rejected or rotated."""
        record = await created(store, {"a": b"1"})
        told, states = [record.version], [record]
        for value in range(COMMITS_REMEMBERED + 3):
            await self.advance(store, 1)
            base, delta = states[-1], change(states[-1], a=number(value))
            outcome = await store.apply(delta)
            late = replace(change(record, b=number(value)), guarded=frozenset({"a"}))
            refused = await store.apply(late)
            assert refused.changes is not None
            told.append(outcome.version)
            states = [base.after(delta, outcome), record.merged(refused.changes), await stored(store, record)]
            found = await store.load(record.key, since=base.seen)
            assert isinstance(found, SessionChanges)
            states.append(base.merged(found))
            unchanged = await store.load(record.key, since=Seen(record.incarnation, outcome.version))
            assert isinstance(unchanged, SessionChanges)
            states.append(states[0].merged(unchanged))
            for state in states:
                assert state.version == outcome.version
                assert all(state.follows(version) for version in told)
                assert not any(state.follows(version - 1) for version in told[1:][-COMMITS_REMEMBERED:])
                assert not state.follows(outcome.version + 1)

    async def test_a_commit_on_top_of_those_of_others_knows_what_was_lost(self, store: Store) -> None:
        """C-9, C-12: also after a rotation, which keeps the lineage."""
        record = await created(store)
        told = [record.version]
        for value in range(2):
            await self.advance(store, 1)
            told.append((await store.apply(change(record, a=number(value)))).version)
        await self.advance(store, 1)
        delta = change(record, b=b"1")
        outcome = await store.apply(delta)
        after = record.after(delta, outcome)
        await self.advance(store, 1)
        last, to = change(after), successor_of(after.key)
        moved = after.after(last, await store.rotate(last, to), to)
        for state in (after, moved, await stored(store, moved)):
            assert all(state.follows(version) for version in (*told, outcome.version))
            assert not any(state.follows(version - 1) for version in (*told[1:], outcome.version))

    async def test_every_version_that_was_told_is_known(self, store: Store) -> None:
        """Those of creations, of remembered and of forgotten commits, and of rotations."""
        record = await created(store)
        versions = [record.version]
        for value in range(2 * COMMITS_REMEMBERED):
            versions.append((await store.apply(change(record, a=number(value)))).version)
            for version in versions:
                assert isinstance(await store.load(record.key, since=Seen(record.incarnation, version)), SessionChanges)
        to = successor_of(record.key)
        versions.append((await store.rotate(change(record), to)).version)
        for version in versions:
            assert isinstance(await store.load(to.key, since=Seen(to.incarnation, version)), SessionChanges)
