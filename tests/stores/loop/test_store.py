"""One store per process, in one event loop, whoever calls from wherever (R-57, F-25)."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from tests.stores.valkey.links import PATIENCE, soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from wsgessions.errors import NonStopTimeout, StoreUnavailable
from wsgessions.manager import SessionManager
from wsgessions.record import NewSession, SessionKey, SessionRecord
from wsgessions.store.capabilities import Countable, SecretKeeping
from wsgessions.store.contract import NEVER, Store
from wsgessions.stores.loop.store import LoopBoundStore
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.stores.harness import created, new_key, stored
from wsgessions.testing.stores.suite import CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite, StoreSuite

__all__ = ["shared_server"]


class Anchored(MemoryStore):
    """A store that insists on the event loop which started it."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: asyncio.AbstractEventLoop | None = None
        self.starts = self.closes = self.cancelled = 0
        self.waiting = threading.Event()

    async def start(self, *, deadline: float = NEVER) -> None:
        self.loop = asyncio.get_running_loop()
        self.starts += 1
        await asyncio.sleep(0)

    async def close(self) -> None:
        assert self.loop in {None, asyncio.get_running_loop()}
        self.closes += 1

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        assert asyncio.get_running_loop() is self.loop
        return await super().create(new, deadline=deadline)

    async def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> bool:
        """Never comes to an end."""
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return False


class Homes:
    """A `LoopBoundStore` and all the stores it made."""

    def __init__(self) -> None:
        self.made: list[Anchored] = []
        self.store = LoopBoundStore(self._make)

    def _make(self) -> Anchored:
        self.made.append(Anchored())
        return self.made[-1]

    @property
    def latest(self) -> Anchored:
        return self.made[-1]


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """In an event loop of its own, in this thread."""
    return asyncio.run(main)


def in_threads(number: int, work: Callable[[], object]) -> None:
    """Run ``work`` in several threads at once; what one of them raises is raised here."""
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    for error in errors:
        raise error


async def test_the_loop_that_starts_it_is_the_home() -> None:
    homes, threads = Homes(), threading.active_count()
    await homes.store.start()
    await created(homes.store)
    assert homes.latest.loop is asyncio.get_running_loop()
    assert threading.active_count() == threads
    await homes.store.close()
    assert homes.latest.closes == 1


def test_without_a_start_the_home_is_a_daemon_thread_that_outlives_loops() -> None:
    homes = Homes()
    first = run(created(homes.store))
    run(stored(homes.store, first))
    assert len(homes.made) == 1
    home = homes.store._home
    assert home is not None
    assert home.thread is not None
    assert home.thread.daemon
    run(homes.store.close())
    assert not home.thread.is_alive()
    assert homes.latest.closes == 1


def test_a_home_whose_loop_has_ended_is_closed_with_it_and_replaced() -> None:
    homes = Homes()

    async def serve() -> None:
        await homes.store.start()
        await created(homes.store)

    for number in range(1, 4):
        run(serve())
        assert [store.closes for store in homes.made] == [1] * number
    run(created(homes.store))
    assert len(homes.made) == 4
    run(homes.store.close())


def test_several_loops_share_one_store() -> None:
    homes = Homes()

    async def call() -> None:
        await asyncio.gather(*(created(homes.store) for _ in range(50)))

    in_threads(4, lambda: run(call()))
    assert [store.starts for store in homes.made] == [1]
    assert run(count(homes.store)) == 200
    run(homes.store.close())


async def count(store: Store) -> int:
    assert isinstance(store, Countable)
    return await store.count()


async def test_other_threads_are_served_by_the_home_loop() -> None:
    homes = Homes()
    await homes.store.start()
    await asyncio.to_thread(in_threads, 3, lambda: run(created(homes.store)))
    assert len(homes.made) == 1
    assert homes.latest.loop is asyncio.get_running_loop()
    await homes.store.close()


async def test_many_starts_are_one() -> None:
    homes = Homes()
    await asyncio.gather(*(homes.store.start() for _ in range(20)), *(created(homes.store) for _ in range(20)))
    assert [store.starts for store in homes.made] == [1]
    await homes.store.close()


async def test_a_start_from_another_loop_leaves_the_home_where_it_is() -> None:
    homes = Homes()
    await homes.store.start()
    await asyncio.to_thread(lambda: run(homes.store.start()))
    assert [store.starts for store in homes.made] == [1]
    await homes.store.close()


