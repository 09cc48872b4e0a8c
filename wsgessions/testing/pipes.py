"""One connection through the fault proxy: two pipes, and what is done to the bytes in them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .frames import FrameSplitter

__all__ = ["Direction", "Ending", "Faults", "Passage", "ProxyCounts"]

_CHUNK: Final = 64 * 1024
_SLICES: Final = 50
"""Pieces per second that a throttled stream is cut into."""


class Direction(Enum):
    """Which way bytes travel."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


class Ending(Enum):
    """How a connection is ended."""

    CLOSE = "close"
    """In order: what was passed on arrives, then the end of the stream."""
    RESET = "reset"
    """With a TCP reset: what is still under way may be lost."""


@dataclass(slots=True)
class ProxyCounts:
    """What has passed since the proxy was started."""

    connections: int = 0
    bytes_to_server: int = 0
    bytes_to_client: int = 0
    pushes_dropped: int = 0

    def add_bytes(self, direction: Direction, number: int) -> None:
        if direction is Direction.TO_SERVER:
            self.bytes_to_server += number
        else:
            self.bytes_to_client += number


@dataclass(slots=True)
class Faults:
    """What is done to one direction, of all connections alike."""

    delay: float = 0.0
    rate: float | None = None
    dropping: bool = False
    cut_after: int | None = None
    ending: Ending = Ending.CLOSE
    push_delay: float = 0.0
    dropping_pushes: bool = False
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flowing.set()

    def heal(self) -> None:
        self.delay, self.rate, self.dropping, self.cut_after = 0.0, None, False, None
        self.push_delay, self.dropping_pushes = 0.0, False
        self.flowing.set()


_Parcel = tuple[float, bytes]
"""Bytes, and the loop's time before which they do not go on; no bytes mean the end of the stream."""


class _Pipe:
    """One direction of one connection."""

    def __init__(
        self,
        direction: Direction,
        faults: Faults,
        *,
        counts: ProxyCounts,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        splitter: FrameSplitter | None,
        end: Callable[[Ending], None],
    ) -> None:
        self._direction = direction
        self._faults = faults
        self._counts = counts
        self._source = source
        self._sink = sink
        self._splitter = splitter
        self._end = end
        self._black = False
        self._parcels: asyncio.Queue[_Parcel] = asyncio.Queue()
        self._held_pushes: asyncio.Queue[_Parcel] = asyncio.Queue()

    def jobs(self) -> list[Coroutine[None, None, None]]:
        return [self._take_in(), self._give_out(self._parcels), self._give_out(self._held_pushes)]

    async def _take_in(self) -> None:
        now = asyncio.get_running_loop().time
        while data := await self._source.read(_CHUNK):
            if self._splitter is None:
                self._parcels.put_nowait((now() + self._faults.delay, data))
                continue
            for is_push, frame in self._splitter.feed(data):
                self._sort(now() + self._faults.delay, frame, is_push=is_push)
        self._parcels.put_nowait((now() + self._faults.delay, b""))

    def _sort(self, due: float, frame: bytes, *, is_push: bool) -> None:
        if is_push and self._faults.dropping_pushes:
            self._counts.pushes_dropped += 1
        elif is_push and self._faults.push_delay:
            self._held_pushes.put_nowait((due + self._faults.push_delay, frame))
        else:
            self._parcels.put_nowait((due, frame))

    async def _give_out(self, parcels: asyncio.Queue[_Parcel]) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, data = await parcels.get()
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            await self._faults.flowing.wait()
            # A network may lose all that follows, but never bytes from the middle of a stream that goes on.
            self._black = self._black or self._faults.dropping
            if not self._black:
                await self._pass_on(data)

    async def _pass_on(self, data: bytes) -> None:
        if not data:
            return self._end(Ending.CLOSE)
        cut = self._faults.cut_after
        if cut is not None and cut <= len(data):
            await self._write(data[:cut])
            self._faults.cut_after = None
            return self._end(self._faults.ending)
        if cut is not None:
            self._faults.cut_after = cut - len(data)
        return await self._write(data)

    async def _write(self, data: bytes) -> None:
        while data:
            piece, rate = data, self._faults.rate
            if rate is not None:
                piece = data[: max(1, int(rate / _SLICES))]
                await asyncio.sleep(len(piece) / rate)
            self._sink.write(piece)
            self._counts.add_bytes(self._direction, len(piece))
            await self._sink.drain()
            data = data[len(piece) :]


class Passage:
    """One client's connection with its counterpart at the server."""

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        faults: dict[Direction, Faults],
        counts: ProxyCounts,
        splitter: FrameSplitter | None,
    ) -> None:
        self._client, self._server = client[1], server[1]
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        (from_client, to_client), (from_server, to_server) = client, server
        up, down = Direction.TO_SERVER, Direction.TO_CLIENT
        self._pipes = (
            _Pipe(up, faults[up], counts=counts, source=from_client, sink=to_server, splitter=None, end=self.end),
            _Pipe(
                down, faults[down], counts=counts, source=from_server, sink=to_client, splitter=splitter, end=self.end
            ),
        )

    def end(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)

    async def run(self) -> None:
        """Pass bytes on until one side, or a fault, ends it."""
        jobs = [asyncio.ensure_future(self._until_over(job)) for pipe in self._pipes for job in pipe.jobs()]
        try:
            ending = await self._ending
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.wait(jobs)
        await asyncio.gather(shut(self._client, ending), shut(self._server, Ending.CLOSE))

    async def _until_over(self, job: Coroutine[None, None, None]) -> None:
        try:
            await job
        except OSError:
            self.end(Ending.CLOSE)


async def shut(writer: asyncio.StreamWriter, ending: Ending) -> None:
    """Close a connection, which for a reset must be of TCP, and wait until it is closed."""
    if ending is Ending.RESET:
        # To linger for no time at all is how one asks for a reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
