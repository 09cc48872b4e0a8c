"""The memory of a cached state of a session in bytes, by the object layout of CPython.

It includes the objects around the values, which are most of a small session. The figures follow from the layout of
CPython's objects on 64 bits with an allocator that rounds up to 16 bytes; a test compares them with `tracemalloc`.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Final

from ..record import SessionRecord
from ..record.names import bytes_of_own

__all__ = ["SNAPSHOT_BYTES", "bytes_of"]

SNAPSHOT_BYTES: Final = 176
"""A `Snapshot`, and its share of the dict of snapshots."""

_RECORD: Final = 480
"""A `SessionRecord`, its key, the object of its attributes, and its numbers."""
_VALUE: Final = 41
"""The bytes object around a value, with the average of rounding."""
_BINDING: Final = 112
"""The binding to a principal without its text: a tuple of two, its number, and rounding."""
_RENEWED: Final = 64
"""The bytes object around a digest, rounded up."""
_BYTES: Final = 40
"""The bytes object around a lineage, with a length that is a multiple of 8, and the most that the allocator adds."""


def bytes_of(record: SessionRecord) -> int:
    """The bytes that ``record`` occupies, without placeholders, which few states have (`StoredAttributes`)."""
    attributes = record.attributes
    size = _RECORD + _BYTES + len(record.lineage) + attributes.around(_around) + attributes.value_bytes
    if record.renewed_from:
        size += _RENEWED
    if record.binding is not None:
        size += _BINDING + getsizeof(record.binding.principal)
    return size


def _around(raw: dict[str, bytes]) -> int:
    """The memory of attributes without the bytes of their values."""
    return _VALUE * len(raw) + getsizeof(raw) + bytes_of_own(raw)
