"""Sessions in Django's settings, and the manager made from them, one per process."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from django.conf import settings as django_settings
from django.core.signals import setting_changed

from wsgessions import SessionManager, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.settings.cookie import MAX_COOKIE_AGE
from wsgessions.settings.framework_words import (
    SESSION_COOKIE,
    absolute_for,
    cookie_of,
    lifetimes_for,
    refuse_cookie_beside,
)
from wsgessions.settings.sources import CONSTRUCTOR, Sourced, from_constructor, merged, shielded

from .stock import session_middlewares

__all__ = ["check_no_effect", "current_manager", "is_changed", "settings_of_project", "use_manager"]

_OURS: Final = "WSGESSIONS"


class _Process:
    """The state of this process. Reentrant: making a manager reads the cookie from Django's settings."""

    lock: Final = threading.RLock()
    manager: SessionManager | None = None
    written_names: Final[set[str]] = set()
    """Names of the cookie that were written into Django's settings. Tests that change settings restore old ones."""


def current_manager() -> SessionManager:
    """The manager of the sessions of this process: the adapter's, or one made from the project's settings.

    Raises:
        ConfigError: a setting is wrong.
    """
    manager = _Process.manager
    if manager is not None:
        return manager
    with _Process.lock:
        if _Process.manager is None:
            use_manager(SessionManager(settings_of_project()))
        assert _Process.manager is not None  # noqa: S101 - for type checkers
        return _Process.manager


def use_manager(manager: SessionManager) -> None:
    """Make a manager the one of this process, until a test changes a setting that it was made from."""
    with _Process.lock:
        _Process.manager = manager
        _tell_name()


def settings_of_project(
    base: SessionSettings | None = None, overrides: Mapping[str, Any] | None = None
) -> SessionSettings:
    """The settings of wsgessions in the project.

    ``overrides``, and what code has set in ``base``, precede Django's ``WSGESSIONS``; that precedes Django's
    ``SESSION_…`` settings, if the project has changed them; then come environment and files.

    Raises:
        ConfigError: a setting is wrong.
    """
    ours = getattr(django_settings, _OURS, {})
    if not isinstance(ours, Mapping):
        raise ConfigError("expected a dict", setting=_OURS, origin="Django's settings")
    above: dict[str, Any] = {}
    for layer in (_sourced(ours), {} if base is None else _by_code(base.given), overrides or {}):
        above = merged(above, from_constructor(SessionSettings, shielded(SessionSettings, layer)))
    others = SessionSettings.load(base, {name: value for name, value in above.items() if name != "cookie"})
    ours = above.get("cookie", {})
    found = _of_lifetimes(others, keeps_default=not _says_how_long(others, ours))
    said = _of_cookie()
    if not (django_settings.DEBUG or {*said, *ours} & {"secure", "insecure"} or others.cookie.insecure):
        # Behind a proxy with TLS the requests of a project that is in use come over plain http.
        said["secure"] = Sourced(True, "Django's setting DEBUG")
    if "insecure" in ours:
        said.pop("secure", None)
    if said:
        found["cookie"] = cookie_of(said, others, names="name" in ours) | found.get("cookie", {})
    below = from_constructor(SessionSettings, shielded(SessionSettings, found))
    return SessionSettings.load(base, merged(below, above))


def is_changed(name: str) -> bool:
    """Whether the project has changed a setting of Django, or has set it to its default explicitly."""
    if not django_settings.is_overridden(name):
        return False
    return name != "SESSION_COOKIE_NAME" or django_settings.SESSION_COOKIE_NAME not in _Process.written_names


def check_no_effect(manager: SessionManager) -> None:
    """Reject settings of Django that have no effect because a manager is given, which has its own (R-07)."""
    lifetimes = _of_lifetimes(manager.settings, keeps_default=False)
    refuse_cookie_beside(manager.settings, _of_cookie() | lifetimes.get("cookie", {}))


def _of_cookie() -> dict[str, Sourced]:
    """What Django's settings say of the cookie, as far as the project has changed them."""
    cookie = {setting: _said(name) for name, setting in SESSION_COOKIE.items() if is_changed(name)}
    if is_changed("SESSION_COOKIE_SECURE"):
        secure = _said("SESSION_COOKIE_SECURE")
        cookie["insecure"] = Sourced(not secure.value, secure.origin)
        if secure.value:
            cookie["secure"] = secure  # over plain http too
    return cookie


def _of_lifetimes(others: SessionSettings, *, keeps_default: bool) -> dict[str, Any]:
    """The settings that Django's words for the age of sessions mean.

    Args:
        others: the settings without them.
        keeps_default: whether Django's default of ``SESSION_COOKIE_AGE`` is in force, too.
    """
    age = _said("SESSION_COOKIE_AGE")
    found: dict[str, Any] = {}
    absolute = absolute_for(MAX_COOKIE_AGE, others)  # `set_expiry` may ask for any age
    if absolute != others.absolute_timeout:
        found["absolute_timeout"] = Sourced(absolute, "Django's set_expiry()")
    if keeps_default or is_changed("SESSION_COOKIE_AGE"):
        idle = lifetimes_for(timedelta(seconds=age.value), others).idle
        found["max_inactive_interval"] = Sourced(idle, age.origin)
        if not django_settings.SESSION_EXPIRE_AT_BROWSER_CLOSE:
            kept = min(age.value, int(absolute.total_seconds()))
            found["cookie"] = {"max_age": Sourced(kept, age.origin)}
    return found


def _says_how_long(others: SessionSettings, cookie: Mapping[str, Any]) -> bool:
    """Whether the project says in our words how long a session lasts, so that no default of Django's is kept."""
    names = ("max_inactive_interval", "assurance", "cookie.max_age")
    return "max_age" in cookie or any(others.origin(name) != "default" for name in names)


def _said(name: str) -> Sourced:
    return Sourced(getattr(django_settings, name), f"Django's setting {name}")


def _sourced(given: Mapping[str, Any]) -> dict[str, Any]:
    origin = f"Django's setting {_OURS}"
    return {
        name: {key: Sourced(inner, origin) for key, inner in value.items()}
        if isinstance(value, Mapping)
        else Sourced(value, origin)
        for name, value in given.items()
    }


def _by_code(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the constructor was given, without those of other origins."""
    kept: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, Sourced):
            if value.origin == CONSTRUCTOR:
                kept[name] = value
        elif inner := _by_code(value):
            kept[name] = inner
    return kept


def _tell_name() -> None:
    """Write the cookie's name into Django's settings, where Django's test client and other code look for it."""
    manager = _Process.manager
    if manager is None or session_middlewares()[0]:
        return
    name = manager.settings.cookie.name
    if name != django_settings.SESSION_COOKIE_NAME and not is_changed("SESSION_COOKIE_NAME"):
        _Process.written_names.add(name)
        django_settings.SESSION_COOKIE_NAME = name


def _follow(*, setting: str, **_: Any) -> None:
    """Follow a setting that a test has changed, or changed back."""
    with _Process.lock:
        if setting.startswith("SESSION_") or setting in {_OURS, "MIDDLEWARE"}:
            _Process.manager = None
        _tell_name()


setting_changed.connect(_follow, dispatch_uid="wsgessions_django")
