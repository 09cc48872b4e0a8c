"""One str for each name of an attribute, however many sessions have it.

An application has few names and many sessions, and a name costs 50 bytes and more. `sys.intern` would do, but some
releases of Python never free what it was given, and an application may well make names from what its users type. So
this table is bounded, and begins anew when it is full.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MOST_NAMES", "is_shared", "shared_name"]

MOST_NAMES: Final = 1024
_LONGEST: Final = 64

_by_field: dict[bytes, str] = {}
_names: dict[str, str] = {}


def shared_name(field: bytes) -> str:
    """The name that follows the first byte of ``field``, in UTF-8.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
    """
    name = _by_field.get(field)
    return _learned(field) if name is None else name


def is_shared(name: str) -> bool:
    """Whether this very object is in the table, so that it costs a session nothing."""
    return _names.get(name) is name


def _learned(field: bytes) -> str:
    name = field[1:].decode("utf-8", "surrogatepass")
    if len(field) > _LONGEST:
        return name
    if len(_by_field) >= MOST_NAMES:
        _by_field.clear()
        _names.clear()
    _by_field[field] = _names[name] = name
    return name
