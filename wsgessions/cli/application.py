"""Finds the sessions of an application that is named as for a server: ``shop.main:app``."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from ..manager import SessionManager

__all__ = ["manager_of_application"]


def manager_of_application(name: str) -> SessionManager:
    """The manager of the application's sessions, with the settings that its code gives; it is not started.

    Args:
        name: the module and the variable with the application. Modules in the working directory are found.

    Raises:
        ConfigError: there is no such application, or it has no sessions of wsgessions.
    """
    module, _, variable = name.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found: object = import_module(module)
        for each in (variable or "app").split("."):
            found = getattr(found, each)
    except (ImportError, AttributeError, ValueError) as error:
        hint = "name module and variable, as for the server: --app shop.main:app"
        raise ConfigError(f"{name!r} cannot be imported: {error}", setting="--app", hint=hint) from error
    manager = _manager_of(found)
    if manager is None:
        hint = "name what the server serves, with the sessions installed"
        raise ConfigError(f"{name!r} has no sessions of wsgessions", setting="--app", hint=hint)
    return manager


def _manager_of(app: Any) -> SessionManager | None:
    """The manager in the places where adapters put it, or that of a middleware in or around the application."""
    from ..manager import SessionManager

    while app is not None:
        state, extensions = getattr(app, "state", None), getattr(app, "extensions", {})
        for found in (getattr(app, "manager", None), getattr(state, "wsgessions", None), extensions.get("wsgessions")):
            if isinstance(found, SessionManager):
                return found
        for entry in getattr(app, "user_middleware", ()):  # of Starlette, which makes it when it starts
            if entry.cls.__module__.partition(".")[0].startswith("wsgessions"):
                return _manager_of(entry.cls(app, *entry.args, **entry.kwargs))
        app = getattr(app, "app", None)
    return None
