"""Touches are gathered and sent together (C-16, S-63)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

import pytest

from tests.nodes import Time
from tests.spy_store import SpyStore
from wsgessions.errors import StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.manager import touch_interval, touches
from wsgessions.manager.touch_interval import TouchInterval
from wsgessions.manager.touches import Touches
from wsgessions.record import NewSession, RotationTarget, SessionDelta, SessionKey, SessionRecord, new_incarnation
from wsgessions.stores.memory.store import MemoryStore

ONE, OTHER = SessionKey(0, b"1" * 16), SessionKey(0, b"2" * 16)
PATIENCE = 30


class Touched(SpyStore):
    """Notes which sessions were touched together."""

    def __init__(self, below: MemoryStore | None = None) -> None:
        super().__init__(below or MemoryStore())
        self.batches: list[set[SessionKey]] = []
        self.deadlines: list[float] = []
        self.flushed = asyncio.Event()

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = 0) -> None:
        self.batches.append(set(keys))
        self.deadlines.append(deadline)
        try:
            await super().touch(keys, deadline=deadline)
        finally:
            self.flushed.set()

    async def next_batch(self) -> set[SessionKey]:
        async with asyncio.timeout(PATIENCE):
            await self.flushed.wait()
        self.flushed.clear()
        return self.batches[-1]


@pytest.fixture
async def below() -> Touched:
    return Touched()


async def created(store: Touches, key: SessionKey = ONE) -> SessionRecord:
    record = await store.create(NewSession(key, {"a": b"\x01"}, 60_000, 60_000))
    assert record is not None
    return record


async def test_a_touch_returns_at_once_and_takes_effect_in_a_batch(below: Touched) -> None:
    store = Touches(below, interval=0.01)
    await store.start()
    for _ in range(100):
        assert store.note_use(ONE)
        assert store.note_use(OTHER)
    assert below.batches == []
    assert await below.next_batch() == {ONE, OTHER}
    await store.close()
    assert len(below.batches) == 1


async def test_a_touch_that_must_not_wait_goes_at_once(below: Touched) -> None:
    """K-09: near the end of its idle time a session in use would be over before the next batch."""
    store = Touches(below, interval=3600)
    await store.start()
    assert store.note_use(ONE)
    await store.touch([ONE])
    assert below.batches == [{ONE}]
    await store.close()
    assert below.batches == [{ONE}]


async def test_a_busy_session_costs_one_touch_per_interval(below: Touched) -> None:
    store = Touches(below, interval=0.01)
    await store.start()
    for _ in range(3):
        assert store.note_use(ONE)
        assert await below.next_batch() == {ONE}
    await store.close()
    assert len(below.batches) == 3


async def test_closing_sends_what_is_gathered(below: Touched) -> None:
    store = Touches(below, interval=3600)
    await store.start()
    assert store.note_use(ONE)
    await store.close()
    assert below.batches == [{ONE}]
    assert below.calls[-1] == "close"


async def test_closing_an_unused_store_sends_nothing(below: Touched) -> None:
    store = Touches(below)
    await store.start()
    await store.close()
    await store.close()
    assert below.batches == []


async def test_a_commit_makes_its_touch_needless(below: Touched) -> None:
    """It starts the idle time anew itself; and what has ended needs no touch."""
    store = Touches(below, interval=3600)
    await store.start()
    record = await created(store)
    other = await created(store, OTHER)
    assert store.note_use(ONE)
    assert store.note_use(OTHER)
    await store.apply(SessionDelta(ONE, record.incarnation, record.version, {"a": b"\x02"}))
    await store.delete(OTHER)
    await store.close()
    assert below.batches == []
    assert other.key == OTHER


async def test_a_rotation_makes_its_touch_needless(below: Touched) -> None:
    store = Touches(below, interval=3600)
    await store.start()
    record = await created(store)
    assert store.note_use(ONE)
    await store.rotate(SessionDelta(ONE, record.incarnation, record.version), RotationTarget(OTHER, new_incarnation()))
    await store.close()
    assert below.batches == []


async def test_what_the_store_could_not_take_stays_in_the_batch(
    below: Touched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is logged once, not every second."""
    monkeypatch.setattr(touches, "_log", LogThrottle(logging.getLogger("wsgessions.touch")))
    store = Touches(below, interval=0.01)
    await store.start()
    below.down = True
    assert store.note_use(ONE)
    assert await below.next_batch() == {ONE}
    assert store.note_use(OTHER)
    assert await below.next_batch() == {ONE, OTHER}
    below.down = False
    assert await below.next_batch() == {ONE, OTHER}
    await store.close()
    assert len(below.batches) == 3
    assert [record.__dict__["event"] for record in caplog.records] == ["touches_kept"]


