"""The limits on one stored value, and the errors for values beyond them (S-72, R-04)."""

from __future__ import annotations

from typing import Final

__all__ = [
    "MAX_ALIKE",
    "MAX_ATTRIBUTE_BYTES",
    "MAX_DECIMAL_CHARACTERS",
    "MAX_DEPTH",
    "MAX_INT_BITS",
    "MAX_ITEMS",
    "MAX_NAME_BYTES",
    "UnsupportedType",
    "UnsupportedValue",
]

MAX_NAME_BYTES: Final = 256
"""The longest attribute name, in bytes of UTF-8."""
MAX_ATTRIBUTE_BYTES: Final = 4 * 1024 * 1024
"""The longest encoded value that is ever written or read; the setting ``max_session_bytes`` is usually far below."""
MAX_DEPTH: Final = 32
"""Containers inside containers: ``[]`` is 1 deep, ``[[]]`` is 2. This also ends cycles."""
MAX_ITEMS: Final = 262_144
"""Members of all containers of a value together; a pair of a dict counts as two."""
MAX_ALIKE: Final = 128
"""Members of one set, or keys of one dict, with equal hashes: each is compared with all of them, so that the cost
grows by the square of their number. Of the ints and floats that MessagePack itself encodes, no more than 64 have equal
hashes."""
MAX_INT_BITS: Final = 8_192
"""The longest int: 2 467 decimal digits."""
MAX_DECIMAL_CHARACTERS: Final = 2_500
"""The longest text form of a `decimal.Decimal`."""


class UnsupportedValue(Exception):
    """A value or its bytes are rejected. Never leaves the codec; each container on its way adds a step to its path."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.steps: list[str] = []

    def inside(self, step: str) -> UnsupportedValue:
        """The same error, from the view of the container that holds the rejected value at ``step``."""
        self.steps.append(step)
        return self

    @property
    def path(self) -> str:
        """The steps from the attribute to the rejected value: ``".items[3]"``."""
        return "".join(reversed(self.steps))


class UnsupportedType(UnsupportedValue):
    """The value is rejected for its type: there may be plain data to store in its place."""
