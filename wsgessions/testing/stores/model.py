"""Case of `StoreSuite`: any sequence of operations has the same result in the store and in a dict (C-7 to C-10,
C-16).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import pairwise
from typing import Any, ClassVar, Final, TypeVar, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ... import codec
from ...record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    RotationTarget,
    SessionChanges,
    SessionDelta,
    SessionRecord,
)
from ...store.capabilities import find_capability
from ...store.constants import COMMITS_REMEMBERED
from ...store.contract import Store
from ...store.listing import Indexing, Listing
from .harness import StoreHarness, new_key, number, successor_of
from .listing import all_listed
from .modelled_session import Modelled, Sent, sums_of

__all__ = ["ModelCases"]

T = TypeVar("T")

# Instants are multiples of STEP, and expiry is never near one: so the real duration of a step, and the delay of a
# reported use, make no difference. A whole run is shorter than the life of a tombstone.
STEP: Final = 20
IDLE: Final = (0, 3 * STEP + STEP // 2)
LIFE: Final = (5 * STEP + STEP // 2, 86_400)
STEPS: Final = 40

NAMES = st.sampled_from(["a", "b", "c", "d"])
VALUES = st.one_of(st.integers(-200, 70_000), st.floats(-10, 10), st.text(max_size=2)).map(
    lambda value: codec.encode(value, name="value")
)
CHANGED = st.dictionaries(NAMES, VALUES, max_size=3)
SOME_NAMES = st.frozensets(NAMES, max_size=2)
SOMEBODY = st.sampled_from([None, "ada", "bob"])
NUMBERS = st.dictionaries(NAMES, st.one_of(st.integers(-10, 300), st.floats(-10, 10)), max_size=2)


class StoreMachine(RuleBasedStateMachine):
    """Runs the same operations on a store and on its model."""

    harness: ClassVar[StoreHarness]

    def __init__(self) -> None:
        super().__init__()
        self.runner: asyncio.Runner = asyncio.Runner()
        self.stack: AsyncExitStack = AsyncExitStack()
        self.store: Store = self.run(self.stack.enter_async_context(self.harness.opened()))
        self.now: int = 0
        self.sessions: list[Modelled] = []

    def run(self, job: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(job)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    def any_session(self, place: int) -> Modelled:
        return self.sessions[place % len(self.sessions)]

    def base(self, session: Modelled, age: int) -> SessionRecord:
        """A former state of the session; 0 is the latest."""
        return session.history[-1 - age % len(session.history)]

    @initialize(attributes=CHANGED)
    def begin(self, attributes: dict[str, bytes]) -> None:
        self.create(attributes, IDLE[1], LIFE[1])

    @rule(attributes=CHANGED, idle=st.sampled_from(IDLE), life=st.sampled_from(LIFE), principal=SOMEBODY)
    def create(self, attributes: dict[str, bytes], idle: int, life: int, principal: str | None = None) -> None:
        new = NewSession(new_key(), attributes, idle * 1000, life * 1000, principal=principal)
        record = self.run(self.store.create(new))
        assert record is not None
        assert record.principal == principal
        written = dict.fromkeys(attributes, record.version)
        self.sessions.append(Modelled(record, idle, self.now, self.now + life, [record], written))
        again = self.run(self.store.create(new))
        assert again == record

    @rule(place=st.integers(0, 9))
    def create_where_something_is(self, place: int) -> None:
        session = self.any_session(place)
        if session.gone or session.alive(self.now):
            assert self.run(self.store.create(NewSession(session.record.key, {"a": b"x"}, 1000, 1000))) is None

    @rule(place=st.integers(0, 9))
    def load(self, place: int) -> None:
        session = self.any_session(place)
        found = self.run(self.store.load(session.record.key))
        assert (found is not None) == session.alive(self.now)
        if isinstance(found, SessionRecord):
            self.check(session, found)

    @rule(place=st.integers(0, 9), age=st.integers(0, 9))
    def load_since(self, place: int, age: int) -> None:
        session = self.any_session(place)
        base = self.base(session, age)
        found = self.run(self.store.load(session.record.key, since=base.seen))
        assert (found is not None) == session.alive(self.now)
        if isinstance(found, SessionChanges):
            self.check(session, base.merged(found))

    def check(self, session: Modelled, found: SessionRecord) -> None:
        expected = session.record
        assert found.attributes == expected.attributes
        assert (found.key, found.incarnation, found.version) == (expected.key, expected.incarnation, expected.version)
        assert (found.interval_ms, found.binding) == (expected.interval_ms, expected.binding)
        self.check_past(session, found)

    def check_past(self, session: Modelled, found: SessionRecord) -> None:
        """C-12: no version that was ever returned counts as lost; one that was never returned does, if it is new
        enough.
        """
        told = [each.version for each in session.history]
        assert all(found.follows(version) for version in told), "a false alarm"
        young = told[-COMMITS_REMEMBERED:]
        never = [version - 1 for before, version in pairwise(young) if version - 1 > before]
        assert not any(found.follows(version) for version in never), "a lost commit goes unnoticed"

    @rule(
        place=st.integers(0, 9),
        age=st.sampled_from([0, 0, 1, 2, 7]),
        changed=CHANGED,
        removed=SOME_NAMES,
        guarded=SOME_NAMES,
        increments=NUMBERS,
        idle=st.sampled_from([None, None, None, *IDLE]),
        moves=st.sampled_from([False, False, False, True]),
        binds=st.sampled_from([None, "", "ada", "bob"]),
    )
    def commit(
        self,
        *,
        place: int,
        age: int,
        changed: dict[str, bytes],
        removed: frozenset[str],
        guarded: frozenset[str],
        increments: dict[str, int | float],
        idle: int | None,
        moves: bool,
        binds: str | None,
    ) -> None:
        session = self.any_session(place)
        base = self.base(session, age)
        interval = None if idle is None else idle * 1000
        removed -= changed.keys()
        delta = SessionDelta(
            base.key, base.incarnation, base.version, changed, removed, increments, guarded, interval_ms=interval
        )
        to = successor_of(base.key)._replace(principal=base.principal, binds=binds) if moves else None
        outcome = self.send(delta, to)
        expected, names = self.expect(session, delta)
        assert outcome.status is expected
        assert set(outcome.names) == names
        if outcome.status is CommitStatus.CONFLICT:
            assert outcome.changes is not None
            self.check(session, base.merged(outcome.changes))
        elif outcome.status is CommitStatus.APPLIED:
            self.applied(session, base, Sent(delta, to, outcome))

    def send(self, delta: SessionDelta, to: RotationTarget | None) -> CommitOutcome:
        return self.run(self.store.apply(delta) if to is None else self.store.rotate(delta, to))

    def expect(self, session: Modelled, delta: SessionDelta) -> tuple[CommitStatus, set[str]]:
        if not session.alive(self.now):
            return CommitStatus.GONE, set()
        late = delta.base != session.record.version
        conflicts = {name for name in delta.guarded if late and session.written.get(name, session.removed) > delta.base}
        if conflicts:
            return CommitStatus.CONFLICT, conflicts
        attributes = {name: raw for name, raw in session.record.attributes.raw.items() if name not in delta.removed}
        attributes |= delta.changed
        refused = {name for name, by in delta.increments.items() if sums_of(attributes, {name: by}) is None}
        return (CommitStatus.NOT_A_NUMBER, refused) if refused else (CommitStatus.APPLIED, set())

    def applied(self, session: Modelled, base: SessionRecord, sent: Sent) -> None:
        before, (delta, to, outcome) = session.record, sent
        attributes = {name: raw for name, raw in before.attributes.raw.items() if name not in delta.removed}
        attributes |= delta.changed
        sums = sums_of(attributes, dict(delta.increments)) or {}
        assert outcome.computed == {name: number(value) for name, value in sums.items()}
        attributes |= outcome.computed
        assert outcome.previous == before.version < outcome.version
        named = {*delta.changed, *delta.removed}
        assert set(outcome.overwritten) == {name for name in named if session.written.get(name, 0) > delta.base}
        after = base.after(delta, outcome, to)
        assert after.attributes == attributes, "the caller's view is made whole by what it is told"
        self.note(session, sent, after)
        if to is None:
            self.check_past(session, after)

    def note(self, session: Modelled, sent: Sent, after: SessionRecord) -> None:
        before, (delta, to, outcome) = session.record, sent
        target = session
        if to is not None:
            session.gone = True
            target = Modelled(after, session.idle, self.now, session.ends_at, [], {}, session.removed)
            self.sessions.append(target)
        target.written = {
            name: outcome.version if name in {*delta.changed, *outcome.computed} else session.written[name]
            for name in after.attributes
        }
        if delta.removed & before.attributes.raw.keys():
            target.removed = outcome.version
        target.record, target.used_at = after, self.now
        target.idle = target.idle if delta.interval_ms is None else delta.interval_ms // 1000
        target.history.append(after)
        session.sent.append(sent)

    @precondition(lambda self: any(session.sent for session in self.sessions))
    @rule(place=st.integers(0, 9))
    def send_again(self, place: int) -> None:
        """The latest commit of a session, regardless of later changes."""
        session = [each for each in self.sessions if each.sent][place % sum(bool(each.sent) for each in self.sessions)]
        if session.gone or session.alive(self.now):
            delta, to, first = session.sent[-1]
            again = self.send(delta, to)
            if again.status is CommitStatus.GONE and self.cannot_be_told(session.sent[-1]):
                return
            assert (again.status, again.version, again.previous) == (first.status, first.version, first.previous)
            assert again.computed == first.computed

    def cannot_be_told(self, sent: Sent) -> bool:
        """Whether what others had committed before a rotation has ended with the session, see `Store.rotate`."""
        at = sent.to and sent.to.key
        there = any(each.record.key == at and each.alive(self.now) for each in self.sessions)
        return at is not None and not there and sent.outcome.changes is not None

    @rule(place=st.integers(0, 9))
    def touch(self, place: int) -> None:
        session = self.any_session(place)
        self.run(self.store.touch([session.record.key]))
        if session.alive(self.now):
            session.used_at = self.now

    @rule(place=st.integers(0, 9))
    def delete(self, place: int) -> None:
        session = self.any_session(place)
        assert self.run(self.store.delete(session.record.key)) == session.alive(self.now)
        session.gone = session.gone or session.alive(self.now)

    @precondition(lambda self: find_capability(self.store, Indexing) is not None)
    @rule(principal=st.sampled_from(["ada", "bob", "eve"]))
    def find(self, principal: str) -> None:
        index = cast("Indexing", find_capability(self.store, Indexing))
        found = self.run(index.heads_of(principal, self.run(index.keys_of(principal))))
        live = (each.record for each in self.sessions if each.alive(self.now) and each.record.principal == principal)
        assert sorted(record.seen for record in found) == sorted(record.seen for record in live)

    @precondition(lambda self: find_capability(self.store, Listing) is not None)
    @rule(limit=st.sampled_from([1, 3, 100]))
    def list_all(self, limit: int) -> None:
        found = [(head.key, head.seen, head.binding) for head in self.run(all_listed(self.store, limit))]
        live = (each.record for each in self.sessions if each.alive(self.now))
        assert sorted(found, key=str) == sorted(((each.key, each.seen, each.binding) for each in live), key=str)

    @rule()
    def let_time_pass(self) -> None:
        self.run(self.harness.advance(self.store, STEP))
        self.now += STEP

    @invariant()
    def every_session_is_where_it_ought_to_be(self) -> None:
        for session in self.sessions[-3:]:
            found = self.run(self.store.load(session.record.key))
            assert (found is not None) == session.alive(self.now)


class ModelCases(StoreHarness):
    """The store beside its model."""

    examples: ClassVar[int] = 50
    """Sequences to try."""

    def test_any_sequence_of_operations_leaves_the_store_as_it_leaves_a_dict(self) -> None:
        machine = type("Machine", (StoreMachine,), {"harness": self})
        run_state_machine_as_test(
            machine, settings=settings(max_examples=self.examples, stateful_step_count=STEPS, deadline=None)
        )
