"""Finds the session middleware of other packages in an application: two kinds of sessions would be mixed (R-50)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from litestar import Litestar
from litestar.middleware.base import DefineMiddleware
from litestar.routes import HTTPRoute
from litestar.security.session_auth import SessionAuth

from wsgessions.web.foreign_middleware import foreign_name, two_kinds_of_sessions

from .middleware import WsgessionsSessionMiddleware

__all__ = ["refuse_foreign_middleware", "refuse_foreign_middleware_of_routes"]


def refuse_foreign_middleware(entries: Iterable[Any]) -> None:
    """Look for another session middleware among these entries of a list of middleware.

    Raises:
        ConfigError: there is one.
    """
    for kind, backend in _session_middlewares(entries):
        if not issubclass(kind, WsgessionsSessionMiddleware):
            named = kind if backend is None else type(backend)
            raise two_kinds_of_sessions(f"{named.__module__}.{named.__qualname__}", hint="remove it")


def refuse_foreign_middleware_of_routes(app: Litestar) -> None:
    """Look for routes that have our session middleware and another one, whichever layer each belongs to.

    Raises:
        ConfigError: there is one.
    """
    for route in app.routes:
        for handler in route.route_handlers if isinstance(route, HTTPRoute) else [route.route_handler]:
            entries = handler.resolve_middleware()
            if any(issubclass(kind, WsgessionsSessionMiddleware) for kind, _ in _session_middlewares(entries)):
                refuse_foreign_middleware(entries)


def _session_middlewares(entries: Iterable[Any]) -> Iterator[tuple[type[Any], object]]:
    """The classes of session middleware among these entries, with their backends, if they have one."""
    for entry in entries:
        kind, backend = entry, None
        if isinstance(entry, DefineMiddleware):
            kind, backend = entry.middleware, entry.kwargs.get("backend")
            auth: Any = entry.kwargs.get("config")
            if issubclass(type(auth), SessionAuth):  # which wraps that of its sessions in its own
                kind, backend = auth.session_backend_config.middleware.middleware, auth.session_backend
        if isinstance(kind, type) and foreign_name(kind) is not None:
            yield kind, backend
