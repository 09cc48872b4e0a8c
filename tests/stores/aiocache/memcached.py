"""Memcached for tests: the real program where this machine has it, and always a stand-in that speaks its text protocol.

The stand-in is no memcached: it evicts nothing, limits only the size of a value, and knows just the commands that
stores use. What it knows, it answers as doc/protocol.txt of memcached says. The same tests run against both.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Queue
from typing import TypeAlias

__all__ = ["PROGRAM", "free_port", "real_memcached", "stand_in"]

PROGRAM = shutil.which("memcached")
PATIENCE = 20.0
LARGEST = 1024 * 1024
LONGEST_RELATIVE = 30 * 86_400
Begun: TypeAlias = "Queue[tuple[asyncio.AbstractEventLoop, asyncio.Event]]"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(port: int) -> None:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.01)
        else:
            return


@contextmanager
def real_memcached() -> Iterator[int]:
    """The program, on the port that this gives."""
    assert PROGRAM is not None
    port = free_port()
    process = subprocess.Popen([PROGRAM, "-l", "127.0.0.1", "-p", str(port), "-U", "0", "-u", "nobody"])
    try:
        wait_for(port)
        yield port
    finally:
        process.kill()
        process.wait()


@dataclass
class Item:
    value: bytes
    flags: bytes
    unique: int
    ends_at: float | None

    def over(self) -> bool:
        return self.ends_at is not None and self.ends_at <= time.time()


class StandIn:
    def __init__(self) -> None:
        self.items: dict[bytes, Item] = {}
        self.uniques = itertools.count(1)
        self.writers: list[asyncio.StreamWriter] = []
        self.serving: list[asyncio.Task[None]] = []

    async def run(self, port: int, begun: Begun) -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(self.accept, "127.0.0.1", port)
        begun.put((asyncio.get_running_loop(), stop))
        await stop.wait()
        server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for writer in self.writers:
                writer.close()
            await asyncio.wait(others, timeout=0.1)
        for writer in self.writers:
            writer.close()
        await asyncio.sleep(0)  # in which the sockets are closed

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        self.serving.append(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while line := await reader.readline():
                writer.write(await self.answer(line, reader))
                await writer.drain()
        writer.close()

    async def answer(self, line: bytes, reader: asyncio.StreamReader) -> bytes:
        command, *args = line.split()
        if command in {b"get", b"gets"}:
            return b"".join(self.shown(key, unique=command == b"gets") for key in args) + b"END\r\n"
        if command in {b"add", b"set", b"cas"}:
            data = (await reader.readexactly(int(args[3]) + 2))[:-2]
            return self.stored(command, args, data) + b"\r\n"
        if command == b"delete":
            return b"DELETED\r\n" if self.items.pop(args[0], None) else b"NOT_FOUND\r\n"
        return b"ERROR\r\n"

    def item(self, key: bytes) -> Item | None:
        item = self.items.get(key)
        return None if item is None or item.over() else item

    def shown(self, key: bytes, *, unique: bool) -> bytes:
        item = self.item(key)
        if item is None:
            return b""
        last = b" %d" % item.unique if unique else b""
        return b"VALUE %s %s %d%s\r\n%s\r\n" % (key, item.flags, len(item.value), last, item.value)

    def stored(self, command: bytes, args: list[bytes], data: bytes) -> bytes:
        key, flags, exptime = args[0], args[1], int(args[2])
        if len(data) > LARGEST - 1024:
            return b"SERVER_ERROR object too large for cache"
        there = self.item(key)
        if command == b"add" and there is not None:
            return b"NOT_STORED"
        if command == b"cas" and there is None:
            return b"NOT_FOUND"
        if command == b"cas" and there is not None and there.unique != int(args[4]):
            return b"EXISTS"
        ends_at = None if not exptime else exptime if exptime > LONGEST_RELATIVE else time.time() + exptime
        self.items[key] = Item(data, flags, next(self.uniques), ends_at)
        return b"STORED"


@contextmanager
def stand_in() -> Iterator[int]:
    """The stand-in, in a thread of its own, on the port that this gives."""
    port = free_port()
    begun: Begun = Queue()
    thread = threading.Thread(target=lambda: asyncio.run(StandIn().run(port, begun)), daemon=True)
    thread.start()
    loop, stop = begun.get(timeout=PATIENCE)
    yield port
    loop.call_soon_threadsafe(stop.set)
    thread.join()
