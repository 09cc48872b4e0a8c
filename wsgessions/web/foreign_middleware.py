"""Finds the session middleware of other packages in an application, by looks alone: no framework is imported.

Two kinds of sessions under one key of the scope would be mixed (R-50). Each request finds out whether a middleware
outside of ours has taken the key; one that is further inside takes it after ours, and can only be found by looking.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any, Final

from ..errors import ConfigError

__all__ = ["refuse_foreign_middleware"]

_logger = logging.getLogger("wsgessions.middleware")

_FOREIGN: Final = frozenset(
    {
        ("starlette.middleware.sessions", "SessionMiddleware"),
        ("starsessions.middleware", "SessionMiddleware"),
        ("wsgessions_starlette.compat", "SessionMiddleware"),
        ("litestar.middleware.session.base", "SessionMiddleware"),
    }
)
_INWARD: Final = ("app", "middleware_stack", "_app", "inner")
"""The names under which a middleware keeps the next layer."""


def refuse_foreign_middleware(*applications: object, host: object = None) -> None:
    """Look for another session middleware in these applications, which may share layers.

    In a mounted application it is logged: its sessions are its own, and hide ours from it alone, as those of an
    administration site.

    Args:
        applications: the outermost layers.
        host: the middleware that ours is a part of, if there is one.

    Raises:
        ConfigError: there is one in the application's own stack.
    """
    for layer in _layers(*applications):
        kind = _foreign(layer)
        if kind is not None and layer is not host:
            raise ConfigError(
                f"the application has {kind} too, so two kinds of sessions would be mixed",
                setting="adapter",
                hint="remove it, or replace it by wsgessions_starlette.compat.SessionMiddleware",
            )
        for path, mounted in _mounts(layer):
            _report(path, mounted)


def _report(path: str, mounted: object) -> None:
    for layer in _layers(mounted):
        kind = _foreign(layer)
        if kind is not None:
            _logger.warning(
                "the application mounted at %s has %s: its requests see those sessions in place of the ones of "
                "wsgessions",
                path or "/",
                kind,
                extra={"event": "foreign_middleware"},
            )


def _layers(*outermost: object) -> Iterator[object]:
    """The layers of applications, each once, from the outside inward; a class where its object is not made yet."""
    seen: set[int] = set()
    todo = list(outermost)
    while todo:
        layer = todo.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        inside = _attributes(layer)
        todo += [inside[name] for name in _INWARD if inside.get(name) is not None]
        entries: Iterable[Any] = inside.get("user_middleware") or ()
        if inside.get("middleware_stack") is None:
            todo += [entry.cls for entry in entries if hasattr(entry, "cls")]
        if "router" in inside:
            todo.append(inside["router"])


def _mounts(layer: object) -> Iterator[tuple[str, object]]:
    """The applications that a router passes requests to, with their paths."""
    for route in _attributes(layer).get("routes") or ():
        inside = _attributes(route)
        if inside.get("app") is not None:
            yield str(inside.get("path", "")), inside["app"]


def _attributes(layer: object) -> dict[str, Any]:
    """What an object keeps itself. No property is asked: it might do something."""
    return vars(layer) if hasattr(layer, "__dict__") and not isinstance(layer, type) else {}


def _foreign(layer: object) -> str | None:
    """The name of the class of this layer, if it is one of another session middleware."""
    kind = layer if isinstance(layer, type) else type(layer)
    for each in kind.__mro__:
        if (each.__module__, each.__qualname__) in _FOREIGN:
            return f"{kind.__module__}.{kind.__qualname__}"
    return None
