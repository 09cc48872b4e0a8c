"""One connection: commands go out in order, and each reply belongs to the oldest command without one (S-91).

Only a reply removes a request from the queue. If a caller was cancelled, or its deadline has passed, its request stays
there: the reply is parsed, passed to the request's ``on_reply`` and dropped in its place.
"""

from __future__ import annotations

import asyncio
import logging
import os
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, cast

import hiredis

from ....errors import NonStopTimeout, StoreRefused
from ....internal import real_time as time
from .replies import LinkLost, Reply, server_error
from .requests import PendingRequest

__all__ = ["Connection", "OnPush", "StreamPosition"]

_log = logging.getLogger("wsgessions.link")

OnPush = Callable[[list[Reply]], None]
"""Called by the parser with every push message, such as ``[b"invalidate", [key, ...]]``."""

_NOTHING: Final = object()
_READ_SIZE: Final = 64 * 1024
"""The largest number of bytes that are read from the socket at once."""
_HIGH_WATER: Final = 256 * 1024
"""Bytes that may wait in the transport before requests wait in the link's queue instead."""

_open: Final[weakref.WeakSet[Connection]] = weakref.WeakSet()


class StreamPosition:
    """How far the stream of a link has been parsed."""

    __slots__ = ("replies",)

    def __init__(self) -> None:
        self.replies: int = 0
        """The number of replies so far, over all connections."""


class Connection(asyncio.BufferedProtocol):
    """One connection, from connected to lost. Belongs to one event loop and is never reused.

    Data of the socket is read into one buffer that lives as long as the connection. The other kind of asyncio protocol
    gets a bytes object of up to 256 KiB for each read, truncated afterwards, which fragments the heap.
    """

    def __init__(
        self,
        *,
        stream: StreamPosition,
        on_push: OnPush | None,
        on_room: Callable[[], None],
        on_lost: Callable[[Connection], None],
        on_refusal: Callable[[Connection, StoreRefused], None] | None = None,
    ) -> None:
        """
        Args:
            stream: the position that each reply advances, before it is handled.
            on_push: called with push messages.
            on_room: called when more can be written: the transport has drained, or replies have come in while
                `is_awaited` is set.
            on_lost: called once, when the connection has ended; `lost` then holds the reason.
            on_refusal: called with error replies, each before its caller, in stream order.
        """
        self.waiting: deque[PendingRequest] = deque()
        """Requests with a written command and without a reply, oldest first."""
        self.paused: bool = False
        """Whether the transport's buffer is full."""
        self.is_awaited: bool = False
        """Whether requests wait until others have been answered."""
        self.lost: str | None = None
        """The reason why the connection has ended; None while it has not."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the transport has released the socket."""
        self.since: float = time.monotonic()
        """When it was made."""
        self.received: int = 0
        """How many bytes have come."""
        self._buffer = bytearray(_READ_SIZE)
        self._view = memoryview(self._buffer)
        self._filled = 0
        self.descriptor: int = -1
        self._stream = stream
        self._on_push = on_push
        self._on_refusal = on_refusal
        self._on_room = on_room
        self._on_lost = on_lost
        self._reader = hiredis.Reader(replyError=server_error, notEnoughData=_NOTHING)
        self._feed = cast("Callable[[memoryview, int, int], None]", self._reader.feed)  # its stub knows bytes alone
        self._torn = False

    # Callbacks of the transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        self.descriptor = self._transport.get_extra_info("socket").fileno()
        _open.add(self)

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._on_room()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._view

    def buffer_updated(self, nbytes: int) -> None:
        if self.lost is not None:
            return None
        self.received += nbytes
        self._filled = nbytes
        gets, waiting = self._reader.gets, self.waiting
        try:
            self._feed(self._view, 0, nbytes)
            reply = gets()
            self._torn = reply is _NOTHING
            while reply is not _NOTHING:
                if type(reply) is hiredis.PushNotification:
                    if self._on_push is not None:
                        self._on_push(reply)
                elif waiting:
                    self._stream.replies += 1
                    if type(reply) is StoreRefused and self._on_refusal is not None:
                        self._on_refusal(self, reply)
                    if waiting[0].take(reply):
                        waiting.popleft()
                else:
                    return self.drop("the server sent a reply without a request")
                reply = gets()
        except hiredis.ProtocolError as error:
            return self.drop(f"the server's answer is not RESP: {error}")
        except Exception:  # noqa: BLE001 - whatever a handler raises, the stream ends
            # A cache that has missed a message is stale from then on, so the stream must not continue without it.
            _log.exception("a handler of the stream failed; the link is dropped", extra={"event": "handler_failed"})
            return self.drop("a handler of its stream failed")
        if self.is_awaited:
            self._on_room()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self.drop(f"the connection broke: {exc}" if exc else "the server closed the connection")
        _open.discard(self)
        if not self.closed.done():
            self.closed.set_result(None)

    # Methods for the link

    def bytes_before(self, content: bytes) -> int | None:
        """How many bytes of the stream come before the verbatim string (RESP3) with this content.

        Args:
            content: the content of the reply that is being parsed; it is unique in the stream.

        Returns:
            None if it was read from the socket in two parts.
        """
        at = self._buffer.find(content, 0, self._filled)
        header = b"=%d\r\ntxt:" % (len(content) + 4)
        return None if at < len(header) else self.received - self._filled + at - len(header)

    @property
    def mid_reply(self) -> bool:
        """Whether a reply is incomplete."""
        return self._torn or self._reader.has_data()

    def write(self, requests: Sequence[PendingRequest], now: float) -> None:
        """Send the commands of these requests in one write."""
        for request in requests:
            request.sent_at = now
        self.waiting.extend(requests)
        self._transport.write(b"".join([request.wire for request in requests]))

    def expire(self, now: float) -> None:
        """Release the callers after their deadlines; their requests stay in the queue."""
        for request in self.waiting:
            if request.deadline <= now:
                request.fail(NonStopTimeout(request.unanswered, unknown=True))

    def drop(self, reason: str) -> None:
        """Abort the connection: every caller fails at once, and the socket is closed without a shutdown."""
        if self.lost is not None:
            return
        self.lost = reason
        self._transport.abort()
        for request in self.waiting:
            request.fail(LinkLost(f"the link to the store was lost: {reason}", sent=True))
        self.waiting.clear()
        self._on_lost(self)


_forked_off: Final[list[Connection]] = []


def _leave_to_parent() -> None:
    """In a forked child: release the parent's sockets without affecting its streams or its event loop (F-25).

    Closing through the transport would shut TLS down and remove the socket from the parent's selector. Replacing
    the descriptor by /dev/null releases the socket and keeps the number in use, so that no late close can affect
    another file.
    """
    if not _open:
        return
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for connection in list(_open):
        os.dup2(null, connection.descriptor, inheritable=False)
        connection.lost = "it belongs to the parent process"
        _forked_off.append(connection)
    _open.clear()
    os.close(null)


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(after_in_child=_leave_to_parent)
