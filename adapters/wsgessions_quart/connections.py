"""The layer between the sessions and Quart: it passes on errors and cancellations as ASGI defines them.

Quart answers an error of a WebSocket itself, and up to 0.22 leaves its tasks running when its call is cancelled. The
session middleware has to know of both: that the handler has failed (R-32), and that the call is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from quart import Quart, websocket
from quart.signals import got_websocket_exception

from wsgessions import Session
from wsgessions.errors import WsgessionsError
from wsgessions.session import unit_of
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send
from wsgessions.web.call_tasks import CallTasks
from wsgessions.web.inner_middleware import run_inside

__all__ = ["Inside", "ending_with_its_call"]

_ERROR = "wsgessions.error"


class Inside:
    """The application as the session middleware sees it.

    Args:
        app: the application, with its middleware.
        quart: the Quart application inside it.
        before: is called before each request and WebSocket, and may refuse it.
    """

    def __init__(self, app: ASGIApp, quart: Quart, *, before: Callable[[], None]) -> None:
        self.app = app
        self._before = before
        got_websocket_exception.connect(self._note_error, quart)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application."""
        if scope["type"] != "lifespan":
            self._before()
        try:
            await self.app(scope, receive, _refusing(scope, send) if scope["type"] == "websocket" else send)
        except BaseExceptionGroup as group:
            first, *others = group.exceptions
            if others:
                raise
            raise first from first.__cause__  # Quart 0.23 runs each call as a group

    async def _note_error(self, _: Quart, exception: Exception, **_rest: Any) -> None:
        """Roll back what a failed handler changed and did not commit, although Quart answers its error (R-32)."""
        scope = cast("Scope", websocket.scope)
        if isinstance(exception, WsgessionsError):
            scope[_ERROR] = exception
        session = scope.get("session")
        if isinstance(session, Session):
            unit_of(session).rollback(session)


def _refusing(scope: Scope, send: Send) -> Send:
    """Close a WebSocket with the code that names the error of its session (F-00a); Quart would use a normal end."""

    async def send_or_raise(message: Message) -> None:
        error = scope.pop(_ERROR, None)
        if error is not None:
            raise error
        await send(message)

    return send_or_raise


def ending_with_its_call(base: type[Any]) -> type[Any]:
    """A class of Quart's connections whose tasks end when its call is cancelled, as when a stream is cut (S-54).

    The middleware around ``app.asgi_app`` sees the session's headers (S-40).
    """

    class Connection(base):  # type: ignore[misc]  # whatever class the application has
        def __init__(self, *args: Any, **named: Any) -> None:
            super().__init__(*args, **named)
            self._tasks = CallTasks()

        async def __call__(self, receive: Any, send: Any) -> None:
            try:
                await run_inside(self._call, self.scope, receive, send)
            except asyncio.CancelledError:
                await self._tasks.cancel()
                raise

        async def _call(self, _scope: Scope, receive: Receive, send: Send) -> None:
            await super().__call__(receive, send)

        async def handle_messages(self, *args: Any) -> None:
            self._tasks.enter()
            await super().handle_messages(*args)

        async def handle_request(self, *args: Any) -> None:
            self._tasks.enter()
            await super().handle_request(*args)

        async def handle_websocket(self, *args: Any) -> None:
            self._tasks.enter()
            await super().handle_websocket(*args)

    return Connection
