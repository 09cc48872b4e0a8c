"""The settings of the session's cookie in Quart's own configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from quart import Quart

from wsgessions import SessionManager, SessionSettings
from wsgessions.settings.framework_words import SESSION_COOKIE, absolute_for, cookie_of
from wsgessions.settings.sources import Sourced
from wsgessions.store.contract import Store

__all__ = ["manager_of", "said_of_cookie"]

_SETTINGS: Final = {
    **SESSION_COOKIE,
    "SESSION_COOKIE_SECURE": "secure",
    "SESSION_COOKIE_PARTITIONED": "partitioned",
}
"""Each key of Quart's configuration with the setting ``cookie.…`` that means the same."""


def said_of_cookie(app: Quart) -> dict[str, Any]:
    """The settings of the cookie that the project has changed; the others keep the safe defaults of wsgessions."""
    return {
        setting: app.config[key] for key, setting in _SETTINGS.items() if app.config.get(key) != app.default_config[key]
    }


def manager_of(
    app: Quart, settings: SessionSettings | None, overrides: Mapping[str, Any], store: Store | None
) -> SessionManager:
    """A manager for an application.

    Args:
        app: the application. Its configuration of the cookie precedes ``settings``.
        settings: the settings to start from.
        overrides: single settings by name; these precede all others.
    """
    others = SessionSettings.load(settings, {name: value for name, value in overrides.items() if name != "cookie"})
    said, given = said_of_cookie(app), overrides.get("cookie", {})
    if said and isinstance(given, Mapping):
        overrides = {**overrides, "cookie": {**cookie_of(said, others, names="name" in given), **given}}
    absolute = absolute_for(app.permanent_session_lifetime, others)
    if absolute != others.absolute_timeout:  # for ``session.permanent``
        overrides = {**overrides, "absolute_timeout": Sourced(absolute, "Quart's PERMANENT_SESSION_LIFETIME")}
    return SessionManager(settings, store=store, **overrides)
