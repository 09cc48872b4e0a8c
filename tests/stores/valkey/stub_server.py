"""A server that answers as a test tells it to, right or wrong, over TCP or TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import hiredis

HELLO = b"%1\r\n$5\r\nproto\r\n:3\r\n"

Answer = Callable[[list[bytes]], bytes]


def ok(command: list[bytes]) -> bytes:
    """Greets, and says OK to everything else."""
    return HELLO if command[0] == b"HELLO" else b"+OK\r\n"


def greeting_then(answer: Answer) -> Answer:
    """Greets, and leaves the rest to ``answer``."""
    return lambda command: HELLO if command[0] == b"HELLO" else answer(command)


class StubServer:
    """Calls ``answer`` for each command and sends what it returns."""

    def __init__(self, answer: Answer = ok, *, tls: ssl.SSLContext | None = None) -> None:
        self.answer = answer
        self.commands: list[list[bytes]] = []
        self.connections = 0
        self.bytes_received = 0
        self.port = 0
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def push(self, data: bytes) -> None:
        """Send ``data`` to every client, unasked."""
        for writer in self._writers:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        requests = hiredis.Reader(notEnoughData=None)
        try:
            with suppress(OSError):
                while data := await reader.read(65536):
                    self.bytes_received += len(data)
                    requests.feed(data)
                    while (command := requests.gets()) is not None:
                        self.commands.append(command)
                        writer.write(self.answer(command))
                writer.close()
                await writer.wait_closed()
        finally:
            self._writers.discard(writer)
