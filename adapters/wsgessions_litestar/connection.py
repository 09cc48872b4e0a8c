"""How typed code accesses the session of a request or WebSocket."""

from __future__ import annotations

from typing import Any

from litestar.connection import ASGIConnection

from wsgessions import Session
from wsgessions.errors import ConfigError

__all__ = ["get_session"]


def get_session(connection: ASGIConnection[Any, Any, Any, Any]) -> Session:
    """The same as ``connection.session``, which type checkers take for a plain dict.

    Raises:
        ConfigError: the connection has no session of wsgessions: none is installed, the route is excluded, or the
            session was cleared or replaced during this request.
    """
    session: object = connection.scope.get("session")
    if not isinstance(session, Session):
        raise ConfigError("there is no session", setting="adapter", hint="add LitestarAdapter() to the plugins")
    session.mark_accessed()
    return session
