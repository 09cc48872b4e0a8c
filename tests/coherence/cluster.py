"""The processes of a campaign: a Valkey server, the fault proxies before it, and the nodes behind those."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.fork_server import ForkServer, fork_server
from tests.stores.valkey.raw_server import RawServer

PATIENCE = 30.0
FAST = {"heartbeat": "0.3s", "lease": "1s", "touch_interval": "0.2s", "nonstop_timeout": "5s"}
"""Short times, so that a campaign sees many of them."""
LEASE = 1.0
"""The lease of `FAST`, in seconds."""


class Program:
    """A Python program of ours; it ends when its standard input does."""

    def __init__(self, pid: int, lines: asyncio.StreamReader, orders: asyncio.StreamWriter) -> None:
        self._pid = pid
        self._lines, self._orders = lines, orders
        self._asking = asyncio.Lock()
        self.first_line = ""

    @classmethod
    async def start(cls, module: str, *arguments: str, within: str = "") -> Program:
        """Start it, in this network or within a namespace of that name."""
        server = ForkServer(within) if within else fork_server()
        lines, orders = await asyncio.open_connection(sock=server.start(module, *arguments))
        program = cls(int(await asyncio.wait_for(lines.readline(), PATIENCE)), lines, orders)
        if within:
            server.close()
        program.first_line = await program._line()
        return program

    async def ask(self, line: str) -> str:
        """Give it a line, and take one."""
        async with self._asking:
            self._orders.write(line.encode() + b"\n")
            return await self._line()

    async def _line(self) -> str:
        line = await asyncio.wait_for(self._lines.readline(), PATIENCE)
        assert line, "the program has ended"
        return line.decode()

    def signal(self, number: int) -> None:
        os.kill(self._pid, number)

    async def close(self) -> None:
        """Kill it, and wait until it is gone."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        with suppress(ConnectionError):
            while await self._lines.read(2**16):
                pass
        self._orders.close()
        with suppress(ConnectionError):
            await self._orders.wait_closed()


class Proxies:
    """All proxies: one for each node, numbered alike, or one that all nodes share."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self.ports: list[int] = json.loads(program.first_line)

    async def order(
        self, method: str, *arguments: Any, only: int | None = None, **options: Any
    ) -> list[dict[str, int]]:
        """Call a method of all proxies or of that of one node; the answer is the counts of all, see `ProxyCounts`."""
        chosen = list(range(len(self.ports))) if only is None else [only % len(self.ports)]
        counts: list[dict[str, int]] = json.loads(
            await self._program.ask(json.dumps([chosen, method, arguments, options]))
        )
        return counts

    async def counts(self) -> list[dict[str, int]]:
        counts: list[dict[str, int]] = json.loads(await self._program.ask(json.dumps([[], "", [], {}])))
        return counts


class Cluster:
    """What a campaign works with."""

    def __init__(self, servers: Sequence[RawServer], proxies: Proxies, nodes: list[Program], paths: list[str]) -> None:
        self.servers = servers
        self.proxies = proxies
        self.nodes = nodes
        self.paths = paths
        """The sockets at which the nodes take requests."""

    @property
    def server(self) -> RawServer:
        return self.servers[0]

    async def pause(self, node: int) -> None:
        self.nodes[node].signal(signal.SIGSTOP)

    async def resume(self, node: int) -> None:
        self.nodes[node].signal(signal.SIGCONT)


@asynccontextmanager
async def cluster(
    processes: int = 3, *, options: Sequence[str] = (), within: str = "", **settings: Any
) -> AsyncIterator[Cluster]:
    """So many nodes on one server, each with a proxy of its own between.

    Args:
        processes: the number of nodes.
        options: of the server program.
        within: the network namespace that the server runs in; empty for ours.
        settings: of the nodes, beyond `FAST`.
    """
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="wsg"))
        server = RawServer(Path(directory), *options, within=within)
        server.start()
        stack.callback(server.kill)
        proxies = Proxies(await started(stack, "tests.coherence.proxy_program", *[server.path] * processes))
        made = Cluster([server], proxies, [], [])
        urls = [f"valkey://127.0.0.1:{port}" for port in proxies.ports]
        made.paths += [f"{directory}/n{number}" for number in range(processes)]
        made.nodes += await asyncio.gather(
            *(start_node(stack, path, url, settings) for path, url in zip(made.paths, urls, strict=True))
        )
        yield made


async def start_node(
    stack: AsyncExitStack, path: str, url: str, settings: dict[str, Any], *, within: str = ""
) -> Program:
    """One node, in this network or within a namespace of that name."""
    chosen = {"store_url": url, "cookie": {"insecure": True}, **FAST, **settings}
    return await started(stack, "tests.coherence.node_program", json.dumps(chosen), path, within=within)


@asynccontextmanager
async def forked_cluster(processes: int = 3, **settings: Any) -> AsyncIterator[Cluster]:
    """So many nodes on one server, forked off by one process that has made the application; all behind one proxy."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="wsg"))
        server = RawServer(Path(directory))
        server.start()
        stack.callback(server.kill)
        proxies = Proxies(await started(stack, "tests.coherence.proxy_program", server.path))
        paths = [f"{directory}/n{number}" for number in range(processes)]
        chosen = {
            "store_url": f"valkey://127.0.0.1:{proxies.ports[0]}",
            "cookie": {"insecure": True},
            **FAST,
            **settings,
        }
        program = await started(stack, "tests.coherence.node_program", json.dumps(chosen), *paths)
        yield Cluster([server], proxies, [program], paths)


async def started(stack: AsyncExitStack, module: str, *arguments: str, within: str = "") -> Program:
    program = await Program.start(module, *arguments, within=within)
    stack.push_async_callback(program.close)
    return program
