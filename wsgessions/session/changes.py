"""The words of change tracking: what may be done with attributes, what a commit sends, what stands for an attribute."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Protocol

from ..record.struct import Struct

__all__ = [
    "CLOSED",
    "OPEN",
    "READ_ONLY",
    "SHUT",
    "UNCHANGED",
    "UNTOUCHED",
    "AttributeChanges",
    "AttributeView",
    "Changes",
    "Gate",
]

UNCHANGED: Final[Any] = object()
"""What `AttributeView.changes` answers if there are none."""


class Gate(Enum):
    """What may be done with the attributes at the moment."""

    UNTOUCHED = "untouched"
    """Everything; not looked for yet."""
    OPEN = "open"
    """Everything."""
    READ_ONLY = "read_only"
    """Reading: a change could no longer be kept."""
    SHUT = "shut"
    """Nothing for now: they were not loaded, or could not be."""
    CLOSED = "closed"
    """Nothing any more: their request is over, or the session has ended elsewhere."""


# By name, because up to Python 3.11 each look at a member of an Enum is a call, and the gate is looked at all the time.
UNTOUCHED: Final = Gate.UNTOUCHED
OPEN: Final = Gate.OPEN
READ_ONLY: Final = Gate.READ_ONLY
SHUT: Final = Gate.SHUT
CLOSED: Final = Gate.CLOSED


class Changes(Protocol):
    """What one commit does to attributes."""

    @property
    def changed(self) -> Mapping[str, bytes]:
        """New values, encoded."""
        ...

    @property
    def removed(self) -> frozenset[str]:
        """Names."""
        ...


class AttributeChanges(Struct, frozen=True, gc=False):
    """What a commit has to send."""

    changed: Mapping[str, bytes]
    removed: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


class AttributeView(Protocol):
    """A value of another type that was handed out in place of an attribute, see `wsgessions.session.typed`."""

    def changes(self) -> Any:
        """The attribute's new value as plain data, if the view was changed since the last call; else `UNCHANGED`.

        Raises:
            CodecError: the view is not valid any more, or cannot be stored.
        """
