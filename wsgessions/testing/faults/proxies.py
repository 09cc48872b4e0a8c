"""A proxy for fault injection: between a program and its server, it delays, drops, cuts and rejects on command.

```python
async with FaultProxy(("127.0.0.1", 6379)) as proxy:
    store_url = f"valkey://{proxy.host}:{proxy.port}"
    proxy.delay(0.05)                   # seconds, each way
    proxy.drop(Direction.TO_CLIENT)     # replies vanish, the connections stay open
    proxy.heal()
    proxy.end_connections()  # cut the present ones; new connections get through
```

Every mode applies to present and future connections, until `FaultProxy.heal`. Without a direction, it applies to both.
Within a direction bytes keep their order, except for pushes that were held back.

A proxy made with ``watch_pushes=True`` distinguishes RESP3 push messages, which carry the invalidations of client-side
caches, from replies, and can apply faults to pushes alone. Which of them a share falls on is drawn from a seed: the
n-th push after the call has the same fate in every run.
"""

from __future__ import annotations

import asyncio
import os
from types import TracebackType
from typing import Final, Self, TypeAlias

from .counts import ProxyCounts
from .pipes import Direction, Ending, Faults, Passage, shut
from .push_faults import PushFaults

__all__ = ["Direction", "Ending", "FaultProxy", "ProxyCounts", "Upstream"]

Upstream: TypeAlias = tuple[str, int] | str | os.PathLike[str]
"""The server behind the proxy: host and port, or the path of a unix socket."""


class FaultProxy:
    """Listens on a free port of the loopback interface and forwards to a server; an async context manager.

    Args:
        upstream: the server.
        watch_pushes: split the server's stream into RESP3 messages, which `hold_pushes`, `reorder_pushes` and
            `drop_pushes` need. Such a proxy cannot stand before a server that speaks anything else, TLS included.
    """

    def __init__(self, upstream: Upstream, *, watch_pushes: bool = False) -> None:
        self.counts: ProxyCounts = ProxyCounts()
        self.host: Final = "127.0.0.1"
        self.port: int = 0
        """The port it listens on: chosen at start, kept from then on."""
        self._upstream = upstream
        self._push_faults = PushFaults(self.counts) if watch_pushes else None
        self._faults = {direction: Faults() for direction in Direction}
        self._server: asyncio.Server | None = None
        self._passages: set[Passage] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.accept()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.refuse()
        self.end_connections()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # Connections

    async def accept(self) -> None:
        """Accept connections, again after `refuse`, on the same port."""
        if self._server is None:
            self._server = await asyncio.start_server(self._serve, self.host, self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        """Refuse new connections, as a host without a listener does. Present ones continue."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def end_connections(self, ending: Ending = Ending.CLOSE) -> None:
        """End the present connections. New ones are accepted."""
        for passage in self._passages:
            passage.end(ending)

    def cut_after(
        self, number: int, direction: Direction = Direction.TO_CLIENT, *, ending: Ending = Ending.CLOSE
    ) -> None:
        """End a connection after ``number`` more bytes have passed in ``direction``; happens once.

        The bytes of all connections count together, and the one that carried the last is ended. With 0, that is the
        first that would carry any.
        """
        faults = self._faults[direction]
        faults.cut_after, faults.ending = number, ending

    # Bytes

    def heal(self) -> None:
        """End all modes. Connections that lost bytes by `drop` stay broken, and have to be ended."""
        for faults in self._faults.values():
            faults.heal()
        if self._push_faults is not None:
            self._push_faults.heal()

    def delay(self, seconds: float, *directions: Direction) -> None:
        """Let bytes arrive ``seconds`` later, at full throughput."""
        for faults in self._chosen(directions):
            faults.delay = seconds

    def throttle(self, bytes_per_second: float, *directions: Direction) -> None:
        """Let each connection carry no more than so many bytes per second; 1 makes a slow-loris."""
        for faults in self._chosen(directions):
            faults.rate = bytes_per_second

    def drop(self, *directions: Direction) -> None:
        """Let bytes vanish while the connections stay open.

        A connection that has lost bytes carries none in that direction any more: no network continues in the middle.
        """
        for faults in self._chosen(directions):
            faults.dropping = True

    def hold(self, *directions: Direction) -> None:
        """Hold bytes back until `heal`, which delivers them: as a server that is stopped for a while."""
        for faults in self._chosen(directions):
            faults.flowing.clear()

    # Push messages

    def hold_pushes(self, seconds: float, *, share: float = 1.0, seed: int = 0) -> None:
        """Let push messages arrive ``seconds`` later, overtaken by the replies that follow them.

        Replaces what `reorder_pushes` ordered. Messages that are held already arrive at their time, also after `heal`.

        Args:
            seconds: how long each is held back.
            share: of all pushes, the part that is held back; from 0 to 1, by default all.
            seed: decides which ones.

        Raises:
            ValueError: the proxy does not watch pushes, or a number is out of its range.
        """
        self._pushes().hold(seconds, share, seed, spread=False)

    def reorder_pushes(self, seconds: float, *, share: float = 1.0, seed: int = 0) -> None:
        """Let each push message wait a time of its own, so that later ones overtake earlier ones. Replies pass.

        Replaces what `hold_pushes` ordered.

        Args:
            seconds: the longest wait; each push's is drawn evenly from 0 up to it.
            share: of all pushes, the part that waits; from 0 to 1, by default all.
            seed: decides which ones, and for how long.

        Raises:
            ValueError: the proxy does not watch pushes, or a number is out of its range.
        """
        self._pushes().hold(seconds, share, seed, spread=True)

    def drop_pushes(self, *, share: float = 1.0, seed: int = 0) -> None:
        """Let push messages vanish; replies pass. Other pushes may still be held or reordered.

        Args:
            share: of all pushes, the part that vanishes; from 0 to 1, by default all. Note that TCP loses all or
                nothing: a single lost push in a stream that continues is the fault of a server or a middlebox.
            seed: decides which ones.

        Raises:
            ValueError: the proxy does not watch pushes, or ``share`` is out of its range.
        """
        self._pushes().drop(share, seed)

    def _pushes(self) -> PushFaults:
        if self._push_faults is None:
            raise ValueError("this proxy does not look into the stream; make it with watch_pushes=True")
        return self._push_faults

    def _chosen(self, directions: tuple[Direction, ...]) -> list[Faults]:
        return [self._faults[direction] for direction in directions or Direction]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.counts.connections += 1
        try:
            server = await self._connect()
        except OSError:
            return await shut(writer, Ending.RESET)
        passage = Passage((reader, writer), server, self._faults, self.counts, self._push_faults)
        self._passages.add(passage)
        try:
            await passage.run()
        finally:
            self._passages.discard(passage)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._upstream, tuple):
            return await asyncio.open_connection(*self._upstream)
        return await asyncio.open_unix_connection(self._upstream)
