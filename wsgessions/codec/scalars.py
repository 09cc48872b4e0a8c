"""Scalar types to and from the payloads of their extension codes (`wsgessions.codec.tags`)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from .limits import MAX_DECIMAL_CHARACTERS, MAX_INT_BITS, UnsupportedType, UnsupportedValue
from .refusals import type_name
from .tags import DATE, DATETIME, DECIMAL, INT, INT64, TIME, TIMEDELTA, UUID_CODE

__all__ = ["SCALAR_PACKERS", "SCALAR_READERS", "from_ordinal", "joined", "real_type"]

T = TypeVar("T", bound=dt.date)


def real_type(kind: type[T]) -> type[T]:
    """The class of the standard library. A tool that freezes the time replaces it by a subclass, maybe already before
    this module is imported, and afterwards in the namespaces of all modules.
    """
    return next(each for each in kind.__mro__ if each.__module__ == "datetime")


from_ordinal: Final = real_type(dt.date).fromordinal
joined: Final = real_type(dt.datetime).combine

_YEAR_ONE: Final = joined(from_ordinal(1), dt.time())  # wall time: the zone is kept beside it
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_WALL_BYTES: Final = 8
_OFFSET_BYTES: Final = 8
_DATE_BYTES: Final = 4
_FIXED_ZONE, _NAMED_ZONE, _KEYED_ZONE = b"\x01", b"\x02", b"\x03"


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, signed=True)


def _read_int(payload: bytes) -> int:
    value = int.from_bytes(payload, signed=True)
    if value.bit_length() > MAX_INT_BITS or len(payload) != value.bit_length() // 8 + 1:
        raise UnsupportedValue("the stored bytes hold a malformed int")
    return value


def _pack_int(value: int) -> bytes:
    if value.bit_length() > MAX_INT_BITS:
        raise UnsupportedValue(
            f"an int of more than {MAX_INT_BITS} bits cannot be stored", "store it as bytes or as text"
        )
    return _int_bytes(value)


def _read_large_int(payload: bytes) -> int:
    value = _read_int(payload)
    if value in INT64:
        raise UnsupportedValue("the stored bytes hold a malformed int")
    return value


def _pack_decimal(value: Decimal) -> bytes:
    # The current decimal context chooses "e" or "E"; the stored text must not depend on it.
    text = str(value).upper()
    if len(text) > MAX_DECIMAL_CHARACTERS:
        raise UnsupportedValue(
            f"a Decimal of more than {MAX_DECIMAL_CHARACTERS} characters cannot be stored", "store its text"
        )
    return text.encode("ascii")


def _read_decimal(payload: bytes) -> Decimal:
    text = payload.decode("ascii")
    if len(text) <= MAX_DECIMAL_CHARACTERS:
        value = Decimal(text)
        if str(value).upper() == text:
            return value
    raise UnsupportedValue("the stored bytes hold a malformed Decimal")


def _pack_uuid(value: UUID) -> bytes:
    return value.bytes


def _read_uuid(payload: bytes) -> UUID:
    return UUID(bytes=payload)


def _pack_date(value: dt.date) -> bytes:
    return value.toordinal().to_bytes(_DATE_BYTES)


def _read_date(payload: bytes) -> dt.date:
    if len(payload) != _DATE_BYTES:
        raise UnsupportedValue("the stored bytes hold a malformed date")
    return from_ordinal(int.from_bytes(payload))


def _pack_timedelta(value: dt.timedelta) -> bytes:
    return _int_bytes(value // _MICROSECOND)


def _read_timedelta(payload: bytes) -> dt.timedelta:
    return dt.timedelta(microseconds=_read_int(payload))


def _pack_datetime(value: dt.datetime) -> bytes:
    wall = (value.replace(tzinfo=None) - _YEAR_ONE) // _MICROSECOND
    return _wall_bytes(wall, value.fold) + _pack_zone(value.tzinfo)


def _read_datetime(payload: bytes) -> dt.datetime:
    microseconds, fold = _read_wall(payload)
    wall = _YEAR_ONE + dt.timedelta(microseconds=microseconds)
    return wall.replace(fold=fold, tzinfo=_read_zone(payload[_WALL_BYTES:]))


def _pack_time(value: dt.time) -> bytes:
    wall = dt.timedelta(hours=value.hour, minutes=value.minute, seconds=value.second, microseconds=value.microsecond)
    return _wall_bytes(wall // _MICROSECOND, value.fold) + _pack_zone(value.tzinfo)


def _read_time(payload: bytes) -> dt.time:
    microseconds, fold = _read_wall(payload)
    wall = _YEAR_ONE + dt.timedelta(microseconds=microseconds)
    if wall.toordinal() != 1:
        raise UnsupportedValue("the stored bytes hold a malformed time")
    return wall.time().replace(fold=fold, tzinfo=_read_zone(payload[_WALL_BYTES:]))


def _wall_bytes(microseconds: int, fold: int) -> bytes:
    return (2 * microseconds + fold).to_bytes(_WALL_BYTES)


def _read_wall(payload: bytes) -> tuple[int, int]:
    if len(payload) < _WALL_BYTES:
        raise UnsupportedValue("the stored bytes hold a malformed time")
    return divmod(int.from_bytes(payload[:_WALL_BYTES]), 2)


def _pack_zone(zone: dt.tzinfo | None) -> bytes:
    if zone is None:
        return b""
    if type(zone) is dt.timezone:
        return _pack_fixed_zone(zone)
    if type(zone) is ZoneInfo and zone.key:
        return _KEYED_ZONE + zone.key.encode()
    message = f"a time zone of type {type_name(type(zone))} cannot be stored"
    raise UnsupportedType(message, "use datetime.timezone or zoneinfo.ZoneInfo(key)")


def _pack_fixed_zone(zone: dt.timezone) -> bytes:
    offset = zone.utcoffset(None)
    raw = (offset // _MICROSECOND).to_bytes(_OFFSET_BYTES, signed=True)
    name = zone.tzname(None)
    if name == dt.timezone(offset).tzname(None):
        return _FIXED_ZONE + raw
    return _NAMED_ZONE + raw + name.encode()


def _read_zone(payload: bytes) -> dt.tzinfo | None:
    if not payload:
        return None
    kind, rest = payload[:1], payload[1:]
    if kind == _KEYED_ZONE:
        return _read_keyed_zone(rest.decode())
    offset = dt.timedelta(microseconds=int.from_bytes(rest[:_OFFSET_BYTES], signed=True))
    if kind == _FIXED_ZONE and len(rest) == _OFFSET_BYTES:
        return dt.timezone(offset)
    if kind == _NAMED_ZONE and len(rest) >= _OFFSET_BYTES:
        return dt.timezone(offset, rest[_OFFSET_BYTES:].decode())
    raise UnsupportedValue("the stored bytes hold a malformed time zone")


def _read_keyed_zone(key: str) -> ZoneInfo:
    try:
        return ZoneInfo(key)
    except (KeyError, ValueError, OSError):
        raise UnsupportedValue("its time zone is not known on this machine", "install the package tzdata") from None


SCALAR_PACKERS: Final[dict[type, tuple[int, Callable[[Any], bytes]]]] = {
    int: (INT, _pack_int),
    Decimal: (DECIMAL, _pack_decimal),
    UUID: (UUID_CODE, _pack_uuid),
    real_type(dt.datetime): (DATETIME, _pack_datetime),
    real_type(dt.date): (DATE, _pack_date),
    dt.time: (TIME, _pack_time),
    dt.timedelta: (TIMEDELTA, _pack_timedelta),
}
"""By type: the code and the function that makes the payload. An int is packed only when it leaves `INT64`."""

SCALAR_READERS: Final[dict[int, Callable[[bytes], Any]]] = {
    INT: _read_large_int,
    DECIMAL: _read_decimal,
    UUID_CODE: _read_uuid,
    DATETIME: _read_datetime,
    DATE: _read_date,
    TIME: _read_time,
    TIMEDELTA: _read_timedelta,
}
"""By code: the function that reads the payload. It raises `UnsupportedValue`, or what the type's constructor raises."""
