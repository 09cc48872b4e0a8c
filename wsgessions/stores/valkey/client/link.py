"""The link: one multiplexed RESP3 connection, made anew whenever it is lost and a request needs it (C-1).

Requests are queued in a backlog. Once per turn of the event loop as much of it as the connection accepts is written at
once, so that requests made at the same time share one system call. Unwritten requests outlive a connection.

```
request -> PendingRequest -> backlog --(flush)--> connection.waiting --(reply)--> the request's future
                        ^ no connection: the reconnector connects, with back-off, while requests wait here
```
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

from ....errors import ConfigError, NonStopTimeout, StoreRefused, StoreUnavailable
from ....internal import real_time as time
from ....store.address import Address, Locate
from ....store.contract import NEVER
from .commands import Commands
from .connection import Connection, OnPush, StreamPosition
from .deadline_timer import DeadlineTimer
from .handshake import FreshConnection, open_connection
from .reconnector import Reconnector
from .replies import LinkLost, Reply
from .requests import PendingRequest

__all__ = ["Link"]


class Link(Commands):
    """All traffic with one server. Belongs to the event loop that first uses it, until it is closed.

    Args:
        locate: called for the server's address before every attempt to connect.
        on_push: called by the parser with push messages; see `OnPush`.
        on_refusal: called by the parser with each error reply, before its caller gets it.
        on_lost: called when a connection that carried requests has ended, before anything comes over the next one.
        on_connect: run on every fresh connection before all requests, with a `Commands` for that connection alone. A
            `StoreUnavailable` means "try again later", a `ConfigError` that this server must not be used.
        name: our name in the server's list of clients.
        max_in_flight: requests that may be without reply; further ones wait in order, within their deadlines (F-21).
        connect_timeout: seconds for one attempt to connect, greeting and checks included.
        stall_limit: seconds for the oldest reply before the connection counts as dead (F-06); `NEVER` for a link with
            blocking commands.
        stream: counts the replies, for what handles pushes.
    """

    def __init__(
        self,
        locate: Locate,
        *,
        on_push: OnPush | None = None,
        on_refusal: Callable[[StoreRefused], None] | None = None,
        on_lost: Callable[[], None] | None = None,
        on_connect: Callable[[Commands], Awaitable[None]] | None = None,
        name: str = "wsgessions",
        max_in_flight: int = 1024,
        connect_timeout: float = 3.0,
        stall_limit: float = 5.0,
        stream: StreamPosition | None = None,
    ) -> None:
        super().__init__()
        self.generation: int = 0
        """Grows with each new connection; data from an earlier one may be stale (C-1)."""
        self._name = name
        self._on_push = on_push
        self._on_refusal = on_refusal
        self._on_lost = on_lost
        self._on_connect = on_connect
        self._max_in_flight = max_in_flight
        self._stall_limit = stall_limit
        self._stream = stream or StreamPosition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False
        self._backlog: deque[PendingRequest] = deque()
        self._flush_due = False
        self._connection: Connection | None = None
        self._alarm = DeadlineTimer(self._expire)
        self._keeper = Reconnector(
            locate=locate,
            connect=self._connect,
            wanted=self._wanted,
            adopt=self._adopt,
            refuse=self._fail_backlog,
            timeout=connect_timeout,
        )

    def bytes_before(self, content: bytes) -> int | None:
        """See `Commands.bytes_before`."""
        return None if self._connection is None else self._connection.bytes_before(content)

    @property
    def connected(self) -> bool:
        return self._connection is not None

    @property
    def address(self) -> Address | None:
        """The server that was tried last."""
        return self._keeper.address

    async def start(self, *, deadline: float = NEVER) -> None:
        """Connect and wait until the server answers; a closed link may be started again.

        Raises:
            StoreRefused: the server rejects the credentials.
            ConfigError: the address is invalid, or ``on_connect`` rejected the server.
            StoreUnavailable: there was no connection until the deadline; the text has the last reason.
        """
        self._closed = False
        try:
            await self.request(b"PING", deadline=deadline)
        except StoreUnavailable as error:
            if isinstance(error.__cause__, ConfigError):
                raise error.__cause__ from None
            raise

    async def close(self) -> None:
        """Close the connection and fail the waiting requests. A closed link accepts no requests until it is started
        again.
        """
        self._closed = True
        self._loop = None
        self._alarm.cancel()
        self._fail_backlog(lambda: LinkLost("the link to the store was closed", sent=False))
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.drop("it was closed")
            self._tell_lost()
            await connection.closed
        await self._keeper.stop()

    def abandon(self, reason: str) -> None:
        """Abort the present connection, as if it had broken; another is made when a request needs one."""
        if self._connection is not None:
            self._connection.drop(reason)

    def refuse_queued(self, reason: str) -> None:
        """Fail the requests that wait to be sent, because their keys are not valid any more."""
        self._fail_backlog(lambda: StoreUnavailable(f"{reason}; nothing was sent"))

    def __repr__(self) -> str:
        connection = self._connection
        state = (self._keeper.trouble or "closed") if connection is None else f"{len(connection.waiting)} in flight"
        return f"<Link to {self._keeper.address or 'the store'}: {state}, {len(self._backlog)} queued>"

    # Sending

    def submit(self, request: PendingRequest) -> asyncio.Future[Reply]:
        """See `Commands.submit`."""
        loop = self._loop or self._bind()
        request.future = loop.create_future()
        self._backlog.append(request)
        if request.deadline < self._alarm.due:
            self._alarm.set(request.deadline)
        if not self._flush_due:
            self._flush_due = True
            loop.call_soon(self._flush)
        return request.future

    def _bind(self) -> asyncio.AbstractEventLoop:
        if self._closed:
            raise LinkLost("the link to the store is closed", sent=False, hint="start it again")
        self._loop = asyncio.get_running_loop()
        return self._loop

    def _flush(self) -> None:
        """Write as much of the backlog as the connection accepts; start a connection if there is none."""
        self._flush_due = False
        backlog, connection = self._backlog, self._connection
        if connection is None:
            return self._keeper.want()
        if connection.paused:
            return None
        now = time.monotonic()
        room = self._max_in_flight - len(connection.waiting)
        ready: list[PendingRequest] = []
        while backlog and len(ready) < room:
            request = backlog.popleft()
            if request.deadline <= now:
                request.fail(self._too_late())
            elif not request.future.done():
                ready.append(request)
        connection.is_awaited = bool(backlog)
        if ready:
            connection.write(ready, now)
            overdue = connection.waiting[0].sent_at + self._stall_limit
            if overdue < self._alarm.due:
                self._alarm.set(overdue)
        return None

    def _fail_backlog(self, make_error: Callable[[], StoreUnavailable]) -> None:
        while self._backlog:
            self._backlog.popleft().fail(make_error())

    # Deadlines

    def _expire(self, now: float) -> float:
        """Release the callers after their deadlines, abort a stuck connection; returns the time of the next check."""
        for request in self._backlog:
            if request.deadline <= now:
                request.fail(self._too_late())
        self._backlog = deque(request for request in self._backlog if not request.future.done())
        connection = self._connection
        if connection is not None and connection.waiting:
            oldest = connection.waiting[0]
            connection.expire(now)
            if oldest.deadline <= now and connection.mid_reply:
                connection.drop("a reply stopped half-way")
            elif oldest.sent_at + self._stall_limit <= now:
                connection.drop(f"no reply for {self._stall_limit:g} s")
        return self._next_look()

    def _next_look(self) -> float:
        waiting = () if self._connection is None else self._connection.waiting
        overdue = waiting[0].sent_at + self._stall_limit if waiting else NEVER
        deadlines = [request.deadline for request in (*self._backlog, *waiting) if not request.future.done()]
        return min(overdue, min(deadlines, default=NEVER))

    def _too_late(self) -> StoreUnavailable:
        if self._connection is not None:
            return NonStopTimeout("there was no room on the link to the store in time; nothing was sent")
        return StoreUnavailable(f"no connection to the store in time; nothing was sent: {self._keeper.trouble}")

    # Connections

    async def _connect(self, address: Address) -> Connection:
        connection = await open_connection(address, self._name, self._make_connection)
        if self._on_connect is not None:
            try:
                await self._on_connect(FreshConnection(connection))
            except BaseException:
                connection.drop("the server was rejected")
                raise
        return connection

    def _make_connection(self) -> Connection:
        return Connection(
            stream=self._stream,
            on_push=self._on_push,
            on_refusal=self._take_refusal,
            on_room=self._flush,
            on_lost=self._lose,
        )

    def _take_refusal(self, connection: Connection, refused: StoreRefused) -> None:
        if self._on_refusal is not None:
            self._on_refusal(refused)
        if refused.server_code == "READONLY":  # replies that have arrived already still reach their callers
            reason = "the server is not the primary any more (READONLY)"
            asyncio.get_running_loop().call_soon(connection.drop, reason)

    def _adopt(self, connection: Connection) -> None:
        self._connection = connection
        self._known_scripts.clear()
        self.generation += 1
        self._flush()

    def _lose(self, connection: Connection) -> None:
        if connection is self._connection:
            self._connection = None
            self._tell_lost()
            self._keeper.lost(connection)
            self._keeper.want()

    def _tell_lost(self) -> None:
        if self._on_lost is not None:
            self._on_lost()

    def _wanted(self) -> bool:
        return any(not request.future.done() for request in self._backlog)
