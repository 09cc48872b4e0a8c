"""Attributes with the name of a member that every session has."""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import Final

__all__ = ["ShadowedNameWarning", "own_names", "tell_author"]

_OURS: Final = __name__.partition(".")[0]
_LIBRARIES: Final = ("site-packages", "dist-packages")


class ShadowedNameWarning(UserWarning):
    """``session["status"]`` was set, and ``session.status`` is another value.

    Jinja reads the member first: ``{{ session.status }}`` shows it, and ``{{ session["status"] }}`` the attribute.
    """


@cache
def own_names(cls: type) -> frozenset[str]:
    """The names of a session class's members that a dict does not have: ``id``, ``status``, ``version`` and so on."""
    return frozenset(name for name in dir(cls) if not name.startswith("_")) - set(dir(dict))


def tell_author(name: str) -> None:
    """Warn at the line that sets an attribute of such a name, unless the line is one of an installed library."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(_OURS):
        level, frame = level + 1, frame.f_back
    if not any(place in frame.f_code.co_filename for place in _LIBRARIES):
        text = f"session.{name} is not session[{name!r}]: templates that write the former do not show this attribute"
        warnings.warn(f"{text} (write session[{name!r}] there, or choose another name)", ShadowedNameWarning, level)
