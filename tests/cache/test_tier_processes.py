"""Workers of one host: what one has read is served by the others, for as long as it may be trusted (C-1 to C-5, C-15).

Each worker is a process with a link and a lease of its own; they meet in shared memory only.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cache.tier_worker_program import State
from tests.coherence.cluster import Program
from tests.stores.valkey.links import PATIENCE
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server
from wsgessions.testing.faults.proxies import FaultProxy

__all__ = ["shared_server"]

LEASE = 1.5
HEAP = 10**6


class Worker:
    """One process."""

    def __init__(self, program: Program) -> None:
        self.program = program

    async def ask(self, order: str, *arguments: Any) -> Any:
        return json.loads(await self.program.ask(json.dumps([order, *arguments])))

    async def state(self, order: str, *arguments: Any) -> State | None:
        found = await self.ask(order, *arguments)
        return None if found is None else State(*found)

    async def create(self, value: str = "first") -> State:
        made = await self.state("create", value)
        assert made is not None
        return made

    async def write(self, state: State, value: str) -> State:
        made = await self.state("write", state, value)
        assert made is not None
        return made

    async def lookup(self, state: State) -> State | None:
        """What is served without a round trip to a client that has seen this state."""
        return await self.state("lookup", state)

    async def load(self, state: State) -> State | None:
        return await self.state("load", state)


class Host:
    """Starts workers for one store."""

    def __init__(self, stack: AsyncExitStack, url: str, base: Path) -> None:
        self._stack = stack
        self._url = url
        self._base = base
        self._namespace = f"w{secrets.token_hex(4)}"

    async def worker(self, *, url: str | None = None, heap: int = HEAP, lease: float = LEASE) -> Worker:
        options = {"base": str(self._base), "heap": heap, "off_heap": 2**20, "lease": lease}
        program = await Program.start(
            "tests.cache.tier_worker_program", url or self._url, self._namespace, json.dumps(options)
        )
        self._stack.push_async_callback(program.close)
        return Worker(program)

    async def workers(self, number: int, **options: Any) -> list[Worker]:
        """So many, who know each other."""
        made = [await self.worker(**options) for _ in range(number)]
        await acquainted(*made)
        return made

    def files(self) -> list[Path]:
        return [path for path in self._base.glob("*/*") if path.is_file()]


async def acquainted(*workers: Worker) -> None:
    async def all_know() -> bool:
        places = [await worker.ask("look") for worker in workers]
        return all(place["fresh"] and place["siblings"] == len(workers) - 1 for place in places)

    await eventually(all_know)


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def refused(worker: Worker, state: State) -> bool:
    return await worker.lookup(state) is None


def command(server: RawServer, *words: str) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        ask(client, *words)


@pytest.fixture
async def host(shared_server: RawServer, tmp_path: Path) -> AsyncIterator[Host]:
    async with AsyncExitStack() as stack:
        yield Host(stack, shared_server.url, tmp_path)


async def test_what_one_worker_has_read_is_a_hit_in_the_others(host: Host) -> None:
    one, two, three = await host.workers(3)
    state = await one.create()
    assert await two.lookup(state) == await three.lookup(state) == state
    assert (await two.ask("look"))["off_heap"] == 1
    assert (await one.ask("look"))["off_heap"] == 0


async def test_what_one_worker_writes_is_a_hit_in_the_others_at_once(host: Host) -> None:
    """A browser that goes from worker to worker, and writes at each, is served from memory all the time."""
    workers = await host.workers(3)
    state = await workers[0].create()
    for turn in range(12):
        worker = workers[turn % 3]
        assert await worker.lookup(state) == state
        state = await worker.write(state, f"turn {turn}")
    for worker in workers:
        await worker.ask("look")  # by then it has heard of the last write
        assert await worker.lookup(state) == state
        place = await worker.ask("look")
        assert place["wrong"] == 0


@pytest.mark.parametrize("heap", [0, HEAP])
async def test_a_write_elsewhere_ends_what_siblings_lend(host: Host, heap: int) -> None:
    one, two, three = await host.workers(3, heap=heap)
    state = await one.create()
    assert await two.lookup(state) == state
    assert await three.load(state) == state
    after = await three.write(state, "third")
    await eventually(lambda: served(one, state, after))
    assert await two.lookup(state) == await two.lookup(after) == after, "nobody has the older one any more"


async def served(worker: Worker, seen: State, state: State) -> bool:
    """Whether a client that has seen ``seen`` is shown ``state``."""
    return await worker.lookup(seen) == state


async def test_after_a_logout_nobody_is_lent_the_session(host: Host) -> None:
    """C-15."""
    one, two = await host.workers(2)
    state = await one.create()
    assert await two.lookup(state) == state
    assert await two.ask("delete", state)
    assert await two.lookup(state) is None, "not from the sibling either, who may not have heard of it"
    await eventually(lambda: refused(one, state))
    assert await one.load(state) is None


async def test_a_worker_that_logs_out_is_not_lent_the_session_by_one_who_does_not_hear_of_it(host: Host) -> None:
    one, two = await host.workers(2, lease=60.0)
    state = await one.create()
    assert await two.lookup(state) == state
    one.program.signal(signal.SIGSTOP)
    assert await two.ask("delete", state)
    assert await two.lookup(state) is None
    one.program.signal(signal.SIGCONT)


async def test_a_stopped_worker_lends_nothing_beyond_its_lease(host: Host) -> None:
    """C-4: others go on, and it is trusted again once it does."""
    one, two, three = await host.workers(3)
    state = await one.create()
    assert await two.lookup(state) == state
    one.program.signal(signal.SIGSTOP)
    after = await three.write(state, "while one was stopped")
    await eventually(lambda: served(two, state, after))
    assert (await two.ask("look"))["wrong"] == 0
    one.program.signal(signal.SIGCONT)
    await eventually(lambda: served(one, state, after))


async def test_a_killed_worker_lends_nothing_beyond_its_lease_and_leaves_no_file(host: Host) -> None:
    one, two = await host.workers(2)
    state = await one.create()
    assert await two.lookup(state) == state
    one.program.signal(signal.SIGKILL)
    await eventually(lambda: refused(two, state))
    await acquainted(two)
    assert len(host.files()) == 1


async def test_a_worker_that_hears_no_pushes_is_not_trusted_for_long(host: Host, shared_server: RawServer) -> None:
    """F-13: it finds out by its canary, and takes what it has entered back."""
    async with FaultProxy(shared_server.path, watch_pushes=True) as proxy:
        deaf = await host.worker(url=f"valkey://127.0.0.1:{proxy.port}")
        two, three = await host.worker(), await host.worker()
        await acquainted(deaf, two, three)
        state = await deaf.create()
        assert await two.lookup(state) == state
        proxy.drop_pushes()
        after = await three.write(state, "unheard of")
        await eventually(lambda: served(two, state, after))
        await eventually(lambda: lost(deaf, "pushes_lost"))
        assert await deaf.lookup(state) is None
        assert await two.lookup(after) == after, "lent by the one who wrote it"


async def lost(worker: Worker, loss: str) -> bool:
    place = await worker.ask("look")
    return loss in place["losses"]


async def test_after_everything_was_flushed_nobody_lends_anything(host: Host, shared_server: RawServer) -> None:
    one, two = await host.workers(2)
    state = await one.create()
    assert await two.lookup(state) == state
    command(shared_server, "FLUSHALL")
    for worker in (one, two):
        await eventually(lambda worker=worker: lost(worker, "flushed"))  # type: ignore[misc]
    await acquainted(one, two)
    assert await one.lookup(state) is await two.lookup(state) is None
    assert await one.load(state) is None


async def test_a_worker_that_is_started_anew_is_lent_what_the_others_have(host: Host) -> None:
    """And they trust nothing that it had entered in its former life."""
    one, two = await host.workers(2)
    mine, theirs = await one.create("mine"), await two.create("theirs")
    await one.program.close()
    again = await host.worker()
    await acquainted(two, again)
    assert await again.lookup(theirs) == theirs
    await eventually(lambda: refused(two, mine))
    assert await again.lookup(mine) is None
    assert await again.load(mine) == mine
    await eventually(lambda: served(two, mine, mine))


async def test_what_is_lent_is_compared_with_the_store_afterwards(host: Host) -> None:
    """C-19."""
    one, two = await host.workers(2)
    state = await one.create()
    assert await two.lookup(state) == state

    async def compared() -> bool:
        place = await two.ask("look")
        assert not place["wrong"]
        return bool(place["audits"])

    await eventually(compared)
