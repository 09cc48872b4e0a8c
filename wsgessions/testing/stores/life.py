"""Cases of `StoreSuite`: how sessions are created, read, rotated and ended."""

from __future__ import annotations

from ...record import (
    LONGEST_INTERVAL_MS,
    CommitStatus,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionRecord,
    new_commit_id,
    new_incarnation,
)
from ...record.struct import replace
from ...store.contract import Store
from .harness import DAY, IDLE, StoreHarness, change, created, new_key, stored, successor_of

__all__ = ["LifeCases"]

NAMES = ["plain", "{braces}", "*?[x]", "quote'\"", "nul\0", "line\r\nbreak", "\xff", "ключ", "m", "t", "", " "]


class LifeCases(StoreHarness):
    """Creating, loading, touching, rotating, deleting, expiring."""

    async def test_starting_again_and_closing_twice_do_no_harm(self, store: Store) -> None:
        await store.start()
        record = await created(store)
        assert await stored(store, record) == record
        await store.close()
        await store.close()

    async def test_what_is_created_is_loaded_as_it_was(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": bytes(range(256))})
        assert await store.load(record.key) == record
        assert record.attributes == {"a": b"1", "b": bytes(range(256))}
        assert record.expires_ms == record.created_ms + IDLE * 1000
        assert record.deadline_ms == record.created_ms + DAY * 1000

    async def test_names_and_values_of_any_form_come_back(self, store: Store) -> None:
        """S-89."""
        attributes = {name: name.encode() * 2 for name in NAMES}
        record = await created(store, attributes)
        assert (await stored(store, record)).attributes == attributes
        outcome = await store.apply(change(record, **dict.fromkeys(NAMES, b"new")))
        assert outcome.status is CommitStatus.APPLIED
        assert (await stored(store, record)).attributes == dict.fromkeys(NAMES, b"new")

    async def test_a_session_may_be_empty(self, store: Store) -> None:
        record = await created(store)
        assert (await stored(store, record)).attributes == {}

    async def test_an_unknown_key_is_no_session(self, store: Store) -> None:
        key = new_key()
        assert await store.load(key) is None
        assert await store.load(key, since=Seen(1, 1)) is None
        assert not await store.delete(key)
        assert (await store.apply(SessionDelta(key, 1, 1, {"a": b"1"}))).status is CommitStatus.GONE
        await store.touch([key])
        assert await store.load(key) is None

    async def test_creating_never_overwrites(self, store: Store) -> None:
        """S-09."""
        record = await created(store, {"a": b"1"})
        assert await store.create(NewSession(record.key, {"a": b"2"}, 1000, 1000)) is None
        assert await stored(store, record) == record

    async def test_creating_twice_is_creating_once(self, store: Store) -> None:
        """A repetition is recognised by its incarnation, and returns the present state of the session (C-9)."""
        new = NewSession(new_key(), {"a": b"1"}, IDLE * 1000, DAY * 1000)
        record = await store.create(new)
        assert record is not None
        assert await store.create(new) == record
        await store.apply(change(record, a=b"2"))
        again = await store.create(new)
        assert again is not None
        assert again.attributes == {"a": b"2"}

    async def test_a_caller_that_is_up_to_date_is_told_of_no_changes(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        changes = await store.load(record.key, since=record.seen)
        assert isinstance(changes, SessionChanges)
        assert changes == SessionChanges(record.version, record.interval_ms, record.expires_ms)
        assert record.merged(changes) == record

    async def test_a_caller_is_told_what_has_changed_since(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(change(record, b=b"2", c=b"2"))
        changes = await store.load(record.key, since=record.seen)
        assert isinstance(changes, SessionChanges)
        assert changes.changed == {"b": b"2", "c": b"2"}
        assert changes.live is None
        assert record.merged(changes) == await stored(store, record)

    async def test_a_caller_is_told_what_has_been_removed_since(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(replace(change(record), removed=frozenset({"a", "never there"})))
        changes = await store.load(record.key, since=record.seen)
        assert isinstance(changes, SessionChanges)
        assert changes.live == frozenset({"b"})
        now = await stored(store, record)
        assert record.merged(changes) == now
        later = await store.load(record.key, since=now.seen)
        assert isinstance(later, SessionChanges)
        assert later.live is None

    async def test_a_caller_from_elsewhere_is_given_the_whole_session(self, store: Store) -> None:
        """Another incarnation, or a version of a timeline that is lost (C-8, C-12)."""
        record = await created(store, {"a": b"1"})
        assert await store.load(record.key, since=Seen(record.incarnation ^ 1, record.version)) == record
        assert await store.load(record.key, since=Seen(record.incarnation, record.version + 1)) == record

    async def test_a_touch_starts_the_idle_time_anew(self, store: Store) -> None:
        """S-52."""
        record = await created(store)
        await self.advance(store, IDLE - 60)
        await store.touch([record.key])
        await self.advance(store, IDLE - 60)
        assert (await stored(store, record)).version == record.version

    async def test_many_sessions_are_touched_at_once(self, store: Store) -> None:
        records = [await created(store) for _ in range(150)]
        await self.advance(store, IDLE - 60)
        await store.touch({record.key for record in records})
        await self.advance(store, IDLE - 60)
        for record in records:
            assert await store.load(record.key)

    async def test_an_idle_session_expires(self, store: Store) -> None:
        """S-52."""
        record = await created(store)
        await self.advance(store, IDLE + 60)
        assert await store.load(record.key) is None
        assert await store.load(record.key, since=record.seen) is None

    async def test_an_expired_session_is_beyond_touch_and_change(self, store: Store) -> None:
        record = await created(store)
        await self.advance(store, IDLE + 60)
        await store.touch([record.key])
        assert (await store.apply(change(record, a=b"1"))).status is CommitStatus.GONE
        assert not await store.delete(record.key)
        assert await store.load(record.key) is None

    async def test_a_commit_starts_the_idle_time_anew(self, store: Store) -> None:
        record = await created(store)
        await self.advance(store, IDLE - 60)
        assert (await store.apply(change(record, a=b"1"))).status is CommitStatus.APPLIED
        await self.advance(store, IDLE - 60)
        assert await store.load(record.key)

    async def test_nothing_extends_a_session_beyond_its_deadline(self, store: Store) -> None:
        """S-53."""
        record = await created(store, life=2 * IDLE - 120)
        await self.advance(store, IDLE - 60)
        outcome = await store.apply(change(record, a=b"1"))
        assert outcome.expires_ms < (await stored(store, record)).version // 1000 + IDLE * 1000
        await store.touch([record.key])
        await self.advance(store, IDLE - 30)
        assert await store.load(record.key) is None
        assert (await store.apply(change(record, a=b"1"))).status is CommitStatus.GONE

    async def test_without_idle_timeout_only_the_deadline_counts(self, store: Store) -> None:
        record = await created(store, idle=0)
        assert record.expires_ms == record.deadline_ms
        await self.advance(store, DAY - 60)
        await store.touch([record.key])
        assert await store.load(record.key)
        await self.advance(store, 120)
        assert await store.load(record.key) is None

    async def test_a_commit_may_shorten_the_idle_timeout(self, store: Store) -> None:
        """Only a commit may (C-16)."""
        record = await created(store)
        outcome = await store.apply(replace(change(record), interval_ms=60_000))
        assert outcome.expires_ms < record.expires_ms
        assert (await stored(store, record)).interval_ms == 60_000
        await self.advance(store, 90)
        assert await store.load(record.key) is None

    async def test_the_longest_idle_timeout_is_kept(self, store: Store) -> None:
        """R-20: no session counts as damaged because of its long idle timeout."""
        record = await created(store, {"a": b"1"})
        outcome = await store.apply(replace(change(record), interval_ms=LONGEST_INTERVAL_MS))
        assert outcome.expires_ms == record.deadline_ms
        changed = await stored(store, record)
        assert (changed.interval_ms, changed.attributes.raw) == (LONGEST_INTERVAL_MS, {"a": b"1"})
        assert (await store.apply(change(changed, a=b"2"))).status is CommitStatus.APPLIED

    async def test_a_deleted_session_stays_deleted(self, store: Store) -> None:
        """S-62, K-08: neither a change nor a creation nor a touch that comes late brings it back."""
        record = await created(store, {"a": b"1"})
        assert await store.delete(record.key)
        assert not await store.delete(record.key)
        assert (await store.apply(change(record, a=b"2"))).status is CommitStatus.GONE
        assert (await store.rotate(change(record), successor_of(record.key))).status is CommitStatus.GONE
        await store.touch([record.key])
        assert await store.create(NewSession(record.key, {}, 1000, 1000)) is None
        assert await store.create(NewSession(record.key, {}, 1000, 1000, record.incarnation)) is None
        assert await store.load(record.key) is None

    async def test_a_rotation_moves_the_session_to_its_successor(self, store: Store) -> None:
        """S-06: creation time, deadline and attributes are kept; the old key answers as if there were nothing."""
        record = await created(store, {"a": b"1", "b": b"1"})
        delta = replace(change(record, a=b"2", c=b"2"), removed=frozenset({"b"}))
        to = successor_of(record.key)
        outcome = await store.rotate(delta, to)
        assert outcome.status is CommitStatus.APPLIED
        assert outcome.version > record.version
        moved = await store.load(to.key)
        assert isinstance(moved, SessionRecord)
        assert moved == record.after(delta, outcome, to)
        assert moved.created_ms == record.created_ms
        assert moved.deadline_ms == record.deadline_ms
        assert moved.incarnation == to.incarnation
        assert await store.load(record.key) is None
        assert (await store.apply(change(record, a=b"3"))).status is CommitStatus.GONE
        assert await store.create(NewSession(record.key, {}, 1000, 1000)) is None

    async def test_a_moved_session_lives_on_under_its_new_key(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        to = successor_of(record.key)
        await store.rotate(change(record), to)
        moved = await store.load(to.key)
        assert isinstance(moved, SessionRecord)
        assert (await store.apply(change(moved, a=b"2"))).status is CommitStatus.APPLIED
        assert await store.delete(to.key)
        assert await store.load(to.key) is None

    async def test_rotating_twice_is_rotating_once(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        delta, to = change(record), successor_of(record.key)
        first, second = await store.rotate(delta, to), await store.rotate(delta, to)
        assert (second.status, second.version) == (CommitStatus.APPLIED, first.version)
        assert (await store.rotate(replace(delta, commit_id=new_commit_id()), to)).status is CommitStatus.GONE

    async def test_a_rotation_never_overwrites(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        taken = await store.create(NewSession(successor_of(record.key).key, {"a": b"other"}, 10_000, 10_000))
        assert taken is not None
        outcome = await store.rotate(change(record), successor_of(record.key)._replace(key=taken.key))
        assert outcome.status is CommitStatus.CONFLICT
        assert await stored(store, record) == record
        assert (await stored(store, taken)).attributes == {"a": b"other"}

    async def test_another_incarnation_is_another_session(self, store: Store) -> None:
        """C-9."""
        record = await created(store, {"a": b"1"})
        delta = replace(change(record, a=b"2"), incarnation=new_incarnation())
        assert (await store.apply(delta)).status is CommitStatus.GONE
        assert await stored(store, record) == record
