"""Plain data in place of values that are not stored as they are: those of subclasses of supported types, and others.

A value of a subclass is stored as the built-in value that it is, as JSON does. A scalar is the content that the
built-in type keeps, whatever the methods of the subclass say; a container has the members that iterating over it gives,
or the ``items()`` of a dict. Each is read once, so that the bytes which are compared are the bytes which are sent.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from itertools import islice
from typing import Any, ClassVar, Final, NoReturn, TypeAlias, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from .limits import MAX_DEPTH, MAX_ITEMS, UnsupportedType, UnsupportedValue
from .refusals import key_step, type_name, unsupported
from .scalars import SCALAR_PACKERS, from_ordinal, joined, real_type
from .walk import CONTAINERS, ContainerReader, Walk, check_hashes

__all__ = ["SCALARS", "PlainCopy", "ToPlain", "no_further_types", "plain_text"]

T = TypeVar("T")

ToPlain: TypeAlias = Callable[[Any], Any]
"""Returns plain data in place of a value whose type is none of the supported ones, nor a subclass of one. The data may
hold more of these. Raises `TypeError` if the type is not known to it."""

SCALARS: Final = frozenset({str, int, float, bool, type(None), bytes, *SCALAR_PACKERS})
"""The supported types that hold no other values, exactly."""

_DAY: Final = from_ordinal(1)
_MOST: Final = MAX_ITEMS + 1
"""So many members of a container are read, which are too many."""


def no_further_types(value: Any) -> NoReturn:  # noqa: ARG001 - a `ToPlain`
    """The `ToPlain` that knows no types."""
    raise TypeError


plain_text: Final[Callable[[str], str]] = str.__str__
"""The text of a str or of a value of a subclass, as a str."""


class PlainCopy(Walk):
    """Copies one value: the copy and all its members are of the supported types, exactly.

    Args:
        to_plain: knows further types.
    """

    __slots__ = ("_to_plain",)

    def __init__(self, to_plain: ToPlain) -> None:
        super().__init__()
        self._to_plain = to_plain

    def convert(self, value: Any, depth: int = 0) -> Any:
        for _ in range(MAX_DEPTH):
            kind = type(value)
            if kind in CONTAINERS:
                return self.container(kind, value, depth)
            if kind in _ZONED:
                return _in_plain_zone(value)
            if kind in SCALARS:
                return value
            value = self._plain(value)
        raise unsupported(value)  # to_plain goes on for ever

    def _plain(self, value: Any) -> Any:
        kind: type[object] = type(value)
        base = next((each for each in kind.__mro__ if each in _BASES), None)
        try:
            return self._to_plain(value) if base is None else _BASES[base](value)
        except UnsupportedValue:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the methods of the application's classes raise
            reason = None if base is None and isinstance(error, TypeError) else type(error).__name__
        # Outside of the except clause, so that our error does not refer to the frames of theirs (S-80).
        if reason is None:
            raise unsupported(value)
        message = f"a value of type {type_name(kind)} cannot be stored: {reason} was raised by reading it"
        raise UnsupportedType(message, "store plain data that was read before")

    def mapping(self, value: dict[Any, Any], depth: int) -> dict[Any, Any]:
        pairs = [
            (plain := self.member(key, depth, "{key}"), self.member(item, depth, key_step(plain)))
            for key, item in value.items()
        ]
        _check_distinct([key for key, _ in pairs])
        return dict(pairs)

    def unordered(self, value: Any, depth: int, *, kind: type) -> Any:
        members = [self.member(item, depth, "{}") for item in value]
        _check_distinct(members)
        return kind(members)

    def fixed(self, value: Any, depth: int) -> tuple[Any, ...]:
        return tuple(self.sequence(value, depth))

    containers: ClassVar[Mapping[type, ContainerReader]] = {
        list: Walk.sequence,
        tuple: fixed,
        dict: mapping,
        set: partial(unordered, kind=set),
        frozenset: partial(unordered, kind=frozenset),
    }


def _check_distinct(members: list[Any]) -> None:
    try:
        check_hashes(members)
        number = len(set(members))
    except TypeError:
        number = None
    if number is None:
        problem = "a key of a dict, or a member of a set, would become a list, a dict or a set"
        raise UnsupportedValue(problem, "use texts or tuples")
    if number != len(members):
        problem = "two keys of a dict, or two members of a set, are equal as plain data"
        raise UnsupportedValue(problem, "convert them before")


def _members(kind: Callable[[Any], Any], value: Any) -> Any:
    return kind(islice(value, _MOST))


def _octets(value: bytes) -> bytes:
    return bytes.__getitem__(value, slice(None))


def _uuid(value: UUID) -> UUID:
    return UUID(int=value.int)


def _datetime(value: dt.datetime) -> dt.datetime:
    return _equal(joined(value, dt.datetime.timetz(value)), value)


def _date(value: dt.date) -> dt.date:
    return _equal(from_ordinal(dt.date.toordinal(value)), value)


def _time(value: dt.time) -> dt.time:
    return _equal(joined(_DAY, value).timetz(), value)


def _timedelta(value: dt.timedelta) -> dt.timedelta:
    return _equal(dt.timedelta.__pos__(value), value)


def _equal(plain: T, value: T) -> T:
    """The plain value, unless the subclass says that it is another: pandas has nanoseconds, and a "not a time"."""
    if plain == value:
        return plain
    problem = f"a value of type {type_name(type(value))} cannot be stored: no {type_name(type(plain))} is equal to it"
    raise UnsupportedType(problem, "convert it before")


def _in_plain_zone(value: Any) -> Any:
    """The same time in a zone that can be stored, if its own has a counterpart; else unchanged."""
    zone = value.tzinfo
    if zone is None or type(zone) is dt.timezone or type(zone) is ZoneInfo:
        return value
    try:
        return value.replace(tzinfo=_plain_zone(zone))
    except Exception:  # noqa: BLE001 - whatever a zone of the application raises
        return value


def _plain_zone(zone: dt.tzinfo) -> dt.tzinfo:
    if isinstance(zone, ZoneInfo) and zone.key:
        return ZoneInfo(zone.key)
    offset = zone.utcoffset(None)  # None if the offset depends on the time
    return zone if offset is None else dt.timezone(offset)


_ZONED: Final = frozenset({real_type(dt.datetime), dt.time})

_BASES: Final[dict[type, Callable[[Any], Any]]] = {
    str: plain_text,
    int: int.__int__,
    float: float.__float__,
    bytes: _octets,
    Decimal: Decimal,
    UUID: _uuid,
    real_type(dt.datetime): _datetime,
    real_type(dt.date): _date,
    dt.time: _time,
    dt.timedelta: _timedelta,
    dict: lambda value: dict(islice(value.items(), _MOST)),
    **{kind: partial(_members, kind) for kind in (list, tuple, set, frozenset)},
}
"""By the built-in type: the function that reads its value from that of a subclass."""
