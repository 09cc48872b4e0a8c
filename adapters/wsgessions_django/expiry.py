"""Django's expiry of a session in terms of wsgessions: ``set_expiry`` and the attribute that stores it.

Django's expiry is a number of seconds without use, 0 for "until the browser closes", or an instant, as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings as django_settings

from wsgessions import Session, SessionManager
from wsgessions.record import LONGEST_INTERVAL_MS
from wsgessions.session import unit_of
from wsgessions.session.lazy_values import LazyValue

__all__ = [
    "check_expiry",
    "cookie_age",
    "ends_with_browser",
    "idle_time",
    "is_over",
    "put_in_force",
    "seconds_left",
    "tell_cookie",
]

NAME: Final = "_session_expiry"
"""The attribute, with the name that all of Django's engines use."""
_SHORTEST: Final = timedelta(milliseconds=1)
_LONGEST: Final = LONGEST_INTERVAL_MS // 1000
"""Seconds."""


def cookie_age(manager: SessionManager) -> int:
    """Seconds that a session without its own expiry may be idle."""
    return (manager.settings.interval_ms or manager.settings.lifetime_ms) // 1000


def seconds_left(manager: SessionManager, session: Session) -> int:
    """Seconds until the session ends in any case."""
    record = unit_of(session).record
    left_ms = manager.settings.lifetime_ms if record is None else record.deadline_ms - manager.store.clock.now_ms()
    return max(0, left_ms // 1000)


def ends_with_browser(manager: SessionManager) -> bool:
    """Whether the cookie of a session without its own expiry ends when the browser is closed."""
    return manager.settings.cookie.max_age is None


def check_expiry(value: object) -> None:
    """Reject a number of seconds that no record can hold, before it is stored among the attributes.

    Raises:
        ValueError: it exceeds `LONGEST_INTERVAL_MS`.
    """
    if isinstance(value, int) and abs(value) > _LONGEST:
        raise ValueError(
            f"an expiry is a number of seconds up to {_LONGEST}; the absolute deadline ends a session anyway"
        )


def put_in_force(manager: SessionManager, session: Session) -> None:
    """Set the session's idle timeout to what its expiry means."""
    expiry = _expiry_of(session)
    wanted = _idle_time(manager, expiry) if expiry else manager.settings.max_inactive_interval or None
    if session.max_inactive_interval != wanted:
        session.max_inactive_interval = wanted


def idle_time(manager: SessionManager, content: Mapping[str, Any]) -> timedelta | None:
    """How long a session with this content may be idle; None if the content has no expiry."""
    expiry = content.get(NAME)
    return _idle_time(manager, expiry) if expiry else None


def _idle_time(manager: SessionManager, expiry: int | str) -> timedelta:
    return max(_SHORTEST, _time_left(manager, expiry))


def is_over(manager: SessionManager, session: Session) -> bool:
    """Whether the instant has passed at which the session was to end, regardless of accesses."""
    expiry = _expiry_of(session)
    return expiry is not None and _is_fixed(expiry) and _time_left(manager, expiry) <= timedelta(0)


def _is_fixed(expiry: int | str) -> bool:
    """Whether this is an instant, which no use of the session puts off; a negative number is one in the past."""
    return isinstance(expiry, str) or expiry < 0


def tell_cookie(manager: SessionManager, session: Session) -> None:
    """Before the commit: set the cookie's lifetime to the session's expiry."""
    unit = unit_of(session)
    expiry = _expiry_of(session)
    persistent = manager.settings.cookie.max_age is not None
    if expiry:
        unit.keep_cookie(_time_left(manager, expiry), extend=not _is_fixed(expiry))
    elif (expiry == 0 and (persistent or NAME in unit.baseline)) or (NAME in unit.baseline and not persistent):
        unit.keep_cookie(None)
    if django_settings.SESSION_SAVE_EVERY_REQUEST and unit.record is not None:
        session.mark_accessed()


def _expiry_of(session: Session) -> int | str | None:
    """The expiry, read without counting as the application's access (S-40)."""
    value = dict.get(session, NAME)
    return value.decoded() if isinstance(value, LazyValue) else value


def _time_left(manager: SessionManager, expiry: int | str) -> timedelta:
    if isinstance(expiry, int):
        return timedelta(seconds=max(-_LONGEST, min(expiry, _LONGEST)))  # if it was migrated, or assigned directly
    now = datetime.fromtimestamp(manager.store.clock.now_ms() / 1000, UTC)
    return datetime.fromisoformat(expiry).astimezone(UTC) - now