async def test_a_store_that_is_down_does_not_keep_it_from_closing(below: Touched) -> None:
    store = Touches(below, interval=3600)
    await store.start()
    below.down = True
    assert store.note_use(ONE)
    await store.close()
    assert below.calls[-1] == "close"


async def test_a_fault_of_the_store_does_not_end_the_touches(below: Touched, caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the next batch has those that were left."""
    faults: list[BaseException] = [RuntimeError("a fault")]

    async def fail(name: str) -> None:
        if name == "touch" and faults:
            raise faults.pop()

    below.before = fail
    store = Touches(below, interval=0.01)
    await store.start()
    assert store.note_use(ONE)
    await below.next_batch()
    assert store.note_use(OTHER)
    assert await below.next_batch() == {ONE, OTHER}
    assert "RuntimeError" in caplog.text
    await store.close()


def test_a_use_after_the_event_loop_has_ended_is_left_to_the_caller() -> None:
    """R-57: in a test or a notebook, `asyncio.run` is called again and again; what was noted before is not lost."""
    below_of: list[Touched] = []

    async def touch(store: Touches | None, key: SessionKey) -> Touches:
        if store is None:
            below_of.append(Touched())
            store = Touches(below_of[0], interval=3600)
            await store.start()
            assert store.note_use(key)
        else:
            assert not store.note_use(key)
        return store

    store = asyncio.run(touch(None, ONE))
    asyncio.run(touch(store, OTHER))
    asyncio.run(store.close())
    assert below_of[0].batches == [{ONE}]


async def test_a_batch_does_not_wait_longer_for_the_store_than_for_the_next_batch(below: Touched) -> None:
    import time

    store = Touches(below, interval=5)
    await store.start()
    assert store.note_use(ONE)
    before = time.monotonic()
    await store.close()
    assert before + 5 <= below.deadlines[0] <= time.monotonic() + 5


# -- a step per session (S-63) -----------------------------------------------------------------------------------------


class Stepping:
    """A batch with a step, in a time that is moved by hand."""

    def __init__(self, step: float, interval_ms: int = 1_200_000) -> None:
        self.time = Time()
        self.below = Touched(MemoryStore(clock=self.time.clock()))
        self.store = Touches(self.below, interval=0.001, step=step)
        self.interval_ms = interval_ms

    async def create(self, key: SessionKey = ONE) -> SessionRecord:
        await self.store.start()
        record = await self.store.create(NewSession(key, {"a": b"\x01"}, self.interval_ms, 86_400_000))
        assert record is not None
        return record

    async def use(self, times: int, every: float) -> None:
        """Load and touch, with time passing between; each time batches have their turn."""
        for _ in range(times):
            assert await self.store.load(ONE) is not None
            assert self.store.note_use(ONE)
            await self.store._send(self.store._step.due(self.store._pending))
            self.time.pass_seconds(every)


@pytest.mark.parametrize(("step", "fewest", "most"), [(10, 0, 2), (0, 900, 1000)])
async def test_a_thousand_reads_in_ten_seconds_are_two_touches_at_most(step: float, fewest: int, most: int) -> None:
    """S-63: and without the step one for each batch."""
    stepping = Stepping(step)
    await stepping.create()
    await stepping.use(1000, every=0.01)
    assert fewest <= len(stepping.below.batches) <= most
    await stepping.store.close()


async def test_with_a_step_a_session_in_use_does_not_end_and_an_unused_one_ends_within_the_step() -> None:
    """S-63: what is held back is sent later, so that no use is lost."""
    stepping = Stepping(60)
    await stepping.create()
    await stepping.use(300, every=11)  # twice and a half its idle time
    last_use = stepping.time.now - 11
    for _ in range(10):  # batches go on
        stepping.time.pass_seconds(6)
        await stepping.store._send(stepping.store._step.due(stepping.store._pending))
    assert stepping.store._pending == set()
    record = await stepping.store.load(ONE)
    assert isinstance(record, SessionRecord)
    assert 1200 <= record.expires_ms / 1000 - last_use <= 1200 + 60
    assert len(stepping.below.batches) <= 300 * 11 / 60 + 2
    stepping.time.pass_seconds(1200)
    assert await stepping.store.load(ONE) is None


async def test_a_session_with_a_short_idle_time_has_a_short_step() -> None:
    """S-63: at most 5 % of its own."""
    stepping = Stepping(60, interval_ms=2000)
    await stepping.create()
    await stepping.use(100, every=0.05)
    assert 40 <= len(stepping.below.batches) <= 51


async def test_a_session_that_idling_never_ends_has_the_whole_step() -> None:
    stepping = Stepping(10, interval_ms=0)
    await stepping.create()
    await stepping.use(100, every=1)
    assert len(stepping.below.batches) <= 11


async def test_a_changed_idle_time_is_heeded_at_once() -> None:
    stepping = Stepping(60)
    record = await stepping.create()
    delta = SessionDelta(ONE, record.incarnation, record.version, interval_ms=10_000)
    await stepping.store.apply(delta)
    await stepping.use(40, every=1)
    assert len(stepping.below.batches) >= 39


async def test_a_commit_counts_as_a_touch_for_the_step() -> None:
    stepping = Stepping(60)
    record = await stepping.create()
    stepping.time.pass_seconds(100)
    await stepping.store.apply(SessionDelta(ONE, record.incarnation, record.version, {"a": b"\x02"}))
    await stepping.use(50, every=1)
    assert stepping.below.batches == []


async def test_a_touch_that_failed_is_not_held_back() -> None:
    stepping = Stepping(60)
    await stepping.create()
    stepping.time.pass_seconds(100)
    stepping.below.down = True
    assert stepping.store.note_use(ONE)
    await stepping.store._send(stepping.store._step.due(stepping.store._pending))
    stepping.below.down = False
    assert stepping.store._step.due(stepping.store._pending) == {ONE}
    await stepping.store.close()
    assert stepping.below.batches == [{ONE}, {ONE}]


async def test_closing_sends_what_was_held_back() -> None:
    stepping = Stepping(60)
    await stepping.create()
    assert stepping.store.note_use(ONE)
    assert stepping.store._step.due(stepping.store._pending) == set()
    await stepping.store.close()
    assert stepping.below.batches == [{ONE}]


async def test_a_held_touch_leaves_by_itself(below: Touched) -> None:
    store = Touches(below, interval=0.01, step=0.2)
    await store.start()
    await created(store)
    assert store.note_use(ONE)
    assert await below.next_batch() == {ONE}
    await store.close()


def test_a_clock_that_is_set_back_holds_nothing_back() -> None:
    time = Time()
    step = TouchInterval(60, time.clock().now_ms)
    now = time.clock().now_ms()
    step.learn(ONE, interval_ms=1_200_000, expires_ms=now + 1_200_000)
    assert step.due({ONE}) == set()
    time.pass_seconds(-3600)
    assert step.due({ONE}) == {ONE}


def test_what_is_kept_in_mind_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that were forgotten, and those that are too many, are touched as without a step."""
    monkeypatch.setattr(touch_interval, "MAX_KNOWN", 100)
    time = Time()
    step = TouchInterval(60, time.clock().now_ms)
    keys = [SessionKey(0, number.to_bytes(16)) for number in range(150)]
    for key in keys:
        step.learn(key, interval_ms=1_200_000, expires_ms=time.clock().now_ms() + 1_200_000)
    assert len(step._known) == 100
    assert step.due(set(keys[:100])) == set(keys[:50])
    assert step.due(set(keys[:101])) == set(keys[:101])


async def test_everything_else_passes_through(below: Touched) -> None:
    store = Touches(below)
    await store.start()
    record = await created(store)
    assert await store.load(ONE) == record
    assert await store.load(ONE, since=record.seen) is not None
    assert store.clock is below.clock
    assert await store.delete(ONE)
    assert below.calls == ["start", "create", "load", "load", "delete"]
    below.down = True
    calls: list[Any] = [store.load(ONE), store.delete(ONE), store.create(NewSession(OTHER, {}, 1, 1)), store.start()]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call
