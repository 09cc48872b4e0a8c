"""Ends connections whose session has ended: WebSockets are closed, streams are cut (C-17, S-54).

The application is notified as of a disconnected client: a WebSocket receives ``websocket.disconnect``, and sending
raises an `OSError`. The call of a stream is cancelled, since it may wait for ever for something else; and as its body
is not completed, the client can distinguish a cut stream from a complete one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from ..errors import CodecError, SessionGone
from ..session import unit_of
from .connection_watch import ConnectionWatch
from .error_responses import INTERNAL_ERROR, close_message, error_response_for, send_error_response
from .late_commit import keep_changes
from .types import Message, Receive, Scope, Send, octets

if TYPE_CHECKING:
    from ..manager.request_sessions import RequestSessions
    from ..session import Session

__all__ = ["LongConnection", "OpenSocket", "OpenStream", "SessionOver", "ancestry", "is_open_ended"]

_log = logging.getLogger("wsgessions.connections")
_SESSION_GONE: Final = error_response_for(SessionGone("the session of a connection has ended"))


class SessionOver(ConnectionAbortedError):
    """Raised if the application continues to send: the connection was ended, because its session was."""


def ancestry(error: BaseException) -> Iterator[BaseException]:
    """An error and the errors that caused it: frameworks wrap the error of a disconnected client."""
    met: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in met:
        met.add(id(at))
        yield at
        at = at.__cause__ or at.__context__


class LongConnection:
    """The common part of WebSockets and streams.

    Args:
        requests: the operations on sessions of requests.
        session: the session.
    """

    cut: bool = False
    """Whether the application's call was cancelled."""

    def __init__(self, requests: RequestSessions, session: Session) -> None:
        self._requests = requests
        self._session = session
        self._unit = unit_of(session)
        self._watch = ConnectionWatch(requests, self._unit, self._end)

    @property
    def ended(self) -> bool:
        """Whether it was ended because its session was."""
        return self._watch.gone

    @property
    def counts_uses(self) -> bool:
        """Whether accesses to the session were recorded as they occurred, so that the end is none (C-16)."""
        return self._watch.begun

    async def opened(self, message: Message) -> None:
        """The headers are sent with this message."""

    async def admit(self, message: Message) -> bool:
        """Whether a message of the application, after the headers, is to be sent.

        Raises:
            SessionOver: the session has ended, and the connection with it.
        """
        if not await self._watch.allows(from_client=False):
            raise SessionOver("the session of this connection has ended")
        return True

    def _end(self) -> None:
        """The session is gone, and there is no message by which the application could be notified."""

    def stop(self) -> None:
        """The call is over, or cancelled: release timers and tasks."""
        self._watch.stop()

    async def conclude(self, error: Exception | None) -> None:
        """The application's call is over. Its uncommitted changes have no session to be stored in (S-62).

        Args:
            error: the application's error; raised again unless it is caused by the session's end.
        """
        self._watch.stop()
        if not self.ended:
            return
        lost = _has_changes(self._session)
        self._unit.rollback(self._session)
        _log.log(
            logging.WARNING if lost else logging.INFO,
            "a connection was ended, because session %s was%s",
            self._session.ref,
            "; its uncommitted changes are lost" if lost else "",
            extra={"event": "connection_ended"},
        )
        if error is not None and not any(isinstance(each, SessionOver | SessionGone) for each in ancestry(error)):
            raise error


class OpenStream(LongConnection):
    """An HTTP response that is sent in parts, without a declared length.

    Args:
        requests: the operations on sessions of requests.
        session: the session.
        host: the task in which the server called the application.
    """

    def __init__(self, requests: RequestSessions, session: Session, host: asyncio.Task[Any]) -> None:
        super().__init__(requests, session)
        self._host = host
        self._cancelling = 0

    async def admit(self, message: Message) -> bool:
        """See `LongConnection.admit`. After the last part, background work may take any time."""
        admitted = await super().admit(message)
        if not message.get("more_body"):
            self._watch.stop()
        return admitted

    def _end(self) -> None:
        self.cut = True
        self._cancelling = self._host.cancelling()
        self._host.cancel()

    async def conclude(self, error: Exception | None) -> None:
        """See `LongConnection.conclude`. Undoes its own cancellation, and no other."""
        self._watch.stop()
        if self.cut:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # the call may have ended before its cancellation reached it
            if self._host.uncancel() > self._cancelling:
                raise asyncio.CancelledError
        await super().conclude(error)


