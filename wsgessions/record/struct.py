"""The base of values that are made often and never changed: those that sessions and stores exchange.

A frozen dataclass takes 3 us to make, as each field is set by a call of its own; a `Struct` takes 0.2 us, and the
garbage collector does not track it, which is correct for objects without references that could refer back: ``class
Outcome(Struct, frozen=True, gc=False)``. It shows names and sizes and no value, see `wsgessions.internal.masked`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec import field
from msgspec.structs import astuple, replace

from ..internal.masked import masked

__all__ = ["Struct", "astuple", "field", "replace"]


if TYPE_CHECKING:  # each class declares its own fields, and this base has none
    from msgspec import Struct
else:

    @masked
    class Struct(msgspec.Struct):
        """The base of all of them."""
