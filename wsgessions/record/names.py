"""Shares one str for each name of an attribute among all sessions.

An application has few names and many sessions, and a name costs 50 bytes and more. `sys.intern` would work, but some
releases of Python never free what it was given, and an application may make names from what its users type. So
this table is bounded: the names that come first are shared, which are those that all sessions have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import is_
from sys import getsizeof
from typing import Final

__all__ = ["MOST_NAMES", "bytes_of_own", "field_of", "shared", "shared_name"]

MOST_NAMES: Final = 1024
_LONGEST: Final = 64


class _NamesByField(dict[bytes, str]):
    def __missing__(self, field: bytes) -> str:
        return _learned(field)


class _SharedNames(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return _learned(_encoded(name))


class _FieldsByName(dict[str, bytes]):
    def __missing__(self, name: str) -> bytes:
        return _encoded(name)


_by_field: Final = _NamesByField()
_names: Final = _SharedNames()
_fields: Final = _FieldsByName()

shared_name: Final[Callable[[bytes], str]] = _by_field.__getitem__
"""The name of the attribute in a field of the store: the part after its first byte, an ``a``, in UTF-8. Raises a
`ValueError` if the field does not begin with ``a``, and a `UnicodeDecodeError` if the rest is not UTF-8."""
shared: Final[Callable[[str], str]] = _names.__getitem__
"""The shared str for this name, which is added to the table if there is room."""
field_of: Final[Callable[[str], bytes]] = _fields.__getitem__
"""The field of the attribute with this name: `shared_name` returns the name."""


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