class OpenSocket(LongConnection):
    """A WebSocket.

    Args:
        requests: the operations on sessions of requests.
        session: the session.
        scope: its scope.
        receive: the server's channel.
        send: the server's channel.
    """

    def __init__(self, requests: RequestSessions, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(requests, session)
        self.closed: bool = False
        """Whether this side has closed it."""
        self._left = False
        self._keeps_failed = requests.settings.save_on_error
        self._scope = scope
        self._receive = receive
        self._send = send
        self._accepted = False
        self._waiting: set[asyncio.Timeout] = set()
        self._keeping = asyncio.Lock()
        self._closing: asyncio.Task[None] | None = None

    async def opened(self, message: Message) -> None:
        """See `LongConnection.opened`."""
        if message["type"] == "websocket.accept":
            self._accepted = True
            await self._watch.begin()

    async def receive(self) -> Message:
        """The application's receive channel. A call for a message means that the previous one is processed (R-42)."""
        if not self._accepted:
            return await self._receive()
        await self._watch.begin()
        await self._keep()
        message = await self._next()
        if message["type"] == "websocket.disconnect":
            self._left = True
            self._watch.stop()
        elif message["type"] == "websocket.receive" and not await self._watch.allows(from_client=True):
            self._end()
            return _disconnect()
        return message

    async def _next(self) -> Message:
        """The next message, or a disconnect if the session ends before it."""
        if self.ended:
            return _disconnect()
        waiting = asyncio.timeout(None)
        self._waiting.add(waiting)
        try:
            async with waiting:
                return await self._receive()
        except TimeoutError:
            if not waiting.expired():
                raise
            return _disconnect()
        finally:
            self._waiting.discard(waiting)

    async def admit(self, message: Message) -> bool:
        """See `LongConnection.admit`."""
        if message["type"] != "websocket.close":
            return not self._accepted or await self._admit_more(message)
        self._watch.stop()
        was_closed, self.closed = self.closed, True
        return not (was_closed and self.ended) and not await self._explain(message)

    async def _explain(self, close: Message) -> bool:
        """Whether the application's close after an error of the session was replaced by one with the error's code.

        Some frameworks handle errors themselves. A close with 1011 is for a WebSocket what a 500 is for a request
        (R-32, R-33).
        """
        failed = close.get("code") == INTERNAL_ERROR
        if failed and not self._keeps_failed:
            self._unit.rollback(self._session)
        store_error = self._unit.store_error
        response = None if store_error is None else error_response_for(store_error)
        if response is None or not response.operational or (self._accepted and not failed):
            return False
        if self._accepted:
            await self._send(close_message(response))
        else:
            await send_error_response(response, self._scope, self._send)
        return True

    async def _admit_more(self, message: Message) -> bool:
        try:
            admitted = await super().admit(message)
        except SessionOver:
            self._end()
            raise
        await self._keep()
        return admitted

    async def _keep(self) -> None:
        """Commit the changes: once for all tasks that send or receive at the same time."""
        if self._unit.is_pending:
            async with self._keeping:
                await keep_changes(self._requests, self._session)

    def _end(self) -> None:
        if self.closed or self._left:
            return
        loop = asyncio.get_running_loop()
        self.closed = True
        self._closing = loop.create_task(self._close(), name="wsgessions close")
        for waiting in self._waiting:
            waiting.reschedule(loop.time())

    async def _close(self) -> None:
        with suppress(OSError):  # the client was first
            await self._send(close_message(_SESSION_GONE))

    def stop(self) -> None:
        """See `LongConnection.stop`."""
        super().stop()
        if self._closing is not None:
            self._closing.cancel()

    async def conclude(self, error: Exception | None) -> None:
        """See `LongConnection.conclude`. The close is sent before the call is over for the server."""
        self._watch.stop()
        if self._closing is not None:
            await self._closing
        await super().conclude(error)


def _has_changes(session: Session) -> bool:
    unit = unit_of(session)
    try:
        return unit.is_pending and unit.has_changes(session)
    except CodecError:
        return True  # which could not be stored anyway


def _disconnect() -> Message:
    return {"type": "websocket.disconnect", "code": _SESSION_GONE.close_code, "reason": _SESSION_GONE.text}


def is_open_ended(start: Message) -> bool:
    """Whether a response does not declare its length. With a length it is the answer to one request, however long."""
    return not any(octets(name).lower() == b"content-length" for name, *_ in start.get("headers") or ())
