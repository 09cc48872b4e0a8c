"""What frameworks say of sessions in their own configuration, in terms of the settings.

Their adapters pass on what a project has changed of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple

from ..errors import ConfigError
from .model import SessionSettings
from .sources import Sourced

__all__ = ["SESSION_COOKIE", "Lifetimes", "lifetimes_for", "refuse_cookie_beside"]

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
        others: the settings without it. An absolute timeout that is set limits the age; the default grows with it.
    """
    absolute = others.absolute_timeout
    if others.origin("absolute_timeout") == "default":
        absolute = max(age, absolute)
    return Lifetimes(min(age, absolute), absolute)


def refuse_cookie_beside(settings: SessionSettings, told: Mapping[str, Sourced]) -> None:
    """Refuse a configuration of the cookie that a given manager, which has its own, leaves without effect (R-07).

    Args:
        settings: those of the manager.
        told: the settings ``cookie.…`` that the framework's configuration means, with what said so.

    Raises:
        ConfigError: one of them differs; it names the first.
    """
    for setting, sourced in told.items():
        value = sourced.value
        meant = value.lower() if setting == "samesite" and isinstance(value, str) else value
        if getattr(settings.cookie, setting) != meant:
            raise ConfigError(
                "a manager is given, which has its own",
                setting=f"cookie.{setting}",
                origin=sourced.origin,
                hint="give it to the manager's settings",
            )
