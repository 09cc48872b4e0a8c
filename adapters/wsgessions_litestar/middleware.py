"""The middleware in the stack of each of Litestar's routes."""

from __future__ import annotations

import sys
from typing import Any

from litestar.exceptions import WebSocketException
from litestar.middleware.session import SessionMiddleware
from litestar.types import ASGIApp, Empty, Message, Receive, Scope, Send
from litestar.utils.scope.state import ScopeState

from wsgessions import Session, SessionId
from wsgessions.errors import WsgessionsError
from wsgessions.session import unit_of
from wsgessions.web import OPENS_RESPONSE

from .backend import WsgessionsSessionBackend
from .plain_data import accept_types_of_litestar
from .replacement import Replacement

__all__ = ["WsgessionsSessionMiddleware"]

_item_of = dict[str, Any].__getitem__
_INTERNAL_ERROR = 4500
"""The code with which Litestar closes a WebSocket whose handler has raised."""


class NotingScope(dict[str, Any]):
    """A scope that records an access to the session, as by ``connection.session`` (S-40).

    Litestar encodes responses in C, which bypasses the session's methods and reads its storage.
    """

    __slots__ = ()

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
            self._of, self._core = self._config.core, self._config.core_around(self._run)
        await self._core(scope, receive, send)  # type: ignore[arg-type]  # the core's types of ASGI are plain dicts

    async def _run(self, scope: Any, receive: Any, send: Any) -> None:
        session: Session = scope["session"]
        accept_types_of_litestar(session, scope)
        noting = NotingScope(scope)
        replacement = Replacement(noting, session)
        reserve_id = self._config.session_manager.requests.reserve_id
        ScopeState.from_scope(scope).session_id = _Told(reserve_id(unit_of(session)))

        async def take_over_and_send(message: Message) -> None:
            if message["type"] in OPENS_RESPONSE:
                replacement.take_over()
                if noting.get("session") is not Empty:
                    ScopeState.from_scope(scope).session_id = _Told(reserve_id(unit_of(session)))
            elif message["type"] == "websocket.close" and message.get("code") == _INTERNAL_ERROR:
                _heed_the_error(session)
            await send(message)

        await self.app(noting, receive, take_over_and_send)  # type: ignore[arg-type]  # a dict, as a scope is
        replacement.take_over()


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
