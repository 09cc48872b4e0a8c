"""Campaigns in which servers and links are upset one way after another, while sessions are read and written.

Whatever happens, nobody is shown a state that was replaced longer ago than the lease (C-4). No slack is added, since a
lease counts from before the heartbeat that renewed it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.coherence import checkers
from tests.coherence.browser import Tab
from tests.coherence.campaigns import Outcome, Plan, hits_of, running, until
from tests.coherence.cluster import LEASE, Cluster, Proxies, start_node, started
from tests.coherence.history import Event, History, Op
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask

WHILE = 1.5 * LEASE
"""Seconds that an upset lasts where it lasts at all: the lease ends within."""
AFTERWARDS = 1.3 * LEASE
"""Seconds of reading after it: a copy that should be gone is found to be too old."""

Upset = Callable[[Cluster, History], Awaitable[None]]


async def pause_a_node(servers: Cluster, history: History) -> None:
    """SIGSTOP: it wakes up with requests and pushes waiting, and with a lease that has run out meanwhile."""
    servers.nodes[0].signal(signal.SIGSTOP)
    await asyncio.sleep(WHILE)
    servers.nodes[0].signal(signal.SIGCONT)


async def kill_clients(servers: Cluster, history: History) -> None:
    await command(servers.server.path, "CLIENT", "KILL", "TYPE", "normal")


async def lose_pushes(servers: Cluster, history: History) -> None:
    await servers.proxies.order("drop_pushes")
    await asyncio.sleep(WHILE)
    await servers.proxies.order("heal")


async def cut_off_a_node(servers: Cluster, history: History) -> None:
    """Half-open: bytes vanish both ways, and neither side is told."""
    await servers.proxies.order("drop", only=0)
    await asyncio.sleep(WHILE)
    await servers.proxies.order("heal", only=0)
    await servers.proxies.order("end_connections", only=0)


async def silence_a_node(servers: Cluster, history: History) -> None:
    """What the server says reaches one node late, pushes and heartbeats included."""
    await servers.proxies.order("hold", "to_client", only=0)
    await asyncio.sleep(WHILE)
    await servers.proxies.order("heal", only=0)


async def late_then_lost(servers: Cluster, history: History) -> None:
    """The store acknowledges heartbeats late, and after the last ones are under way nothing gets through any more."""
    await servers.proxies.order("delay", 0.3, "to_client", only=0)
    await asyncio.sleep(LEASE)
    await servers.proxies.order("drop_pushes", only=0)
    await servers.proxies.order("drop", "to_server", only=0)
    await asyncio.sleep(WHILE)
    await servers.proxies.order("heal", only=0)
    await servers.proxies.order("end_connections", only=0)


async def slow_server(servers: Cluster, history: History) -> None:
    await command(servers.server.path, "DEBUG", "SLEEP", str(WHILE))


async def flush(servers: Cluster, history: History) -> None:
    began = time.monotonic()
    await command(servers.server.path, "FLUSHALL")
    history.append(Event("store", 0, Op.FLUSH, began, ended=time.monotonic()))


async def swap(servers: Cluster, history: History) -> None:
    """An operator puts another database in the place of this one; of its keys nothing is told to anybody."""
    began = time.monotonic()
    await command(servers.server.path, "SWAPDB", "0", "1")
    history.append(Event("store", 0, Op.FLUSH, began, ended=time.monotonic()))


async def restart(servers: Cluster, history: History) -> None:
    """As kill -9 of a server without persistence."""
    began = time.monotonic()
    servers.server.kill()
    servers.server.start()
    history.append(Event("store", 0, Op.FLUSH, began, ended=time.monotonic()))


async def nothing(servers: Cluster, history: History) -> None:
    """After all the others: sessions are served from memory again."""


UPSETS: dict[str, Upset] = {
    "pause": pause_a_node,
    "kill": kill_clients,
    "pushes": lose_pushes,
    "partition": cut_off_a_node,
    "silence": silence_a_node,
    "late": late_then_lost,
    "slow": slow_server,
    "flush": flush,
    "swap": swap,
    "restart": restart,
    "nothing": nothing,
}


async def command(path: str, *words: str | bytes) -> Any:
    """One command to the server, past the proxies, and its reply."""

    def run() -> Any:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
            return ask(client, *words)

    return await asyncio.to_thread(run)


async def upset(plan: Plan, *names: str) -> Outcome:
    """One upset after another; a reader stays at each node, a writer keeps away from the first one."""
    history: History = []
    settings = {"nonstop_timeout": "1s"}
    async with running(plan, options=("--enable-debug-command", "yes"), **settings) as servers:
        for number, name in enumerate(names or UPSETS):
            await servers.proxies.order("heal")
            async with life(servers, plan, history, f"{number}-{name}"):
                await UPSETS[name](servers, history)
                await asyncio.sleep(AFTERWARDS)
    found = [*checkers.sequential(history), *checkers.bounded_staleness(history, LEASE)]
    return Outcome(history, [*found, *checkers.no_resurrection(history, LEASE)])


@asynccontextmanager
async def life(servers: Cluster, plan: Plan, history: History, name: str) -> AsyncIterator[None]:
    """One session in use, for as long as this is open; what happens inside happens to it."""
    writer = Tab(f"{name}-writer", servers.paths, history)
    await until_written(writer, plan.processes - 1)
    readers = [Tab(f"{name}-{node}", servers.paths, history, writer.jar.copy()) for node in range(plan.processes)]
    done = asyncio.Event()
    jobs = [asyncio.ensure_future(reading(tab, node, done)) for node, tab in enumerate(readers)]
    rng = random.Random(f"{plan.seed}/{name}")
    jobs.append(asyncio.ensure_future(writing(writer, range(1, plan.processes), done, rng)))
    try:
        await until(lambda: all(hits_of(history, tab.name) for tab in readers))
        yield
    finally:
        done.set()
        await asyncio.gather(*jobs)
        for tab in (writer, *readers):
            tab.close()


async def until_written(tab: Tab, node: int) -> None:
    """A node may still be finding its way back from the upset before."""
    async with asyncio.timeout(30):
        while (await tab.send(node, Op.WRITE)).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def reading(tab: Tab, node: int, done: asyncio.Event) -> None:
    while not done.is_set():
        event = await tab.send(node, Op.READ)
        await asyncio.sleep(0.002 if event.status == 200 else 0.02)


async def writing(tab: Tab, nodes: range, done: asyncio.Event, rng: random.Random) -> None:
    """In bursts, slower than the readers, so that copies are in force when something happens."""
    while not done.is_set():
        for node in nodes:
            await tab.send(node, Op.WRITE)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), rng.choice([0.03, 0.03, 0.03, LEASE]))


async def failover(plan: Plan) -> Outcome:
    """A primary hands over to its replica gracefully, and goes on answering (fact 12).

    One node knows the old primary only, another finds the new one by itself, a third knows that one only, and writes.
    """
    history: History = []
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wsg")))
        old, new = await primary_and_replica(stack, directory)
        proxies = Proxies(await started(stack, "tests.coherence.proxy_program", old.path, old.path, new.path))
        urls = [f"valkey://127.0.0.1:{port}" for port in proxies.ports]
        urls[1] = f"{urls[1]},{urls[2].removeprefix('valkey://')}"
        servers = Cluster([old, new], proxies, [], [str(directory / f"n{number}") for number in range(3)])
        settings = {"nonstop_timeout": "1s"}
        for path, url in zip(servers.paths[:2], urls, strict=False):
            servers.nodes.append(await start_node(stack, path, url, settings))
        writer = Tab("writer", servers.paths, history)
        await until_written(writer, 0)
        readers = [Tab(f"reader-{node}", servers.paths, history, writer.jar.copy()) for node in (0, 1)]
        done = asyncio.Event()
        jobs = [asyncio.ensure_future(reading(tab, node, done)) for node, tab in enumerate(readers)]
        await until(lambda: all(hits_of(history, tab.name) for tab in readers))
        servers.nodes.append(await start_node(stack, servers.paths[2], urls[2], settings))
        await command(old.path, "FAILOVER")
        await until_written(writer, 2)
        jobs.append(asyncio.ensure_future(writing(writer, range(2, 3), done, plan.rng)))
        await asyncio.sleep(2 * LEASE)
        done.set()
        await asyncio.gather(*jobs)
        for tab in (writer, *readers):
            tab.close()
    return Outcome(history, [*checkers.sequential(history), *checkers.bounded_staleness(history, LEASE)])


async def primary_and_replica(stack: AsyncExitStack, directory: Path) -> tuple[RawServer, RawServer]:
    """Two servers in step."""
    ports = free_ports(2)
    servers = []
    for number, options in enumerate([(), ("--replicaof", f"127.0.0.1 {ports[0]}")]):
        home = directory / str(number)
        home.mkdir()
        server = RawServer(home, "--port", str(ports[number]), "--repl-diskless-sync-delay", "0", *options)
        server.start()
        stack.callback(server.kill)
        servers.append(server)
    async with asyncio.timeout(30):
        while b"master_link_status:up" not in await command(servers[1].path, "INFO", "replication"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return servers[0], servers[1]


def free_ports(number: int) -> list[int]:
    """Ports that nothing listens on just now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]
