"""A primary and its replicas, real servers all of them, between which replication can be cut."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.stores.valkey.links import PATIENCE
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from wsgessions.store.address import Address
from wsgessions.testing.faults.proxies import Direction, FaultProxy


class Replicated:
    """Some servers, the first of which is the primary at first. Each is followed through a proxy of its own."""

    def __init__(self, servers: list[RawServer], proxies: list[FaultProxy]) -> None:
        self.servers = servers
        self.primary = servers[0]
        self._proxies = dict(zip(servers, proxies, strict=True))

    async def locate(self) -> Address:
        """Where the primary is; what tells a store object that it has moved."""
        return Address.parse(self.primary.url)

    @property
    def replicas(self) -> list[RawServer]:
        return [each for each in self.servers if each is not self.primary]

    async def follow(self) -> None:
        """Make the others replicas of the primary, and wait until they are."""
        proxy = self._proxies[self.primary]
        for each in self.replicas:
            await command(each, "REPLICAOF", proxy.host, str(proxy.port))
        await self.caught_up()

    async def caught_up(self) -> None:
        """Wait until the replicas have all that the primary has."""
        async with asyncio.timeout(PATIENCE):
            while not await self._have_all():  # noqa: ASYNC110
                await asyncio.sleep(0.005)

    async def _have_all(self) -> bool:
        told = await information(self.primary)
        following = [await information(each) for each in self.replicas]
        return told.count("state=online") == len(following) and all(
            _up(each) and _offset(each, "slave_repl_offset") >= _offset(told, "master_repl_offset")
            for each in following
        )

    def cut(self) -> None:
        """From now on replicas hear nothing of the primary, and neither side knows."""
        self._proxies[self.primary].drop(Direction.TO_CLIENT)

    async def promote(self, server: RawServer) -> None:
        """The primary is another one; the one before is its replica from now on, and keeps the connections it has."""
        before, self.primary = self.primary, server
        await command(server, "REPLICAOF", "NO", "ONE")
        self._proxies[before].heal()
        self._proxies[before].end_connections()
        await self.follow()

    async def take_over(self) -> None:
        """The primary dies, as by kill -9, and the first replica takes its place with what it has heard."""
        dead, self.primary = self.primary, self.replicas[0]
        dead.kill()
        self.servers.remove(dead)
        await command(self.primary, "REPLICAOF", "NO", "ONE")
        await self.follow()


@asynccontextmanager
async def replicated(number: int = 2, *options: str) -> AsyncIterator[Replicated]:
    """That many servers, running, as one primary and its replicas."""
    options = (
        "--repl-diskless-sync",
        "no",
        "--repl-diskless-load",
        "swapdb",
        "--repl-ping-replica-period",
        "1",
        *options,
    )
    async with AsyncExitStack() as stack:
        servers, proxies = [], []
        for _ in range(number):
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="wsg"))
            server = RawServer(Path(directory), *options)
            server.start()
            stack.callback(server.kill)
            servers.append(server)
            proxies.append(await stack.enter_async_context(FaultProxy(server.path)))
        together = Replicated(servers, proxies)
        await together.follow()
        yield together


async def command(server: RawServer, *words: str) -> Any:
    """Ask one server, past all that is under test."""

    def run() -> Any:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path)
            return ask(client, *words)

    return await asyncio.to_thread(run)


async def information(server: RawServer) -> str:
    """What the server says of its replication."""
    told: bytes = await command(server, "INFO", "replication")
    return told.decode()


def _offset(information: str, name: str) -> int:
    return int(information.partition(f"{name}:")[2].split()[0])


async def listen(server: RawServer) -> int:
    """Have a server listen on a port as well, which this gives back."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    await command(server, "CONFIG", "SET", "port", str(port))
    return port


async def is_replica(server: RawServer) -> bool:
    """Whether a server follows another one, and has caught up."""
    return _up(await information(server))


def _up(information: str) -> bool:
    return "master_link_status:up" in information
