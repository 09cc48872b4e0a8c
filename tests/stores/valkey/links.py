"""What the tests of the link share."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.stores.valkey.stub_server import StubServer
from wsgessions.store.address import Address, in_turn
from wsgessions.store.contract import NEVER
from wsgessions.stores.valkey.client.connection import Connection
from wsgessions.stores.valkey.client.link import Link
from wsgessions.stores.valkey.client.script import Script
from wsgessions.testing.faults.proxies import FaultProxy

PATIENCE = 20.0

LATER = 2**52
"""A time of the store's that never comes: what a script is given that may run whenever it likes (C-20)."""

ADD = Script("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])")


def hear(connection: Connection, octets: bytes) -> None:
    """Have a connection take these bytes, as if its socket had brought them."""
    connection.get_buffer(len(octets))[: len(octets)] = octets
    connection.buffer_updated(len(octets))


def soon(seconds: float = PATIENCE) -> float:
    """A deadline."""
    return time.monotonic() + seconds


def at(*urls: str, **options: Any) -> Link:
    return Link(in_turn([Address.parse(url) for url in urls]), **options)


def behind(proxy: FaultProxy, **options: Any) -> Link:
    return at(f"valkey://{proxy.host}:{proxy.port}", **options)


def stubbed(stub: StubServer, **options: Any) -> Link:
    return at(f"valkey://127.0.0.1:{stub.port}", **options)


@contextlib.asynccontextmanager
async def started(link: Link) -> AsyncIterator[Link]:
    try:
        await link.start(deadline=soon())
        yield link
    finally:
        await link.close()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what no event tells, at most `PATIENCE`."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def echoes(link: Link, tokens: list[str], deadline: float = NEVER) -> list[Any]:
    """Ask for each token back; what came, or the error."""
    asked = [link.request(b"ECHO", token, deadline=deadline) for token in tokens]
    return await asyncio.gather(*asked, return_exceptions=True)


async def works(link: Link) -> None:
    """The link serves requests, be it over a new connection."""
    tokens = [f"again-{number}" for number in range(5)]
    assert await echoes(link, tokens, soon()) == [token.encode() for token in tokens]
