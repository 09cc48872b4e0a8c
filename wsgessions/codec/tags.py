"""The types that plain MessagePack would lose, each under an extension code of its own, so that they round-trip.

| code | type | payload |
|---|---|---|
| 1 | `tuple` | array of the members |
| 2 | `set` | array of the members, sorted by their encoded bytes |
| 3 | `frozenset` | as `set` |
| 4 | `dict` with a key other than str, bytes, bool, None, float, int of 64 bits | array: key, value, key, value ... |
| 5 | `int` beyond 64 bits | two's complement, big-endian, ``bit_length() // 8 + 1`` bytes |
| 6 | `decimal.Decimal` | its text in ASCII capitals: exponent, signed zero and NaN included |
| 7 | `uuid.UUID` | 16 bytes |
| 8 | `datetime.datetime` | wall time, then the zone |
| 9 | `datetime.date` | day number (1 January of year 1 is 1), 4 bytes |
| 10 | `datetime.time` | wall time since midnight, then the zone |
| 11 | `datetime.timedelta` | microseconds, as code 5 |

Wall time is 8 bytes: microseconds since year 1 began (of a time: since midnight), times two, plus ``fold``. The zone is
nothing where there is none; ``1`` and the offset in microseconds, 8 bytes signed; ``2``, the offset, and the name that
the `datetime.timezone` was given; or ``3`` and the key of the `zoneinfo.ZoneInfo`.

The codes never change: a new type gets a new code, and a reader that does not know it rejects that attribute (R-25).
MessagePack's own timestamp (code -1), which `wsgessions.codec` never writes, is read as an aware datetime in UTC.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "DATE",
    "DATETIME",
    "DECIMAL",
    "FROZENSET",
    "INT",
    "INT64",
    "MAPPING",
    "NATIVE_KEYS",
    "NESTING_TAGS",
    "SET",
    "TIME",
    "TIMEDELTA",
    "TUPLE",
    "UUID_CODE",
]

TUPLE: Final = 1
SET: Final = 2
FROZENSET: Final = 3
MAPPING: Final = 4
INT: Final = 5
DECIMAL: Final = 6
UUID_CODE: Final = 7
DATETIME: Final = 8
DATE: Final = 9
TIME: Final = 10
TIMEDELTA: Final = 11

NESTING_TAGS: Final = frozenset({TUPLE, SET, FROZENSET, MAPPING})
"""The codes with an array of values as payload."""

NATIVE_KEYS: Final = frozenset({str, bytes, int, float, bool, type(None)})
"""The types of dict keys that MessagePack itself keeps."""

INT64: Final = range(-(2**63), 2**64)
"""The ints that MessagePack itself keeps; scripts at the store increment them in place."""
