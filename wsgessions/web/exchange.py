"""ASGI around a `SessionRequest`: passes the application's messages on, with the session's headers.

Changes are committed before the headers are sent, and the headers wait for the store's reply; a redirect can therefore
never overtake the changes that it relies on (C-13). Later changes are committed at the end, if the client has the id
already.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from traceback import walk_tb
from types import CoroutineType
from typing import Any, Final

from ..errors import WsgessionsError
from ..internal.log_throttle import LogThrottle
from ..record.struct import Struct
from ..session import request_is_over
from ..session.changes import OVER, UNAVAILABLE
from .body_to_come import BodyToCome, is_made_on_the_way, sealed, taken_back
from .connections import LongConnection, OpenSocket, OpenStream, ancestry, is_open_ended
from .error_responses import close_message, error_response_for, kept_fields, send_error_response
from .session_request import SessionRequest
from .types import OPENS_RESPONSE, Message, Receive, Scope, Send

__all__ = ["Exchange", "ResponseReplaced"]

_logger = logging.getLogger("wsgessions.request")
_log = LogThrottle(_logger)
_SEQUENCES: Final = frozenset({list, tuple})


class ResponseReplaced(Exception):
    """Ends the application's call after an error response was sent in place of its own. Never leaves the middleware."""


class Exchange(Struct):
    """The messages of one call of the application, and its end."""

    request: SessionRequest
    """The request with its session."""
    _scope: Scope
    """The scope of the application's call."""
    _channel: Send
    """The server's channel, or one in front of it."""
    _host: asyncio.Task[Any] | None
    """The task of the application's call; None if its response needs no look at each part."""
    _started: bool = False
    _start: Message | None = None
    _long: LongConnection | None = None
    _replaced: WsgessionsError | None = None
    is_answered_inside: bool = False
    """Whether an inner layer has replaced the application's response, so that the layers between see that."""
    _fault: Exception | None = None
    """The error to raise at the end for the server's log, after the session's error behind it was answered inside."""
    _sending: CoroutineType[Any, Any, None] | None = None
    """The last coroutine of the channel that was passed on: its code shows in the traceback of its error."""
    _lost: OSError | None = None
    """The error of another call of the channel."""

    def receiving(self, receive: Receive) -> Receive:
        """The application's receive channel, for a WebSocket."""
        self._long = socket = OpenSocket(
            self.request.requests, self.request.session, self._scope, receive, self._channel
        )
        return socket.receive

    # -- the response --------------------------------------------------------------------------------------------------

    def send(self, message: Message) -> Awaitable[None]:
        """The application's send channel. It is no coroutine function, so that a message costs no coroutine here."""
        if self._started or message["type"] not in OPENS_RESPONSE:
            parts = message.get("more_body") and self._host is not None
            if parts or self._long is not None or self._replaced is not None:
                return self._send_further(message)
        else:
            status: int = message.get("status", 200)
            if self._long is not None or self._replaced is not None:
                return self._open(message, needs_store=self.request.needs_store(status))
            headers: Any = message.get("headers") or []
            headers = self.request.start_response(status, headers)
            if headers is None:
                return self._open(message, needs_store=True)
            message = {**message, "headers": headers}
            if self.request.unit.is_accessed:
                self._start, self._started = message, True
            else:
                message = self._opening(message)
        sending = self._channel(message)
        if type(sending) is CoroutineType:
            self._sending = sending
            return self._sending
        return self._awaited(sending)

    async def _open(self, message: Message, *, needs_store: bool) -> None:
        """Send the start of the response, after what has to be done at the store."""
        request = self.request
        if self._replaced is not None:
            await self._pass_error_response(message)
            return
        if needs_store:
            may_create = message["type"] != "websocket.http.response.start"  # a denied WebSocket
            try:
                await request.before_response(message.get("status", 200), may_create=may_create)
            except WsgessionsError as error:
                await self._replace(error, message, self._channel)
        headers: Any = message.get("headers") or []
        if request.unit.is_accessed:
            headers = request.add_headers(headers)
        request.response_started()
        message = self._opening({**message, "headers": headers})
        if self._long is not None:
            await self._long.opened(message)
        await self._awaited(self._channel(message))

    def _opening(self, message: Message) -> Message:
        """The start of the response, to be sent now."""
        if self._host is not None and self._long is None and not self.request.unit.is_accessed:
            message, self._channel = self._awaiting_use(message, self._channel)
        self._start, self._started = message, True
        return message

    async def _send_further(self, message: Message) -> None:
        if self.is_answered_inside or (self._replaced is None and await self._admit(message)):
            await self._awaited(self._channel(message))

    async def _awaited(self, sending: Awaitable[None]) -> None:
        """Wait for a message, and record an `OSError` of the channel: the client is gone."""
        try:
            await sending
        except OSError as error:
            self._lost = error
            raise

    async def _admit(self, message: Message) -> bool:
        """Whether to send a message, on a connection that may outlive its session (C-17)."""
        if self._long is None:
            if self._host is None:
                return True
            if not self.request.unit.is_accessed and not isinstance(self._channel, BodyToCome):
                self._channel = sealed(self._channel, self.request.unit)
            if self._start is None or not is_open_ended(self._start):
                self._host = None
                return True
            self._long = OpenStream(self.request.requests, self.request.session, self._host)
        return await self._long.admit(message)

    async def open_inside(self, message: Message, send: Send) -> tuple[Message, Send]:
        """Do the work before the headers for an inner layer; returns the start of the response, and the channel for the
        rest.

        The application's 5xx are left to the outer layer, which knows whether the client gets them (R-33).
        """
        if self._started or self._replaced is not None:
            return message, send
        request, status = self.request, message.get("status", 200)
        try:
            if status >= 500:
                request.raise_instead_of_500(status)
            elif request.needs_store(status):
                await request.before_response(status)
        except WsgessionsError as error:
            self.is_answered_inside = True
            await self._replace(error, message, send)
        if not request.unit.is_accessed:
            return self._awaiting_use(message, send)
        if status < 500:
            message = {**message, "headers": request.add_headers_inside(message.get("headers") or [])}
        return message, send

    async def answer_inside(self, error: Exception, send: Send) -> bool:
        """Answer an error of the application for an inner layer, if it is the session's; returns whether it was."""
        ours = error if isinstance(error, WsgessionsError) else self.request.unit.store_error
        if ours is None or self._started or not error_response_for(ours).operational or self._is_from_channel(error):
            return False
        self._replaced, self.is_answered_inside = ours, True
        self._fault = None if ours is error else error
        await self.request.fail()
        await self._answer(ours, send)
        return True

    def foresee(self, message: Message) -> Message:
        """A copy of the opening message of a response whose body may access the session."""
        return {**message, "headers": self.request.add_unknown_use(message.get("headers") or [])}

    def _awaiting_use(self, start: Message, send: Send) -> tuple[Message, Send]:
        """The start of a response for which the session was not accessed so far, and the channel for the rest of it.

        Args:
            start: the opening message.
            send: the channel below.
        """
        if type(start.get("headers")) not in _SEQUENCES:
            start = {**start, "headers": list(start.get("headers") or ())}
        made_on_the_way = is_made_on_the_way(start["headers"])
        return start, BodyToCome(send, self.request.unit, self.foresee) if made_on_the_way else send

    async def _replace(self, error: WsgessionsError, start: Message, send: Send) -> None:
        """Send an error response in place of the application's, and end the application's call."""
        answer = error_response_for(error)
        _log.warning("response_replaced", "answered %d in place of the application: %s", answer.status, error)
        self._replaced, fields = error, kept_fields(start.get("headers") or [])
        if not self.is_answered_inside:
            self._started, fields = True, [*fields, *self.request.fields_for_error()]
        await send_error_response(answer, self._scope, send, fields)
        raise ResponseReplaced from error

    async def _pass_error_response(self, message: Message) -> None:
        """Send the start of an error response that comes from an inner layer."""
        theirs: Iterable[Any] = message.get("headers") or []
        self._started = True
        await self._awaited(self._channel({**message, "headers": [*theirs, *self.request.fields_for_error()]}))

    # -- at the end ----------------------------------------------------------------------------------------------------

    def finish(self) -> bool:
        """The application's call has returned: end the request, if nothing is left to do for it.

        Returns:
            Whether it has ended; otherwise call `conclude`.
        """
        request, unit = self.request, self.request.unit
        if self._long is not None or self._replaced is not None:
            return False
        if unit.is_accessed and (unit.baseline or (unit.may_be_pending and unit.is_pending)):
            return False
        if not request.requests.record_access(unit):
            return False
        if unit.access is UNAVAILABLE:
            unit.finish()
        else:  # as `finish` does it
            unit.access, unit.reason = OVER, request_is_over
        return True

    async def conclude(self, error: BaseException | None) -> None:
        """End the request, after the application's call has returned, or ``error`` has come out of it.

        Raises:
            BaseException: the error, unless the client was sent an error response for it.
        """
        try:
            if error is None or isinstance(error, Exception):
                await self._conclude(error)
            elif isinstance(error, asyncio.CancelledError) and self._long is not None and self._long.cut:
                await self._conclude(None)  # cancelled here, because its session has ended
            else:
                self._withhold()
                raise error
        finally:
            if self._long is not None:
                self._long.stop()
            self.request.unit.finish()

    async def _conclude(self, error: Exception | None) -> None:
        if self._long is not None:
            await self._long.conclude(error)
            if self._long.ended:
                return
        if self._replaced is not None and (error is None or not self.is_answered_inside):
            self._after_error_response(self._replaced, error)
        elif error is None:
            await self._after_return()
        elif self._replaced is None and self._is_from_channel(error):
            await self._after_return()
            raise error
        else:
            await self._after_error(error)

    def _is_from_channel(self, error: Exception) -> bool:
        """Whether the client is gone: a channel has raised an `OSError`, which this error is or was caused by."""
        code = None if self._sending is None else self._sending.cr_code
        for each in ancestry(error):
            frames = walk_tb(each.__traceback__) if isinstance(each, OSError) else ()
            if each is self._lost or any(frame.f_code is code for frame, _ in frames):
                return True
        return False

    async def _after_return(self) -> None:
        counted = self._long is not None and self._long.counts_uses
        await self.request.after_response(started=self._started, counted=counted)

    async def _after_error(self, error: Exception) -> None:
        # A serializer wraps the session's error in its own: the client gets the session's, the server the serializer's.
        # The error may be that of a layer which had passed an error response on its way out, and not sent it.
        self._withhold()
        ours = error if isinstance(error, WsgessionsError) else self.request.unit.store_error
        answers = ours is not None and error_response_for(ours).operational
        await self.request.fail()
        answered = ours is not None and answers and await self._answer(ours, self._channel)
        if not answered or ours is not error:
            raise error

    def _withhold(self) -> None:
        """Drop headers that wait for a body, so that an error response may be sent instead."""
        below = taken_back(self._channel)
        if below is not None:
            self._channel, self._started = below, False

    def _after_error_response(self, answered: WsgessionsError, error: Exception | None) -> None:
        """The error response was sent. Faults of the application are raised for the server's log; others are logged."""
        if error is not None and not isinstance(error, ResponseReplaced):
            _logger.debug("the application's call ended after its response was replaced", exc_info=error)
        if not error_response_for(answered).operational:
            raise answered
        if self._fault is not None:
            raise self._fault

    async def _answer(self, error: WsgessionsError, send: Send) -> bool:
        """Send the client an error that the application has not handled, as far as that is still possible."""
        answer = error_response_for(error)
        if not self._started:
            fields = self.request.fields_for_error() if send is self._channel else ()  # inside, they are added later
            await send_error_response(answer, self._scope, send, fields)
        elif isinstance(self._long, OpenSocket) and not self._long.closed:
            await self._channel(close_message(answer))
        else:
            return False
        _log.warning("request_refused", "answered %d: %s", answer.status, error)
        return True