async def test_a_start_that_failed_may_be_repeated() -> None:
    class Reluctant(Anchored):
        async def start(self, *, deadline: float = NEVER) -> None:
            await super().start(deadline=deadline)
            if self.starts == 1:
                raise StoreUnavailable("not yet")

    homed = LoopBoundStore(Reluctant)
    with pytest.raises(StoreUnavailable, match="not yet"):
        await homed.start()
    await homed.start()
    await created(homed)
    await homed.close()


async def test_who_waits_for_a_slow_start_waits_no_longer_than_the_deadline() -> None:
    class Slow(Anchored):
        async def start(self, *, deadline: float = NEVER) -> None:
            await asyncio.Event().wait()

    homed = LoopBoundStore(Slow)
    first = asyncio.create_task(homed.start())
    await asyncio.sleep(0)
    with pytest.raises(NonStopTimeout, match="being started"):
        await homed.start(deadline=soon(0.05))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    await homed.close()


async def test_errors_travel_from_home_to_caller() -> None:
    class Broken(Anchored):
        async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
            raise StoreUnavailable("out of order")

    homed = LoopBoundStore(Broken)
    with pytest.raises(StoreUnavailable, match="out of order"):
        await created(homed)
    await homed.close()


async def test_a_cancelled_call_is_cancelled_at_home() -> None:
    homes = Homes()
    task = asyncio.create_task(homes.store.delete(new_key()))
    await until(homes.latest.waiting.is_set)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: homes.latest.cancelled == 1)
    await created(homes.store)
    await homes.store.close()


async def test_a_call_cancelled_at_any_await_leaves_the_store_usable() -> None:
    """R-36"""
    homes = Homes()
    for turns in range(12):
        task = asyncio.create_task(created(homes.store))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await created(homes.store)
    assert len(homes.made) == 1
    await homes.store.close()


async def test_a_home_that_is_stuck_is_not_waited_for_beyond_the_deadline() -> None:
    homes = Homes()
    await created(homes.store)
    assert homes.latest.loop is not None
    release = threading.Event()
    homes.latest.loop.call_soon_threadsafe(release.wait, PATIENCE)
    try:
        with pytest.raises(NonStopTimeout, match="stuck"):
            await homes.store.load(new_key(), deadline=soon(0.05))
    finally:
        release.set()
    await homes.store.close()


async def test_a_home_that_stopped_in_a_hurry_is_noticed() -> None:
    homes, loop = Homes(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(homes.store.start(), loop).result(PATIENCE)
    waiting = asyncio.create_task(homes.store.delete(new_key()))
    await until(homes.latest.waiting.is_set)
    loop.call_soon_threadsafe(loop.stop)
    await asyncio.to_thread(thread.join)
    with pytest.raises(StoreUnavailable, match="has ended"):
        await waiting
    await created(homes.store)
    assert len(homes.made) == 2
    await homes.store.close()
    await asyncio.to_thread(_wind_up, loop)


def _wind_up(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


async def test_a_home_that_ends_just_when_it_is_called_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(serving: Coroutine[Any, Any, Any], loop: asyncio.AbstractEventLoop) -> None:
        raise RuntimeError("Event loop is closed")

    homes = Homes()
    await created(homes.store)
    with monkeypatch.context() as patch:
        patch.setattr(asyncio, "run_coroutine_threadsafe", closed)
        with pytest.raises(StoreUnavailable, match="just ended"):
            await created(homes.store)
    await homes.store.close()


async def test_a_thread_that_gets_no_event_loop_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> None:
        raise OSError("too many open files")

    homes = Homes()
    with monkeypatch.context() as patch:
        patch.setattr(threading, "excepthook", lambda _: None)
        patch.setattr(asyncio, "Runner", exhausted)
        with pytest.raises(StoreUnavailable, match="no event loop"):
            await created(homes.store)
    await created(homes.store)
    await homes.store.close()


async def test_a_long_call_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions.stores.loop.loop._WATCH", 0.001)
    homes = Homes()
    await created(homes.store)
    loop = homes.latest.loop
    assert loop is not None
    task, turns = asyncio.create_task(homes.store.delete(new_key())), 0
    while turns < 50:
        turns += 1
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asyncio.sleep(0.001), loop))
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await homes.store.close()


