"""How typed code accesses the session of a request or WebSocket."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from wsgessions import Session
from wsgessions.errors import ConfigError

__all__ = ["get_session"]


def get_session(connection: HTTPConnection) -> Session:
    """The same as ``connection.session``, which type checkers take for a plain dict.

    Raises:
        ConfigError: no session middleware of wsgessions is installed.
    """
    session = connection.scope.get("session")
    if not isinstance(session, Session):
        raise ConfigError("there is no session", setting="adapter", hint="install(app) comes before the first request")
    session.mark_accessed()
    return session
