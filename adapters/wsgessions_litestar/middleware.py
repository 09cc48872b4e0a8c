"""The middleware in the stack of each of Litestar's routes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from litestar.exceptions import WebSocketException
from litestar.middleware.session import SessionMiddleware
from litestar.types import ASGIApp, Empty, Message, Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from wsgessions import Session, SessionId
from wsgessions.errors import WsgessionsError
from wsgessions.session import UnitOfWork, unit_of
from wsgessions.web import OPENS_RESPONSE
from wsgessions.web.inner_middleware import InnerSessionMiddleware

from .backend import WsgessionsSessionBackend
from .plain_data import accept_types_of_litestar
from .replacement import Replacement

__all__ = ["WsgessionsInnerMiddleware", "WsgessionsSessionMiddleware"]

_item_of = dict[str, Any].__getitem__
_INTERNAL_ERROR = 4500
"""The code with which Litestar closes a WebSocket whose handler has raised."""


class NotingScope(dict[str, Any]):
    """A scope that records an access to the session, as by ``connection.session`` (S-40).

    Litestar encodes responses in C, which bypasses the session's methods and reads its storage.

    Args:
        scope: the scope of the connection, with the session in it.
        session: that session.
        reserve_id: gives the session an id, if it has none.
    """

    __slots__ = ("_replacement", "_reserve_id", "_session")

    def __init__(self, scope: Any, session: Session, reserve_id: Callable[[UnitOfWork], str]) -> None:
        super().__init__(scope)
        self._session = session
        self._replacement = Replacement(self, session)
        self._reserve_id = reserve_id
        self._tell_id()

    def take_over(self) -> None:
        """Apply the object that the application has put in place of the session, as by ``set_session``.

        Raises:
            WsgessionsError: as `Replacement.take_over`.
        """
        self._replacement.take_over()

    def before_response(self) -> None:
        """The same before the headers leave; and make the id known that they tell.

        Raises:
            WsgessionsError: as `Replacement.take_over`.
        """
        self.take_over()
        if self.get("session") is not Empty:
            self._tell_id()

    def _tell_id(self) -> None:
        ScopeState.from_scope(self).session_id = _Told(self._reserve_id(unit_of(self._session)))  # type: ignore[arg-type]  # a dict, as a scope is

    def __getitem__(self, key: str) -> Any:
        value = _item_of(self, key)
        if key == "session" and isinstance(value, Session):
            value.mark_accessed()
        return value


class WsgessionsSessionMiddleware(SessionMiddleware[WsgessionsSessionBackend]):
    """Runs the core's `wsgessions.SessionMiddleware` in place of Litestar's own.

    Args:
        app: the next application of the stack.
        backend: the backend; its configuration names the paths and scopes that are excluded.
    """

    def __init__(self, app: ASGIApp, backend: WsgessionsSessionBackend) -> None:
        super().__init__(app, backend)
        self._config = backend.config
        self._of: object = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request or WebSocket. Inside another middleware of the same sessions, that one does all the work."""
        present: object = scope.get("session")
        if isinstance(present, Session) and self._config.session_manager.requests.owns(present):
            await self.app(scope, receive, send)
            return
        if self._of is not self._config.core:  # the first time, and after a change of the configuration
            self._config.check_route(scope["route_handler"])
            self._of, self._core = self._config.core, self._config.core_around(self._run)
        await self._core(scope, receive, send)  # type: ignore[arg-type]  # the core's types of ASGI are plain dicts

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        session: Session = scope["session"]
        accept_types_of_litestar(session, scope)
        noting = NotingScope(scope, session, self._config.session_manager.requests.reserve_id)

        async def take_over_and_send(message: Message) -> None:
            if message["type"] in OPENS_RESPONSE:
                noting.before_response()
            elif message["type"] == "websocket.close" and message.get("code") == _INTERNAL_ERROR:
                _heed_the_error(session)
            await send(message)

        await self.app(noting, receive, take_over_and_send)  # type: ignore[arg-type]  # a dict, as a scope is
        noting.take_over()


class WsgessionsInnerMiddleware:
    """The core's `InnerSessionMiddleware`, which finds the session in the scope where the application had replaced it.

    Args:
        app: the application, or the next layer.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._inner = InnerSessionMiddleware(self._run)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request or WebSocket of the application."""
        await self._inner(scope, receive, send)  # type: ignore[arg-type]  # the core's types of ASGI are plain dicts

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        async def take_over_and_send(message: Message) -> None:
            if message["type"] in OPENS_RESPONSE:
                scope.before_response()
            await send(message)

        await self.app(scope, receive, take_over_and_send if isinstance(scope, NotingScope) else send)


class _Told(str):
    """An id for ``connection.get_session_id()``: text, but hidden from code that shows the state of a scope (S-80)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(SessionId(str(self)))


def _heed_the_error(session: Session) -> None:
    """Act on an error of a WebSocket's handler, which Litestar has turned into a close message, as if raised."""
    unit = unit_of(session)
    error = sys.exc_info()[1]
    if error is None or isinstance(error, WebSocketException):
        return
    session_error = error if isinstance(error, WsgessionsError) else unit.store_error
    if session_error is not None:
        raise session_error
    unit.rollback(session)