@pytest.mark.parametrize("closing", ["with the loop", "by close"])
async def test_who_waits_for_a_home_that_ends_is_told(closing: str) -> None:
    homes, leave = Homes(), threading.Event()

    async def live() -> None:
        await homes.store.start()
        await asyncio.to_thread(leave.wait, PATIENCE)
        if closing == "by close":
            await homes.store.close()

    thread = threading.Thread(target=lambda: run(live()))
    thread.start()
    await until(lambda: homes.latest.starts == 1)
    waiting = asyncio.create_task(homes.store.delete(new_key()))
    await until(homes.latest.waiting.is_set)
    leave.set()
    with pytest.raises(StoreUnavailable, match="event loop"):
        await waiting
    await asyncio.to_thread(thread.join)
    if closing == "with the loop":
        await created(homes.store)
        assert len(homes.made) == 2
    await homes.store.close()


async def test_a_closed_store_refuses_until_it_is_started_again() -> None:
    homes = Homes()
    await homes.store.close()
    await homes.store.start()
    await homes.store.close()
    await homes.store.close()
    with pytest.raises(StoreUnavailable, match="start it again"):
        await created(homes.store)
    await homes.store.start()
    await created(homes.store)
    await homes.store.close()
    assert [store.closes for store in homes.made] == [1, 1]


async def test_it_may_be_closed_from_another_loop() -> None:
    homes = Homes()
    await homes.store.start()
    await asyncio.to_thread(lambda: run(homes.store.close()))
    assert homes.latest.closes == 1


async def test_it_has_the_powers_of_the_store_behind_it() -> None:
    class Counting:
        async def count(self, *, deadline: float = NEVER) -> int:
            return 7

    class Keeping:
        def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
            """The secret stays as it is."""

        async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
            return proposal

    for kinds in ((), (Counting,), (Keeping,), (Counting, Keeping)):
        plain = {name: value for name, value in vars(MemoryStore).items() if name not in {"count", "shared_secret"}}
        homed = LoopBoundStore(type("Plain", (*kinds, type("Bare", (), plain)), {}))
        assert isinstance(homed, Countable) is (Counting in kinds)
        assert isinstance(homed, SecretKeeping) is (Keeping in kinds)
        if isinstance(homed, Countable):
            assert await homed.count() == 7
        if isinstance(homed, SecretKeeping):
            assert await homed.shared_secret(b"x" * 32) == b"x" * 32
        await homed.close()


async def test_its_clock_is_that_of_the_present_store() -> None:
    homes = Homes()
    assert homes.store.clock is homes.latest.clock
    await homes.store.start()
    await homes.store.close()
    await homes.store.start()
    assert homes.store.clock is homes.made[1].clock
    await homes.store.close()


def test_a_store_that_nobody_holds_any_more_ends_its_thread() -> None:
    homes = Homes()
    run(created(homes.store))
    home, made = homes.store._home, homes.made
    assert home is not None
    assert home.thread is not None
    del homes
    gc.collect()
    home.thread.join(PATIENCE)
    assert not home.thread.is_alive()
    assert made[0].closes == 1


def test_a_manager_that_nobody_holds_any_more_ends_the_thread_of_its_store(shared_server: RawServer) -> None:
    """The store knows its manager, which it tells of a new secret (C-25), and is not to keep it alive."""
    before = set(threading.enumerate())

    async def use(manager: SessionManager) -> None:
        async with manager.open() as session:
            session["a"] = 1

    manager = SessionManager(store_url=shared_server.url, namespace="abandoned")
    run(use(manager))
    (thread,) = set(threading.enumerate()) - before
    del manager
    gc.collect()
    thread.join(PATIENCE)
    assert not thread.is_alive()


class _OfRequest:
    """What an application keeps in a context variable while it answers a request."""


async def test_a_store_keeps_nothing_of_the_request_in_which_it_connected(shared_server: RawServer) -> None:
    """Nor of one that provoked its touches, its timers or its checks."""
    variable: ContextVar[_OfRequest] = ContextVar("variable")
    manager = SessionManager(store_url=shared_server.url, namespace="kept", touch_step="0 s")

    async def request() -> weakref.ref[_OfRequest]:
        mine = _OfRequest()
        variable.set(mine)
        async with manager.open() as session:
            session["a"] = 1
        async with manager.open(session.id) as again:
            assert again["a"] == 1
        return weakref.ref(mine)

    kept = await asyncio.create_task(request())

    def is_collected() -> bool:
        gc.collect()
        return kept() is None

    await until(is_collected)  # the event loop holds on to the task for a moment
    await manager.close()


def test_starting_and_closing_over_and_over_leaves_nothing_behind(shared_server: RawServer) -> None:
    """F-72"""

    async def once(store: Store) -> None:
        await store.start()
        await created(store)
        await store.close()

    homed = LoopBoundStore(lambda: store_at(shared_server.url, namespace="f72"))
    usage: list[tuple[int, int]] = []
    for _ in range(50):
        run(once(homed))
        usage.append((threading.active_count(), len(list(Path("/dev/fd").iterdir()))))
    assert len(set(usage[5:])) == 1


