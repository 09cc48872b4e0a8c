"""The inner part of the session middleware, next to the application, for the layers between the two.

The session's headers are added here, and the changes committed: so a layer in between, such as a cache, sees the
headers, and an error response in place of the application's (R-34) passes through CORS, metrics and the like as the
application's own does.
"""

from __future__ import annotations

import logging

from .body_to_come import taken_back
from .current_session import follow, running
from .exchange import Exchange, ResponseReplaced
from .types import AnyASGIApp, ASGIApp, Message, Receive, Scope, Send

__all__ = ["InnerSessionMiddleware", "run_inside"]

_logger = logging.getLogger("wsgessions.request")


class InnerSessionMiddleware:
    """Commits the session of a request and adds its headers at their source, next to the application.

    Installed innermost: ``SessionMiddleware(Cache(InnerSessionMiddleware(app)))``. `SessionMiddleware` alone does both
    outermost, so that a layer in between never sees the headers, and a cache there would store each response for all
    visitors (S-40); nor would it see an error response in place of the application's. Changes of a layer outside have
    their own commit.

    Args:
        app: the application, or the next layer.
    """

    def __init__(self, app: AnyASGIApp) -> None:
        self.app: ASGIApp = app
        follow("inner middleware")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application."""
        await run_inside(self.app, scope, receive, send)


async def run_inside(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run an application whose responses shall have the session's headers from the start.

    Args:
        app: the application.
        scope: the scope of its call.
        receive: its receive channel.
        send: the channel of the layer around it.
    """
    exchange = running.get() if scope["type"] == "http" else None
    if exchange is None or exchange.request.session is not scope.get("session"):
        await app(scope, receive, send)
        return
    inner = _InnerExchange(exchange, scope, send)
    try:
        await app(scope, receive, inner.send)
    except BaseException as error:
        if not await inner.is_answered(error):
            raise


class _InnerExchange:
    """The messages of an application's call, on their way to the layers around it."""

    def __init__(self, exchange: Exchange, scope: Scope, send: Send) -> None:
        self._exchange = exchange
        self._scope = scope
        self._channel = send
        self._started = False
        self._is_over = exchange.is_answered_inside
        """Whether nothing of the application is sent any more, because its response was replaced. A layer that calls
        it again after that gets no second one."""
        self._is_replaced = False
        """Whether the layers around have taken the error response in its place."""

    async def send(self, message: Message) -> None:
        """The application's send channel."""
        if self._is_over:
            return  # the application goes on, although its response was replaced
        if message["type"] == "http.response.start":
            await self._open(message)
        else:
            await self._channel(message)

    async def _open(self, message: Message) -> None:
        exchange = self._exchange
        if exchange.request.session is self._scope.get("session"):
            was_answered = exchange.is_answered_inside  # by the same part of an application that is mounted in this one
            try:
                message, self._channel = await exchange.open_inside(message, self._channel)
            except ResponseReplaced:
                self._is_replaced = True
                raise
            finally:
                self._is_over = exchange.is_answered_inside is not was_answered
        else:  # the framework applies changes of the session in another way, outside
            message = exchange.foresee(message)
        self._started = True
        await self._channel(message)

    async def is_answered(self, error: BaseException) -> bool:
        """Whether the layers around have a response in place of this error of the application, and need not see it.

        An error of the session that the application has not handled is answered here.
        """
        below = taken_back(self._channel)
        if below is not None:
            self._channel, self._started = below, False
        if not isinstance(error, Exception):
            return False
        if self._is_replaced:
            _logger.debug("the application's call ended after its response was replaced", exc_info=error)
            return True
        return not self._started and not self._is_over and await self._exchange.answer_inside(error, self._channel)
