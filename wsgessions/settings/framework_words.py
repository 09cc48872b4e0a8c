"""What frameworks say of sessions in their own configuration, in terms of the settings.

Their adapters pass on what a project has changed of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from ..errors import ConfigError
from .assurance import ASSURANCE_LIMITS
from .cookie import MAX_COOKIE_AGE, suffix_of
from .model import SessionSettings
from .sources import Sourced

__all__ = [
    "SESSION_COOKIE",
    "Lifetimes",
    "absolute_for",
    "cookie_of",
    "lifetimes_for",
    "meaning",
    "refuse_cookie_beside",
]

SESSION_COOKIE: Final[Mapping[str, str]] = {
    "SESSION_COOKIE_NAME": "name",
    "SESSION_COOKIE_PATH": "path",
    "SESSION_COOKIE_DOMAIN": "domain",
    "SESSION_COOKIE_HTTPONLY": "httponly",
    "SESSION_COOKIE_SAMESITE": "samesite",
}
"""The names that Flask, Quart and Django have in common, with the settings ``cookie.…`` of the same meaning."""


class Lifetimes(NamedTuple):
    """The timeouts that an age of sessions means."""

    idle: timedelta
    absolute: timedelta


def lifetimes_for(age: timedelta, others: SessionSettings) -> Lifetimes:
    """The timeouts of sessions that a framework's configuration gives this age.

    Args:
        age: how long a session lives without use.
        others: the settings without it. An absolute timeout or an `assurance` that is set limits the age.
    """
    absolute = absolute_for(age, others)
    limit = ASSURANCE_LIMITS.get(others.assurance)
    longest = absolute if limit is None or limit.idle is None else min(limit.idle, absolute)
    return Lifetimes(min(age, longest), absolute)


def absolute_for(age: timedelta, others: SessionSettings) -> timedelta:
    """The absolute timeout with which sessions of this age are possible, as far as it is not set.

    Frameworks have no absolute timeout. Where their words ask for more than its default, it becomes the longest there
    is: an age is counted from the latest use, so no timeout near it would be enough.

    Args:
        age: the longest that a framework's words give a session.
        others: the settings without them.
    """
    is_set = others.assurance != "none" or others.origin("absolute_timeout") != "default"
    return others.absolute_timeout if is_set or age <= others.absolute_timeout else MAX_COOKIE_AGE


def cookie_of(said: Mapping[str, Any], others: SessionSettings, *, names: bool) -> dict[str, Any]:
    """What a framework's words for the cookie mean: settings ``cookie.…``.

    Args:
        said: the words by the names of our settings; plain values, or with the place of each.
        others: the settings without them.
        names: whether other words, which precede these, name the cookie.
    """
    cookie = {setting: _with(value, meaning(setting, _bare(value))) for setting, value in said.items()}
    shares = [each for each in ("domain", "path") if _bare(cookie.get(each)) not in {None, "/"}]
    named = names or "name" in cookie or others.origin("cookie.name") != "default"
    if shares and not named and not _bare(cookie.get("insecure", others.cookie.insecure)):
        # A __Host- cookie has neither; this is the safest name that does.
        name = f"__Secure-sid{suffix_of(others.context_path)}"
        cookie["name"] = _with(cookie[shares[0]], name)
    return cookie


def meaning(setting: str, value: Any) -> Any:
    """A framework's word for a setting ``cookie.…``: False or None is no SameSite attribute, an empty domain none."""
    if setting == "samesite":
        return value.lower() if isinstance(value, str) else "off" if value is None or value is False else value
    if setting == "domain":
        return value.removeprefix(".") or None if isinstance(value, str) else value or None
    return value


def _bare(value: Any) -> Any:
    return value.value if isinstance(value, Sourced) else value


def _with(before: Any, value: Any) -> Any:
    """A value in place of another, with its origin."""
    return Sourced(value, before.origin) if isinstance(before, Sourced) else value


def refuse_cookie_beside(settings: SessionSettings, told: Mapping[str, Sourced]) -> None:
    """Refuse a configuration of the cookie that a given manager, which has its own, leaves without effect (R-07).

    Args:
        settings: those of the manager.
        told: the settings ``cookie.…`` that the framework's configuration means, with what said so.

    Raises:
        ConfigError: one of them differs; it names the first.
    """
    for setting, sourced in told.items():
        if getattr(settings.cookie, setting) != meaning(setting, sourced.value):
            raise ConfigError(
                "a manager is given, which has its own",
                setting=f"cookie.{setting}",
                origin=sourced.origin,
                hint="give it to the manager's settings",
            )
