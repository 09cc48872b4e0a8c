"""One connection through the fault proxy: two pipes, and the faults of the bytes in them."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import socket
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from .counts import ProxyCounts
from .frames import FrameSplitter
from .push_faults import PushFaults

__all__ = ["Direction", "Ending", "Faults", "Passage"]

_CHUNK: Final = 64 * 1024
_SLICES: Final = 50
"""Pieces per second of a throttled stream."""


class Direction(Enum):
    """The direction of bytes."""

    TO_SERVER = "to_server"
    TO_CLIENT = "to_client"


class Ending(Enum):
    """How a connection is ended."""

    CLOSE = "close"
    """Orderly: forwarded bytes arrive, then the end of the stream."""
    RESET = "reset"
    """With a TCP reset: bytes under way may be lost."""


@dataclass(slots=True)
class Faults:
    """The faults of one direction, for all connections."""

    delay: float = 0.0
    rate: float | None = None
    dropping: bool = False
    cut_after: int | None = None
    ending: Ending = Ending.CLOSE
    flowing: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.flowing.set()

    def heal(self) -> None:
        self.delay, self.rate, self.dropping, self.cut_after = 0.0, None, False, None
        self.flowing.set()


_Parcel = tuple[float, bytes]
"""Bytes, and the loop's time before which they are not forwarded; no bytes mean the end of the stream."""


class _HeldPushes:
    """Messages that each wait for their own time, and then overtake those with longer times."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, bytes]] = []
        self._numbers = itertools.count()
        self._arrival = asyncio.Event()

    def put(self, due: float, frame: bytes) -> None:
        heapq.heappush(self._heap, (due, next(self._numbers), frame))
        self._arrival.set()

    async def get(self) -> bytes:
        """The message that is due first, once it is due."""
        now = asyncio.get_running_loop().time
        while not self._heap or self._heap[0][0] > now():
            wait = self._heap[0][0] - now() if self._heap else None
            self._arrival.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._arrival.wait(), wait)
        return heapq.heappop(self._heap)[2]


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
        push_faults: PushFaults | None,
        end: Callable[[Ending], None],
    ) -> None:
        self._direction = direction
        self._faults = faults
        self._counts = counts
        self._source = source
        self._sink = sink
        self._splitter = FrameSplitter()
        self._push_faults = push_faults
        self._end = end
        self._black = False
        self._parcels: asyncio.Queue[_Parcel] = asyncio.Queue()
        self._held_pushes = _HeldPushes()
        self._writing = asyncio.Lock()  # a push that was held must not get into the middle of a throttled message

    def jobs(self) -> list[Coroutine[None, None, None]]:
        jobs: list[Coroutine[None, None, None]] = [self._take_in(), self._give_out()]
        return jobs if self._push_faults is None else [*jobs, self._give_out_held()]

    async def _take_in(self) -> None:
        now = asyncio.get_running_loop().time
        while data := await self._source.read(_CHUNK):
            due = now() + self._faults.delay
            if self._push_faults is None:
                self._parcels.put_nowait((due, data))
                continue
            for is_push, frame in self._splitter.feed(data):
                wait = self._push_faults.fate() if is_push else 0.0
                if wait:
                    self._held_pushes.put(due + wait, frame)
                elif wait is not None:
                    self._parcels.put_nowait((due, frame))
        self._parcels.put_nowait((now() + self._faults.delay, b""))

    async def _give_out(self) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, data = await self._parcels.get()
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            await self._let_through(data)

    async def _give_out_held(self) -> None:
        while True:
            await self._let_through(await self._held_pushes.get())

    async def _let_through(self, data: bytes) -> None:
        await self._faults.flowing.wait()
        # A network may lose all that follows, but never bytes from the middle of a stream that goes on.
        self._black = self._black or self._faults.dropping
        if not self._black:
            async with self._writing:
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
            self._counts.add_bytes(len(piece), to_server=self._direction is Direction.TO_SERVER)
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
        push_faults: PushFaults | None,
    ) -> None:
        self._client, self._server = client[1], server[1]
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        (from_client, to_client), (from_server, to_server) = client, server
        up, down = Direction.TO_SERVER, Direction.TO_CLIENT
        self._pipes = (
            _Pipe(up, faults[up], counts=counts, source=from_client, sink=to_server, push_faults=None, end=self.end),
            _Pipe(
                down,
                faults[down],
                counts=counts,
                source=from_server,
                sink=to_client,
                push_faults=push_faults,
                end=self.end,
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
        # A linger time of zero causes a reset.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
