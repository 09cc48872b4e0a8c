"""What a cached state of a session costs the process, in bytes, as CPython lays it out.

Not only the values: most of a small session is objects around them. The figures follow from the layout of CPython's
objects on 64 bits, whose allocator rounds up to 16 bytes; a test compares them with what `tracemalloc` counts.
"""

from __future__ import annotations

from sys import getsizeof
from typing import Final

from ..record import SessionRecord, StoredAttributes
from ..record.names import bytes_of_own

__all__ = ["SNAPSHOT_BYTES", "bytes_of"]

SNAPSHOT_BYTES: Final = 176
"""A `Snapshot`, and its share of the dict that finds it."""

_RECORD: Final = 480
"""A `SessionRecord`, its key and its numbers."""
_VALUE: Final = 41
"""The bytes object around a value, and on average what rounding adds to it."""
_PLACEHOLDER: Final = 48
_BINDING: Final = 112
"""The binding to a principal, but for the text: a tuple of two, its number, and rounding."""
_RENEWED: Final = 64
"""The bytes object around a digest, rounded up."""
_BYTES: Final = 40
"""The bytes object around a lineage, whose length is a multiple of 8, and what the allocator adds to it at most."""


def bytes_of(record: SessionRecord) -> int:
    """The bytes that ``record`` occupies, placeholders for its attributes included, whether made yet or not."""
    attributes = record.attributes
    size = _RECORD + _BYTES + len(record.lineage) + attributes.around(_around) + attributes.value_bytes
    if record.renewed_from:
        size += _RENEWED
    if record.binding is not None:
        size += _BINDING + getsizeof(record.binding.principal)
    return size


def _around(attributes: StoredAttributes) -> int:
    """What attributes occupy but for the bytes of their values."""
    return (_VALUE + _PLACEHOLDER) * len(attributes) + 2 * getsizeof(attributes) + bytes_of_own(attributes)
