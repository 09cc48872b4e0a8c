"""Shares one str for each name of an attribute among all sessions.

An application has few names and many sessions, and a name costs 50 bytes and more. `sys.intern` would work, but some
releases of Python never free what it was given, and an application may make names from what its users type. So
this table is bounded: the names that come first are shared, which are those that all sessions have.
"""

from __future__ import annotations

from collections.abc import Collection
from operator import is_
from sys import getsizeof
from typing import Final

__all__ = ["MOST_NAMES", "bytes_of_own", "field_of", "shared", "shared_name"]

MOST_NAMES: Final = 1024
_LONGEST: Final = 64

_by_field: dict[bytes, str] = {}
_names: dict[str, str] = {}
_fields: dict[str, bytes] = {}


def shared_name(field: bytes) -> str:
    """The name of the attribute in the store's ``field``: the part after its first byte, an ``a``, in UTF-8.

    Raises:
        ValueError: ``field`` does not begin with ``a``.
        UnicodeDecodeError: the rest is not UTF-8.
    """
    name = _by_field.get(field)
    return _learned(field) if name is None else name


def shared(name: str) -> str:
    """The shared str for this name, which is added to the table if there is room."""
    there = _names.get(name)
    if there is not None:
        return there
    return _learned(_encoded(name))


def field_of(name: str) -> bytes:
    """The name that `shared_name` returns."""
    field = _fields.get(name)
    return _encoded(name) if field is None else field


def bytes_of_own(names: Collection[str]) -> int:
    """The bytes of those of ``names`` that are not shared."""
    if all(map(is_, names, map(_names.get, names))):
        return 0
    return sum(getsizeof(name) for name in names if _names.get(name) is not name)


def _encoded(name: str) -> bytes:
    return b"a" + name.encode("utf-8", "surrogatepass")


def _learned(field: bytes) -> str:
    # The table is shared by all sessions: one wrong pair would rename an attribute in each of them.
    if field[:1] != b"a":
        raise ValueError(f"no field of an attribute: it begins with {field[:1]!r}, not b'a'")
    name = field[1:].decode()
    if len(_names) < MOST_NAMES and len(field) <= _LONGEST:
        _by_field[field] = _names[name] = name
        _fields[name] = field
    return name
