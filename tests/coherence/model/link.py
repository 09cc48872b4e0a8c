"""A link to the model of the server: it stands in the place of `wsgessions.stores.valkey.client.link.Link`.

Requests are real tickets with the bytes that would have travelled; replies and pushes reach the real callbacks in the
order of the stream, one at a time, when the explorer says so.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import hiredis

from tests.coherence.model.loop import ModelLoop
from tests.coherence.model.server import Args, Push, Server, ServerConnection
from wsgessions.errors import NonStopTimeout, StoreRefused, StoreUnavailable
from wsgessions.stores.valkey.client.commands import Commands
from wsgessions.stores.valkey.client.connection import OnPush, StreamPosition
from wsgessions.stores.valkey.client.replies import LinkLost, Reply
from wsgessions.stores.valkey.client.requests import PendingRequest, PipelineRequest

__all__ = ["ModelLink"]


def parse(wire: bytes) -> list[Args]:
    """The commands in these bytes."""
    reader = hiredis.Reader()
    reader.feed(wire)
    commands = []
    while (command := reader.gets()) is not False:
        commands.append(command)
    return commands


class ModelLink(Commands):
    """Takes what `Link` takes; ``locate`` is the node's loop."""

    def __init__(
        self,
        locate: ModelLoop,
        *,
        stream: StreamPosition,
        on_push: OnPush,
        on_lost: Callable[[], None],
        on_connect: Callable[[Commands], Awaitable[None]],
        on_refusal: Callable[[StoreRefused], None] | None = None,
    ) -> None:
        super().__init__()
        self.generation: int = 0
        self.connection: ServerConnection | None = None
        self.waiting: deque[PendingRequest] = deque()
        self.backlog: deque[PendingRequest] = deque()
        self.told: deque[int] = deque(maxlen=12)
        """Digests of the latest answers: what suspended requests have been told."""
        self._loop = locate
        self._stream = stream
        self._received = 0
        self._on_push = on_push
        self._on_lost = on_lost
        self._on_connect = on_connect
        self._on_refusal = on_refusal

    @property
    def connected(self) -> bool:
        return self.connection is not None

    def bytes_before(self, content: bytes) -> int | None:
        """See `Commands.bytes_before`; here each item of the stream counts as one."""
        return self._received

    def refuse_queued(self, reason: str) -> None:
        """See `Link.refuse_queued`."""
        while self.backlog:
            self.backlog.popleft().fail(StoreUnavailable(reason))

    def submit(self, request: PendingRequest) -> asyncio.Future[Reply]:
        request.future = self._loop.create_future()
        self.backlog.append(request)
        self._flush()
        return request.future

    def _flush(self) -> None:
        while self.connection is not None and self.backlog:
            ticket = self.backlog.popleft()
            if not ticket.future.done():  # who was cancelled before it was sent is forgotten
                self.waiting.append(ticket)
                *first, last = parse(ticket.wire)
                self.connection.inbox.extend([*((each, False) for each in first), (last, True)])

    def expire(self, now: float) -> None:
        """Time has passed: see `Link`. What was sent stays on its way, and keeps its place."""
        for ticket in (*self.waiting, *self.backlog):
            if ticket.deadline <= now:
                ticket.fail(NonStopTimeout("there was no answer in time", unknown=ticket in self.waiting))

    def deliver(self) -> bool:
        """Hand the next item of the stream to the parser's callbacks; says whether a push or a whole answer is over."""
        return bool(self._loop.within(self._take_next))

    def _take_next(self) -> bool:
        assert self.connection is not None
        item = self.connection.stream.popleft()
        if isinstance(item, Push):
            self._received += 1
            self._on_push([b"invalidate", item.names])
            return True
        self._stream.replies += 1
        if isinstance(item, StoreRefused) and self._on_refusal is not None:
            self._on_refusal(item)
        whole = self.waiting[0].take(item)
        self._received += 1
        if isinstance(item, StoreRefused) and item.server_code == "READONLY" and self._on_refusal is not None:
            self._loop.call_soon(self._leave, self.connection)
        if whole:
            ticket = self.waiting.popleft()
            self.told.append(hash(str(ticket.replies if isinstance(ticket, PipelineRequest) else item)))
        return whole

    def _leave(self, connection: ServerConnection) -> None:
        if connection is self.connection:
            self.abandon("the server is not the primary any more")

    def connect(self, server: Server) -> None:
        """Make a connection, with all that is asked on a fresh one."""
        connection = server.connect()
        self._loop.within(lambda: _drive(self._on_connect(_Fresh(self._loop, connection))))
        self.connection = connection
        self._received = 0
        self._known_scripts.clear()
        self.generation += 1
        self._flush()

    def abandon(self, reason: str) -> None:
        """See `Link.abandon`; also how the explorer cuts a connection."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        connection.server.drop(connection)
        for ticket in self.waiting:
            ticket.fail(LinkLost(f"the link to the store was lost: {reason}", sent=True))
        self.waiting.clear()
        self._on_lost()

    async def close(self) -> None:
        self.abandon("it was closed")


class _Fresh(Commands):
    """Requests on a fresh connection are answered at once: nothing else goes on there."""

    def __init__(self, loop: ModelLoop, connection: ServerConnection) -> None:
        super().__init__()
        self._loop = loop
        self._connection = connection

    def bytes_before(self, content: bytes) -> int | None:
        """See `Commands.bytes_before`: nothing is counted of what is answered at once."""
        return 0

    def submit(self, request: PendingRequest) -> asyncio.Future[Reply]:
        request.future = self._loop.create_future()
        for command in parse(request.wire):
            request.take(self._connection.server.answer(self._connection, command))
        return request.future


def _drive(awaitable: Awaitable[None]) -> None:
    """Run what never has to wait."""
    assert isinstance(awaitable, Coroutine)
    coroutine: Coroutine[Any, Any, None] = awaitable
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError
