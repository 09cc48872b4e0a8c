"""What Quart's own configuration says about the session's cookie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quart import Quart

from wsgessions import SessionManager, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.store.contract import Store

__all__ = ["check_no_effect", "cookie_of", "manager_of"]

_SETTINGS: Final = {
    "SESSION_COOKIE_NAME": "name",
    "SESSION_COOKIE_PATH": "path",
    "SESSION_COOKIE_DOMAIN": "domain",
    "SESSION_COOKIE_SECURE": "secure",
    "SESSION_COOKIE_HTTPONLY": "httponly",
    "SESSION_COOKIE_SAMESITE": "samesite",
    "SESSION_COOKIE_PARTITIONED": "partitioned",
}
"""Each key of Quart's configuration with the setting ``cookie.…`` that means the same."""


def cookie_of(app: Quart) -> dict[str, Any]:
    """The settings of the cookie that the project has changed; what it left alone stays as safe as ours is."""
    changed = {
        setting: app.config[key] for key, setting in _SETTINGS.items() if app.config.get(key) != app.default_config[key]
    }
    if isinstance(samesite := changed.get("samesite"), str):
        changed["samesite"] = samesite.lower()
    return changed


def manager_of(
    app: Quart, settings: SessionSettings | None, overrides: Mapping[str, Any], store: Store | None
) -> SessionManager:
    """A manager for an application.

    Args:
        app: the application. What its configuration says of the cookie goes before ``settings``.
        settings: the settings to start from.
        overrides: single settings by name; these go before all others.
    """
    changed, given = cookie_of(app), overrides.get("cookie")
    if changed and (given is None or isinstance(given, Mapping)):
        overrides = {**overrides, "cookie": {**changed, **(given or {})}}
    return SessionManager(settings, store=store, **overrides)


def check_no_effect(app: Quart, manager: SessionManager) -> None:
    """Refuse a configuration of the cookie that a given manager, which has its own, leaves without effect (R-07)."""
    for setting, value in cookie_of(app).items():
        if getattr(manager.settings.cookie, setting) != value:
            raise ConfigError(
                "Quart's configuration sets it too, and a manager is given, which has its own",
                setting=f"cookie.{setting}",
                hint="give it to the manager's settings",
            )
