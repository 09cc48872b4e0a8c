"""When two values are the same to the letter, for tests of what comes back."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Hashable
from typing import Any
from zoneinfo import ZoneInfo


def portrait(value: Any) -> Hashable:
    """What two values share only if they are equal, of the same types, and alike in what ``==`` ignores."""
    kind = type(value)
    if kind is float:
        return kind, struct.pack(">d", value)
    if kind is dict:
        return kind, tuple((portrait(key), portrait(item)) for key, item in value.items())
    if kind in (list, tuple):
        return kind, tuple(map(portrait, value))
    if kind in (set, frozenset):
        return kind, frozenset(map(portrait, value))
    if kind in (dt.datetime, dt.time):
        return kind, repr(value), value.fold, id(value.tzinfo) if type(value.tzinfo) is ZoneInfo else repr(value.tzinfo)
    return kind, repr(value)


def identical(one: Any, other: Any) -> bool:
    return portrait(one) == portrait(other)
