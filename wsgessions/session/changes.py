"""The words of change tracking: what may be done with attributes, what a commit sends, what stands for an attribute."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, Protocol

from ..record.struct import Struct

__all__ = [
    "BEFORE_RESPONSE",
    "CHANGES_REFUSED",
    "CLOSED",
    "OPEN",
    "READ_ONLY",
    "RESPONSE_STARTED",
    "UNAVAILABLE",
    "UNCHANGED",
    "UNTOUCHED",
    "Access",
    "AttributeChanges",
    "AttributeView",
    "Changes",
    "Phase",
]

UNCHANGED: Final[Any] = object()
"""What `AttributeView.changes` answers if there are none."""


class Access(Enum):
    """What may be done with the attributes at the moment."""

    UNTOUCHED = "untouched"
    """Everything; not looked for yet."""
    OPEN = "open"
    """Everything."""
    READ_ONLY = "read_only"
    """Reading: a change could no longer be kept."""
    UNAVAILABLE = "unavailable"
    """Nothing for now: they were not loaded, or could not be."""
    CLOSED = "closed"
    """Nothing any more: their request is over, or the session has ended elsewhere."""


class Phase(Enum):
    """How far the response of the session's request is."""

    BEFORE_RESPONSE = "before_response"
    """Its headers can still tell the client anything."""
    RESPONSE_STARTED = "response_started"
    """They have left: no session can be created any more, nor be given another id (R-38)."""
    CHANGES_REFUSED = "changes_refused"
    """They have left, and with ``late_commit = "refuse"`` the session cannot be changed either (C-13)."""


# By name, because up to Python 3.11 each look at a member of an Enum is a call, and these are looked at all the time.
UNTOUCHED: Final = Access.UNTOUCHED
OPEN: Final = Access.OPEN
READ_ONLY: Final = Access.READ_ONLY
UNAVAILABLE: Final = Access.UNAVAILABLE
CLOSED: Final = Access.CLOSED
BEFORE_RESPONSE: Final = Phase.BEFORE_RESPONSE
RESPONSE_STARTED: Final = Phase.RESPONSE_STARTED
CHANGES_REFUSED: Final = Phase.CHANGES_REFUSED


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
