"""Who cannot await waits for a store all the same, from any thread (R-57)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import pytest

from tests.stores.loop.test_store import Homes, _wind_up, in_threads
from tests.stores.valkey.links import PATIENCE, soon, until
from wsgessions.errors import ConfigError, NonStopTimeout, StoreRefused, StoreUnavailable
from wsgessions.stores.loop.sync import is_in_store_loop, run_at_once, wait_for
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.adapters.watched_store import WatchedStore
from wsgessions.testing.stores.harness import created, new_key


def closing(homes: Homes) -> None:
    asyncio.run(homes.store.close())


def test_a_thread_without_a_loop_is_answered_from_a_home_of_its_own() -> None:
    homes = Homes()
    assert not is_in_store_loop(homes.store)
    record = wait_for(homes.store, lambda: created(homes.store))
    in_threads(8, lambda: wait_for(homes.store, lambda: homes.store.load(record.key)))
    assert homes.latest.starts == len(homes.made) == 1
    closing(homes)


async def test_threads_are_answered_by_the_loop_that_has_started_the_store() -> None:
    homes = Homes()
    await homes.store.start()

    def in_a_view() -> None:
        assert not is_in_store_loop(homes.store)
        wait_for(homes.store, lambda: created(homes.store))

    await asyncio.gather(*(asyncio.to_thread(in_a_view) for _ in range(8)))
    assert homes.latest.loop is asyncio.get_running_loop()
    assert is_in_store_loop(homes.store)
    assert is_in_store_loop(WatchedStore(homes.store))
    await homes.store.close()
    assert not is_in_store_loop(homes.store)


async def test_another_running_loop_is_no_home() -> None:
    """It stands still meanwhile, as it does for any plain call."""
    homes = Homes()
    await created(homes.store)
    assert not is_in_store_loop(homes.store)
    wait_for(homes.store, lambda: created(homes.store))
    await homes.store.close()


def test_what_goes_wrong_is_raised_where_it_is_waited_for() -> None:
    homes = Homes()

    async def refused() -> None:
        await asyncio.sleep(0)
        raise StoreRefused("no")

    with pytest.raises(StoreRefused, match="no"):
        wait_for(homes.store, refused)
    closing(homes)


def test_a_home_that_is_stuck_is_not_waited_for_beyond_the_deadline() -> None:
    homes = Homes()
    wait_for(homes.store, lambda: created(homes.store))
    assert homes.latest.loop is not None
    release = threading.Event()
    homes.latest.loop.call_soon_threadsafe(release.wait, PATIENCE)
    try:
        with pytest.raises(NonStopTimeout, match="stuck"):
            wait_for(homes.store, lambda: homes.store.load(new_key()), deadline=soon(0.05))
    finally:
        release.set()
    closing(homes)


async def test_a_home_that_stopped_in_a_hurry_is_noticed_by_who_waits() -> None:
    homes, loop = Homes(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(homes.store.start(), loop).result(PATIENCE)
    waiting = asyncio.create_task(asyncio.to_thread(wait_for, homes.store, lambda: homes.store.delete(new_key())))
    await until(homes.latest.waiting.is_set)
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    with pytest.raises(StoreUnavailable, match="has ended"):
        await waiting
    await asyncio.to_thread(_wind_up, loop)


def test_a_home_that_ends_in_order_tells_who_waits() -> None:
    homes = Homes()
    errors: list[Exception] = []

    def in_a_view() -> None:
        try:
            wait_for(homes.store, lambda: homes.store.delete(new_key()))
        except StoreUnavailable as error:
            errors.append(error)

    waiting = threading.Thread(target=in_a_view)

    async def serve() -> None:
        await homes.store.start()
        waiting.start()
        await until(homes.latest.waiting.is_set)

    asyncio.run(serve())
    waiting.join(PATIENCE)
    assert ["is ending" in str(error) for error in errors] == [True]


def test_a_home_that_ends_just_when_it_is_asked_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(serving: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        raise RuntimeError("Event loop is closed")

    homes = Homes()
    wait_for(homes.store, lambda: created(homes.store))
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "run_coroutine_threadsafe", closed)
        with pytest.raises(StoreUnavailable, match="just ended"):
            wait_for(homes.store, lambda: created(homes.store))
    closing(homes)


def test_who_is_interrupted_while_waiting_leaves_nothing_running(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in a shell."""
    homes = Homes()

    def interrupted(futures: list[Future[Any]], **_: Any) -> None:
        assert homes.latest.waiting.wait(PATIENCE)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wsgessions.stores.loop.loop.wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            wait_for(homes.store, lambda: homes.store.delete(new_key()))
    asyncio.run(until(lambda: homes.latest.cancelled == 1))
    closing(homes)


@pytest.mark.parametrize("wrap", [lambda store: store, WatchedStore], ids=["bare", "in a layer"])
async def test_a_store_in_memory_answers_at_once_wherever_it_is(wrap: Callable[[MemoryStore], Any]) -> None:
    store = wrap(MemoryStore())
    assert not is_in_store_loop(store)
    record = wait_for(store, lambda: created(store))
    assert wait_for(store, lambda: store.load(record.key)) == record


async def test_a_store_that_waits_in_no_loop_of_its_own_is_refused() -> None:
    """R-07: with the remedy."""
    with pytest.raises(ConfigError, match=r"LoopBoundStore\(lambda: store\)"):
        run_at_once(lambda: asyncio.sleep(0))
