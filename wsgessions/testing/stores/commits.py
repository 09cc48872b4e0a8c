"""Cases of `StoreSuite`: the effects of a commit, alone and with concurrent ones."""

from __future__ import annotations

import asyncio

import pytest

from ...record import CommitStatus, SessionChanges, new_commit_id
from ...record.struct import replace
from ...store.constants import COMMITS_REMEMBERED, EXACT
from ...store.contract import Store
from .harness import StoreHarness, change, created, number, stored, successor_of

__all__ = ["CommitCases"]

PARALLEL = 100


class CommitCases(StoreHarness):
    """Applying deltas."""

    async def test_a_commit_changes_what_it_names_and_nothing_else(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1", "c": b"1"})
        delta = replace(change(record, a=b"2", d=b"2"), removed=frozenset({"b"}))
        outcome = await store.apply(delta)
        assert outcome.status is CommitStatus.APPLIED
        assert outcome.previous == record.version
        assert outcome.changes is None
        assert outcome.overwritten == ()
        now = await stored(store, record)
        assert now.attributes == {"a": b"2", "c": b"1", "d": b"2"}
        assert now == record.after(delta, outcome)

    async def test_a_commit_may_name_thousands_of_attributes(self, store: Store) -> None:
        many = {f"a{place}": b"1" for place in range(8000)}
        record = await created(store, many)
        assert (await stored(store, record)).attributes == many
        await store.apply(change(record, **dict.fromkeys(many, b"2")))
        assert (await stored(store, record)).attributes == dict.fromkeys(many, b"2")
        added = replace(change(record), increments=dict.fromkeys(many, 0.5), removed=frozenset(many))
        assert (await store.apply(added)).computed == dict.fromkeys(many, number(0.5))
        assert (await store.apply(added)).computed == dict.fromkeys(many, number(0.5))
        await store.apply(replace(change(record, left=b"3"), removed=frozenset(many)))
        assert (await stored(store, record)).attributes == {"left": b"3"}

    async def test_versions_grow_with_every_commit(self, store: Store) -> None:
        """K-04, C-8."""
        record = await created(store)
        versions = [record.version]
        for value in range(50):
            outcome = await store.apply(change(record, a=number(value)))
            assert outcome.previous == versions[-1]
            versions.append(outcome.version)
        assert versions == sorted(set(versions))
        assert (await stored(store, record)).version == versions[-1]

    async def test_an_empty_commit_is_a_use(self, store: Store) -> None:
        record = await created(store, {"a": b"1"})
        outcome = await store.apply(change(record))
        assert outcome.status is CommitStatus.APPLIED
        assert (await stored(store, record)).attributes == {"a": b"1"}

    async def test_a_late_commit_is_told_what_others_did(self, store: Store) -> None:
        """C-9: their attributes, and not its own."""
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(replace(change(record, a=b"2"), increments={"n": 2}))
        delta = replace(change(record, b=b"3"), increments={"n": 3})
        outcome = await store.apply(delta)
        assert outcome.changes is not None
        assert outcome.changes.changed == {"a": b"2"}
        assert outcome.changes.live is None
        assert outcome.computed == {"n": number(5)}
        assert record.after(delta, outcome) == await stored(store, record)

    async def test_a_late_commit_is_told_what_others_removed(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1", "c": b"1"})
        await store.apply(replace(change(record), removed=frozenset({"a"})))
        delta = replace(change(record, d=b"2"), removed=frozenset({"c"}))
        outcome = await store.apply(delta)
        assert outcome.changes is not None
        assert outcome.changes.live == frozenset({"b", "d"})
        assert record.after(delta, outcome) == await stored(store, record)

    async def test_a_removal_of_ones_own_is_no_news(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        outcome = await store.apply(replace(change(record), removed=frozenset({"a"})))
        assert outcome.changes is None
        late = await store.apply(replace(change(record), removed=frozenset({"b"}), base=record.version))
        assert late.changes is not None
        assert late.changes.live == frozenset()

    async def test_a_removal_of_ones_own_among_commits_of_others_is_no_news(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(change(record, b=b"2"))
        outcome = await store.apply(replace(change(record), removed=frozenset({"a"})))
        assert outcome.changes is not None
        assert outcome.changes.live is None

    async def test_the_last_write_wins_and_is_told_so(self, store: Store) -> None:
        """C-10."""
        record = await created(store, {"a": b"1", "b": b"1", "c": b"1"})
        await store.apply(change(record, a=b"2", b=b"2"))
        outcome = await store.apply(replace(change(record, a=b"3", c=b"3"), removed=frozenset({"b"})))
        assert set(outcome.overwritten) == {"a", "b"}
        assert (await stored(store, record)).attributes == {"a": b"3", "c": b"3"}

    async def test_a_guard_refuses_what_would_overwrite(self, store: Store) -> None:
        """C-10: no part of the commit is applied, and the caller gets the present values."""
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(change(record, a=b"2"))
        outcome = await store.apply(replace(change(record, a=b"3", b=b"3"), guarded=frozenset({"a", "b"})))
        assert outcome.status is CommitStatus.CONFLICT
        assert outcome.names == ("a",)
        assert outcome.changes is not None
        now = await stored(store, record)
        assert now.attributes == {"a": b"2", "b": b"1"}
        assert record.merged(outcome.changes) == now

    async def test_a_guard_sees_removals(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(replace(change(record), removed=frozenset({"a"})))
        outcome = await store.apply(replace(change(record, a=b"3"), guarded=frozenset({"a"})))
        assert outcome.status is CommitStatus.CONFLICT
        assert outcome.changes is not None
        assert outcome.changes.live == frozenset({"b"})

    async def test_a_guard_lets_pass_what_nobody_else_touched(self, store: Store) -> None:
        record = await created(store, {"a": b"1", "b": b"1"})
        await store.apply(change(record, b=b"2"))
        outcome = await store.apply(replace(change(record, a=b"3"), guarded=frozenset({"a", "new"})))
        assert outcome.status is CommitStatus.APPLIED

    async def test_retrying_a_guarded_commit_comes_to_an_end(self, store: Store) -> None:
        """K-03b: many callers add to one attribute by compare and set."""
        record = await created(store, {"n": number(0)})

        async def add_one() -> None:
            while True:
                seen = await stored(store, record)
                delta = change(seen, n=number(seen.attributes["n"][0] + 1))
                outcome = await store.apply(replace(delta, guarded=frozenset({"n"})))
                if outcome.status is CommitStatus.APPLIED:
                    return

        await asyncio.gather(*(add_one() for _ in range(20)))
        assert (await stored(store, record)).attributes == {"n": number(20)}

    @pytest.mark.parametrize(
        ("there", "by", "result"),
        [
            (None, 1, 1),
            (None, 1.5, 1.5),
            (5, -7, -2),
            (5, 0, 5),
            (0.5, 1, 1.5),
            (1, 1.0, 2.0),
            (1.5, -1.5, 0.0),
            (127, 1, 128),
            (255, 1, 256),
            (65_535, 1, 65_536),
            (2**32 - 1, 1, 2**32),
            (-32, -1, -33),
            (-128, -1, -129),
            (-(2**31), -1, -(2**31) - 1),
            (EXACT - 2, 1, EXACT - 1),
            (0.1, 0.2, 0.1 + 0.2),
        ],
    )
    async def test_numbers_are_added_in_the_store(
        self, store: Store, there: float | None, by: float, result: float
    ) -> None:
        """C-10: ints stay ints, floats become or stay floats, and the bytes are those that the codec would write."""
        record = await created(store, {} if there is None else {"n": number(there)})
        outcome = await store.apply(replace(change(record), increments={"n": by}))
        assert outcome.computed == {"n": number(result)}
        assert (await stored(store, record)).attributes == {"n": number(result)}

    @pytest.mark.parametrize(
        ("there", "by"),
        [
            (b"", 1),
            (b"\xa11", 1),
            (b"\xc0", 1),
            (b"\xc3", 1),
            (b"\xcc", 1),
            (b"\x01\x02", 1),
            (b"\xd4\x01\x00", 1),
            (number(EXACT - 1), 1),
            (number(-EXACT), 1),
            (number(2**63), -1),
            (number(1), EXACT),
            (number(1), 2**70),
            (number(1), True),
            (number(1e308), 1e308),
            (number(1), float("nan")),
        ],
    )
    async def test_only_exact_numbers_are_added(self, store: Store, there: bytes, by: float) -> None:
        record = await created(store, {"n": there, "a": b"1"})
        outcome = await store.apply(replace(change(record, a=b"2"), increments={"m": 1, "n": by}))
        assert outcome.status is CommitStatus.NOT_A_NUMBER
        assert outcome.names == ("n",)
        assert await stored(store, record) == record

    async def test_adding_comes_after_changing(self, store: Store) -> None:
        record = await created(store, {"a": number(1), "b": number(1)})
        delta = replace(change(record, a=number(10)), removed=frozenset({"b"}), increments={"a": 1, "b": 5})
        outcome = await store.apply(delta)
        assert outcome.computed == {"a": number(11), "b": number(5)}
        assert (await stored(store, record)).attributes == {"a": number(11), "b": number(5)}

    async def test_a_commit_sent_twice_is_applied_once(self, store: Store) -> None:
        """F-26: and answered as the first time, even if others have committed since."""
        record = await created(store, {"a": b"1"})
        delta = replace(change(record, a=b"2"), increments={"n": 1})
        first = await store.apply(delta)
        await store.apply(replace(change(record, a=b"3"), increments={"n": 10}))
        again = await store.apply(delta)
        assert (again.status, again.version, again.previous) == (first.status, first.version, first.previous)
        assert again.computed == first.computed == {"n": number(1)}
        assert (await stored(store, record)).attributes == {"a": b"3", "n": number(11)}

    async def test_as_many_commits_are_remembered_as_are_promised(self, store: Store) -> None:
        """C-9."""
        record = await created(store)
        deltas = [replace(change(record), increments={"n": 1}) for _ in range(COMMITS_REMEMBERED)]
        outcomes = [await store.apply(delta) for delta in deltas]
        for delta, outcome in zip(deltas, outcomes, strict=True):
            assert (await store.apply(delta)).version == outcome.version
        assert (await stored(store, record)).attributes == {"n": number(COMMITS_REMEMBERED)}

    async def test_a_refused_commit_may_be_tried_again(self, store: Store) -> None:
        record = await created(store, {"n": b"\xc0"})
        delta = replace(change(record), increments={"n": 1})
        assert (await store.apply(delta)).status is CommitStatus.NOT_A_NUMBER
        await store.apply(change(record, n=number(1)))
        assert (await store.apply(delta)).computed == {"n": number(2)}

    async def test_parallel_commits_of_different_attributes_are_all_kept(self, store: Store) -> None:
        """K-02."""
        record = await created(store)
        outcomes = await asyncio.gather(
            *(store.apply(change(record, **{f"a{place}": number(place)})) for place in range(PARALLEL))
        )
        assert {outcome.status for outcome in outcomes} == {CommitStatus.APPLIED}
        assert (await stored(store, record)).attributes == {f"a{place}": number(place) for place in range(PARALLEL)}

    async def test_parallel_increments_are_all_counted(self, store: Store) -> None:
        """K-03: and each caller gets its own sum."""
        record = await created(store)
        outcomes = await asyncio.gather(
            *(store.apply(replace(change(record), increments={"n": 1})) for _ in range(PARALLEL))
        )
        assert {outcome.computed["n"] for outcome in outcomes} == {number(sum_) for sum_ in range(1, PARALLEL + 1)}
        assert (await stored(store, record)).attributes == {"n": number(PARALLEL)}

    async def test_of_parallel_rotations_one_wins(self, store: Store) -> None:
        """K-12: never both keys, never none."""
        record = await created(store, {"a": b"1"})
        successors = [successor_of(record.key) for _ in range(10)]
        outcomes = await asyncio.gather(*(store.rotate(change(record), to) for to in successors))
        assert [outcome.status for outcome in outcomes].count(CommitStatus.APPLIED) == 1
        found = [await store.load(to.key) for to in successors]
        assert len([session for session in found if session is not None]) == 1
        assert await store.load(record.key) is None

    async def test_a_cancelled_commit_is_done_or_not_done(self, store: Store) -> None:
        """R-36: and the store stays usable."""
        record = await created(store)
        task = asyncio.ensure_future(store.apply(change(record, a=b"1", b=b"1")))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert set((await stored(store, record)).attributes) in ({"a", "b"}, set())
        assert (await store.apply(change(record, c=b"1", id=new_commit_id()))).status is CommitStatus.APPLIED

    async def test_what_was_loaded_is_nobody_elses(self, store: Store) -> None:
        """K-11: a caller that changes its copy changes nothing in the store."""
        attributes = {"a": b"1"}
        record = await created(store, attributes)
        attributes["a"] = b"2"
        loaded = await stored(store, record)
        loaded.attributes.raw["a"] = b"3"
        changes = await store.load(record.key, since=record.seen)
        assert isinstance(changes, SessionChanges)
        assert (await stored(store, record)).attributes == {"a": b"1"}