class TestHomedValkeyStore(StoreSuite, CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite):
    """From abroad, through a thread's loop, a store keeps its contract."""

    @pytest.fixture(autouse=True)
    def _on_the_shared_server(self, shared_server: RawServer) -> None:
        self.url = shared_server.url

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[LoopBoundStore]:
        behind = store_at(self.url)
        self.namespace = behind._namespace
        homed = LoopBoundStore(lambda: behind)
        yield homed  # not started: the first call finds it a home
        await homed.close()

    async def advance(self, store: Store, seconds: float) -> None:
        async with started(store_at(self.url, namespace=self.namespace)) as other:
            await age(other, seconds)


PRELUDE = """
import asyncio, logging, os, sys
from wsgessions.record import NewSession
from wsgessions.stores.loop.store import LoopBoundStore
from wsgessions.testing.stores.harness import created, stored
from wsgessions.store.address import Address, in_turn
from wsgessions.stores.valkey.store import ValkeyStore

logging.getLogger("wsgessions").addHandler(logging.NullHandler())
made = []

def make():
    made.append(ValkeyStore(in_turn([Address.parse(sys.argv[1])])))
    return made[-1]

homed = LoopBoundStore(make)
"""


def program(server: RawServer, text: str) -> str:
    """Run a program with warnings as errors; what it prints. It must end well and complain about nothing."""
    # Not `-X dev`: asyncio would complain of a slow machine. Python 3.12 warns of any fork with threads; ours is meant.
    options = ["-W", "error", "-W", "ignore:This process:DeprecationWarning", "-c", PRELUDE + text]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, *options, server.url], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


IN_A_LOOP = """
async def main():
    await homed.start()
    await created(homed)
    {ending}

asyncio.run(main())
"""


@pytest.mark.parametrize(
    "use",
    [
        pytest.param("asyncio.run(created(homed))", id="in a thread"),
        pytest.param(IN_A_LOOP.format(ending="pass"), id="in a loop, not closed"),
        pytest.param(IN_A_LOOP.format(ending="await homed.close()"), id="in a loop, closed"),
    ],
)
def test_the_interpreter_ends_without_a_word(shared_server: RawServer, use: str) -> None:
    """R-44"""
    assert program(shared_server, use) == ""


FORK = """
def check(who):
    record = asyncio.run(created(homed))
    asyncio.run(stored(homed, record))
    print(who, len(made), made[-1].link.generation, flush=True)

check("parent")
child = os.fork()
if child == 0:
    check("child")
    {ending}
assert os.waitpid(child, 0)[1] == 0
check("parent")
"""


@pytest.mark.parametrize("ending", ["sys.exit(0)", "os._exit(0)"])
def test_a_forked_worker_has_connections_of_its_own_and_leaves_the_parents_alone(
    shared_server: RawServer, ending: str
) -> None:
    """F-25, R-55"""
    printed = program(shared_server, FORK.format(ending=ending)).split("\n")
    assert printed == ["parent 1 1", "child 2 1", "parent 1 1", ""]


FORK_IN_LOOP = """
async def main():
    await homed.start()
    record = await created(homed)
    child = os.fork()
    if child == 0:
        # The parent's loop is of no use here; a worker begins with one of its own.
        asyncio.events._set_running_loop(None)
        again = asyncio.run(stored(homed, record))
        print("child", len(made), flush=True)
        os._exit(0)
    assert (await asyncio.to_thread(os.waitpid, child, 0))[1] == 0
    await stored(homed, record)
    print("parent", len(made), made[0].link.generation, flush=True)
    await homed.close()

asyncio.run(main())
"""


def test_a_fork_out_of_the_home_loop_takes_nothing_along(shared_server: RawServer) -> None:
    assert program(shared_server, FORK_IN_LOOP) == "child 2\nparent 1 1\n"


FORK_BEFORE_USE = """
child = os.fork()
asyncio.run(created(homed))
os.write(1, b"%d " % len(made))  # in one piece, since both processes write
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


def test_a_store_made_before_the_fork_is_made_anew_in_the_child_though_it_was_never_used(
    shared_server: RawServer,
) -> None:
    """C-21: what names it to other nodes must not be that of the parent."""
    assert sorted(program(shared_server, FORK_BEFORE_USE).split()) == ["1", "2"]
