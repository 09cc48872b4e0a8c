"""The setting ``assurance``: how long sessions may last at the levels of NIST SP 800-63B-4 (S-53)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, Literal, NamedTuple

from .types import choice

__all__ = ["ASSURANCE_LIMITS", "Assurance", "AssuranceLimits", "default_absolute", "default_idle"]

Assurance = Annotated[Literal["none", "aal1", "aal2", "aal3"], choice("none", "aal1", "aal2", "aal3")]


class AssuranceLimits(NamedTuple):
    """The limits of a level, and the defaults that it sets."""

    absolute: timedelta
    idle: timedelta | None
    """None where the level has no limit."""


ASSURANCE_LIMITS: Final[Mapping[str, AssuranceLimits]] = {
    "aal1": AssuranceLimits(timedelta(days=30), None),
    "aal2": AssuranceLimits(timedelta(hours=24), timedelta(hours=1)),
    "aal3": AssuranceLimits(timedelta(hours=12), timedelta(minutes=15)),
}
_NONE: Final = AssuranceLimits(timedelta(hours=24), None)
_IDLE: Final = timedelta(minutes=30)


def default_idle(data: Mapping[str, Any]) -> timedelta:
    """The default of ``max_inactive_interval`` at the level among the settings read so far."""
    return _limits(data).idle or _IDLE


def default_absolute(data: Mapping[str, Any]) -> timedelta:
    """The default of ``absolute_timeout``, likewise."""
    return _limits(data).absolute


def _limits(data: Mapping[str, Any]) -> AssuranceLimits:
    return ASSURANCE_LIMITS.get(data.get("assurance", "none"), _NONE)
