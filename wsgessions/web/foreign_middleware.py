"""Finds the session middleware of other packages in an application, by looks alone: no framework is imported.

Two kinds of sessions under one key of the scope would be mixed (R-50). Each request finds out whether a middleware
outside of ours has taken the key; one that is further inside takes it after ours, and can only be found by looking.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import MethodType
from typing import Any, Final

from ..errors import ConfigError

__all__ = ["foreign_name", "refuse_foreign_middleware", "two_kinds_of_sessions"]

_logger = logging.getLogger("wsgessions.middleware")

_FOREIGN: Final = frozenset(
    {
        ("starlette.middleware.sessions", "SessionMiddleware"),
        ("starsessions.middleware", "SessionMiddleware"),
        ("wsgessions_starlette.compat", "SessionMiddleware"),
        ("litestar.middleware.session.base", "SessionMiddleware"),
    }
)
_INWARD: Final = ("app", "middleware_stack", "router", "_app", "inner")
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
    seen: set[int] = set()
    for layer in _layers(applications, seen, host):
        kind = foreign_name(layer)
        if kind is not None and layer is not host:
            raise two_kinds_of_sessions(
                kind, hint="remove it, or replace it by wsgessions_starlette.compat.SessionMiddleware"
            )
        _report_mounts(layer, "", seen)


def two_kinds_of_sessions(name: str, *, hint: str) -> ConfigError:
    """The error that refuses another package's sessions beside ours.

    Args:
        name: the class that has the other ones.
        hint: the remedy.
    """
    return ConfigError(
        f"the application has {name} too, so two kinds of sessions would be mixed", setting="adapter", hint=hint
    )


def foreign_name(layer: object) -> str | None:
    """The name of the class of this middleware, if it or a class that it is derived from is another package's for
    sessions.

    Args:
        layer: the middleware, or its class.
    """
    kind = layer if isinstance(layer, type) else type(layer)
    for each in kind.__mro__:
        if (each.__module__, each.__qualname__) in _FOREIGN:
            return f"{kind.__module__}.{kind.__qualname__}"
    return None


def _report_mounts(layer: object, below: str, seen: set[int]) -> None:
    for route in _attributes(layer).get("routes") or ():
        inside = _attributes(route)
        if inside.get("app") is None:
            continue
        path = below + str(inside.get("path", ""))
        layers = list(_layers((inside["app"],), seen))
        for kind in {name for name in map(foreign_name, layers) if name is not None}:
            _logger.warning(
                "what is mounted at %s has %s: its requests see those sessions in place of the ones of wsgessions",
                path or "/",
                kind,
                extra={"event": "foreign_middleware"},
            )
        for mounted in layers:
            _report_mounts(mounted, path, seen)


def _layers(outermost: tuple[object, ...], seen: set[int], host: object = None) -> Iterator[object]:
    """The layers of applications, each once, from the outside inward.

    A layer may hide those inside of it, as a function does. An application that keeps a list of its middleware
    therefore yields each class in it, besides the objects that can be seen; except once that of ``host``.
    """
    todo = list(outermost)
    while todo:
        layer = todo.pop()
        if isinstance(layer, MethodType):
            layer = layer.__self__
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        yield layer
        inside = _attributes(layer)
        todo += [inside[name] for name in _INWARD if inside.get(name) is not None]
        kinds = [entry.cls for entry in inside.get("user_middleware") or () if hasattr(entry, "cls")]
        if type(host) in kinds:
            kinds.remove(type(host))
        yield from kinds


def _attributes(layer: object) -> dict[str, Any]:
    """What an object keeps itself. No property is asked: it might do something."""
    return vars(layer) if hasattr(layer, "__dict__") and not isinstance(layer, type) else {}
