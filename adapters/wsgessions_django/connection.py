"""How typed code accesses the session of a request."""

from __future__ import annotations

import asyncio

from django.http import HttpRequest

from wsgessions import Session
from wsgessions.errors import ConfigError

from .engine import SessionStore

__all__ = ["get_session"]


def get_session(request: HttpRequest) -> Session:
    """The session behind ``request.session``, with the methods of wsgessions such as ``rotate_id()``.

    It is loaded now, if it was not. In a coroutine, on a path that is excluded from loading, the caller has to load it
    by ``await session.load()``.

    Raises:
        ConfigError: the request has no session of wsgessions.
        StoreUnavailable: the store did not answer.
    """
    store: object = getattr(request, "session", None)
    if not isinstance(store, SessionStore):
        raise ConfigError(
            "there is no session",
            setting="adapter",
            hint='put "wsgessions_django.SessionMiddleware" into MIDDLEWARE, with SESSION_ENGINE = "wsgessions_django"',
        )
    return store.loaded(unless_left_out=_is_in_coroutine())


def _is_in_coroutine() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
