"""The settings of the session's cookie in Quart's own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quart import Quart

from wsgessions import SessionManager, SessionSettings
from wsgessions.settings.framework_words import SESSION_COOKIE
from wsgessions.store.contract import Store

__all__ = ["cookie_of", "manager_of"]

_SETTINGS: Final = {
    **SESSION_COOKIE,
    "SESSION_COOKIE_SECURE": "secure",
    "SESSION_COOKIE_PARTITIONED": "partitioned",
}
"""Each key of Quart's configuration with the setting ``cookie.…`` that means the same."""


def cookie_of(app: Quart) -> dict[str, Any]:
    """The settings of the cookie that the project has changed; the others keep the safe defaults of wsgessions."""
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
        app: the application. Its configuration of the cookie precedes ``settings``.
        settings: the settings to start from.
        overrides: single settings by name; these precede all others.
    """
    changed, given = cookie_of(app), overrides.get("cookie")
    if changed and (given is None or isinstance(given, Mapping)):
        overrides = {**overrides, "cookie": {**changed, **(given or {})}}
    return SessionManager(settings, store=store, **overrides)
