"""The error texts about a value that cannot be stored: its type, its path, and a replacement (R-01, R-02).

They never contain the value itself: it may be a secret (S-80).
"""

from __future__ import annotations

import dataclasses
import enum
from collections import UserDict, UserList, UserString, deque
from collections.abc import AsyncIterable, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from .limits import UnsupportedType

__all__ = ["SUPPORTED", "key_step", "type_name", "unsupported"]

SUPPORTED: Final = (
    "None, bool, int, float, str, bytes, list, dict, tuple, set, frozenset, "
    "datetime, date, time, timedelta, Decimal, UUID"
)
"""The types that round-trip exactly."""

_LONGEST_KEY_SHOWN: Final = 40

_BUILT_INS: Final = (bool, int, float, str, bytes, list, dict, tuple, set, frozenset)


def unsupported(value: Any) -> UnsupportedType:
    """The error for a value of a type that does not round-trip."""
    kind = type(value)
    return UnsupportedType(f"a value of type {type_name(kind)} cannot be stored", _remedy(kind))


def type_name(kind: type) -> str:
    """The name of the type as in source code."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def key_step(key: Any) -> str:
    """A dict's member in a path. Only names are shown: a key that is data, such as an e-mail address, is not (S-80)."""
    if type(key) is str and len(key) <= _LONGEST_KEY_SHOWN and key.isidentifier():
        return f".{key}"
    return f"[<{type(key).__name__}>]"


def _remedy(kind: type) -> str:
    for applies, remedy in _REMEDIES:
        if applies(kind):
            return remedy
    for built_in in _BUILT_INS:
        if issubclass(kind, built_in):
            return f"subclasses would come back as {built_in.__name__}: store {built_in.__name__}(value)"
    return f"store plain data: {SUPPORTED}"


def _is_django(kind: type, name: str) -> bool:
    return any(each.__name__ == name and each.__module__.startswith("django.") for each in kind.__mro__)


_REMEDIES: Final[tuple[tuple[Callable[[type], bool], str], ...]] = (
    (lambda kind: issubclass(kind, enum.Enum), "store its .value"),
    (lambda kind: hasattr(kind, "model_dump"), "store value.model_dump(), or read it through a SessionModel"),
    (dataclasses.is_dataclass, "store dataclasses.asdict(value)"),
    (lambda kind: issubclass(kind, tuple) and hasattr(kind, "_fields"), "store tuple(value) or value._asdict()"),
    (lambda kind: kind in (bytearray, memoryview), "store bytes(value)"),
    (lambda kind: kind.__module__.partition(".")[0] == "numpy", "store value.item() or value.tolist()"),
    (lambda kind: issubclass(kind, Awaitable | AsyncIterable), "await it, and store its result"),
    (lambda kind: issubclass(kind, UserDict | UserList | UserString), "store its .data"),
    (lambda kind: _is_django(kind, "Promise"), "store str(value), the text in the language of this request"),
    (lambda kind: _is_django(kind, "Model"), "store its .pk"),
    (lambda kind: issubclass(kind, Mapping) and not issubclass(kind, dict), "store dict(value)"),
    (lambda kind: issubclass(kind, Iterator | range | deque), "store list(value)"),
)
