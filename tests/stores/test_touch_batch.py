"""Touches are gathered and sent together (C-16, S-63)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import Any

import pytest

from tests.spy_store import SpyStore
from wsgessions.errors import StoreUnavailable
from wsgessions.log_throttle import LogThrottle
from wsgessions.record import NewSession, SessionDelta, SessionKey, SessionRecord, Successor, new_incarnation
from wsgessions.stores import touch_batch
from wsgessions.stores.memory import MemoryStore
from wsgessions.stores.touch_batch import TouchBatch

ONE, OTHER = SessionKey(0, b"1" * 16), SessionKey(0, b"2" * 16)
PATIENCE = 30


class Touched(SpyStore):
    """Notes which sessions were touched together."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
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


async def created(store: TouchBatch, key: SessionKey = ONE) -> SessionRecord:
    record = await store.create(NewSession(key, {"a": b"\x01"}, 60_000, 60_000))
    assert record is not None
    return record


async def test_a_touch_returns_at_once_and_takes_effect_in_a_batch(below: Touched) -> None:
    store = TouchBatch(below, interval=0.01)
    for _ in range(100):
        await store.touch([ONE])
        await store.touch([OTHER])
    assert below.batches == []
    assert await below.next_batch() == {ONE, OTHER}
    await store.close()
    assert len(below.batches) == 1


async def test_a_busy_session_costs_one_touch_per_interval(below: Touched) -> None:
    store = TouchBatch(below, interval=0.01)
    for _ in range(3):
        await store.touch([ONE])
        assert await below.next_batch() == {ONE}
    await store.close()
    assert len(below.batches) == 3


async def test_closing_sends_what_is_gathered(below: Touched) -> None:
    store = TouchBatch(below, interval=3600)
    await store.touch([ONE])
    await store.close()
    assert below.batches == [{ONE}]
    assert below.calls[-1] == "close"


async def test_closing_an_unused_store_sends_nothing(below: Touched) -> None:
    store = TouchBatch(below)
    await store.close()
    await store.close()
    assert below.batches == []


async def test_a_commit_makes_its_touch_needless(below: Touched) -> None:
    """It starts the idle time anew itself; and what has ended needs no touch."""
    store = TouchBatch(below, interval=3600)
    record = await created(store)
    other = await created(store, OTHER)
    await store.touch([ONE, OTHER])
    await store.apply(SessionDelta(ONE, record.incarnation, record.version, {"a": b"\x02"}))
    await store.delete(OTHER)
    await store.close()
    assert below.batches == []
    assert other.key == OTHER


async def test_a_rotation_makes_its_touch_needless(below: Touched) -> None:
    store = TouchBatch(below, interval=3600)
    record = await created(store)
    await store.touch([ONE])
    await store.rotate(SessionDelta(ONE, record.incarnation, record.version), Successor(OTHER, new_incarnation()))
    await store.close()
    assert below.batches == []


async def test_what_the_store_could_not_take_stays_in_the_batch(
    below: Touched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is logged once, not every second."""
    monkeypatch.setattr(touch_batch, "_log", LogThrottle(logging.getLogger("wsgessions.touch")))
    store = TouchBatch(below, interval=0.01)
    below.down = True
    await store.touch([ONE])
    assert await below.next_batch() == {ONE}
    await store.touch([OTHER])
    assert await below.next_batch() == {ONE, OTHER}
    below.down = False
    assert await below.next_batch() == {ONE, OTHER}
    await store.close()
    assert len(below.batches) == 3
    assert [record.__dict__["event"] for record in caplog.records] == ["touches_kept"]


async def test_a_store_that_is_down_does_not_keep_it_from_closing(below: Touched) -> None:
    store = TouchBatch(below, interval=3600)
    below.down = True
    await store.touch([ONE])
    await store.close()
    assert below.calls[-1] == "close"


async def test_a_fault_of_the_store_does_not_end_the_touches(below: Touched) -> None:
    """The next touch begins anew, with those that were left."""
    faults: list[BaseException] = [RuntimeError("a fault")]

    async def fail(name: str) -> None:
        if name == "touch" and faults:
            raise faults.pop()

    below.before = fail
    store = TouchBatch(below, interval=0.01)
    await store.touch([ONE])
    await below.next_batch()
    flusher = store._flusher
    assert flusher is not None
    with pytest.raises(RuntimeError, match="a fault"):
        await flusher
    await store.touch([OTHER])
    assert await below.next_batch() == {ONE, OTHER}
    await store.close()


def test_touches_go_on_in_the_event_loop_after_the_one_that_has_ended() -> None:
    """R-57: in a test or a notebook, `asyncio.run` is called again and again."""
    below_of: list[Touched] = []

    async def touch(store: TouchBatch | None, key: SessionKey) -> TouchBatch:
        if store is None:
            below_of.append(Touched())
            store = TouchBatch(below_of[0], interval=3600)
        await store.touch([key])
        return store

    store = asyncio.run(touch(None, ONE))
    asyncio.run(touch(store, OTHER))
    asyncio.run(store.close())
    assert below_of[0].batches == [{ONE, OTHER}]


async def test_a_batch_does_not_wait_longer_for_the_store_than_for_the_next_batch(below: Touched) -> None:
    import time

    store = TouchBatch(below, interval=5)
    await store.touch([ONE])
    before = time.monotonic()
    await store.close()
    assert before + 5 <= below.deadlines[0] <= time.monotonic() + 5


async def test_everything_else_passes_through(below: Touched) -> None:
    store = TouchBatch(below)
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
