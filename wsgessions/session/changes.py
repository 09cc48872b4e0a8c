"""The types of change tracking: permitted access to attributes, the content of a commit, views of attributes."""

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
    "OVER",
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
"""The result of `AttributeView.changes` without changes."""


class Access(Enum):
    """The permitted access to the attributes at the moment."""

    UNTOUCHED = "untouched"
    """Everything; there was no access yet."""
    OPEN = "open"
    """Everything."""
    READ_ONLY = "read_only"
    """Reading: a change could not be stored any more."""
    UNAVAILABLE = "unavailable"
    """Nothing for now: the attributes were not loaded, or loading failed."""
    OVER = "over"
    """Reading what the request had loaded: it is over, and nothing can be stored or loaded any more (R-39)."""
    CLOSED = "closed"
    """Nothing any more: the session has ended elsewhere, or its request is over and had not loaded it."""


class Phase(Enum):
    """The progress of the response of the session's request."""

    BEFORE_RESPONSE = "before_response"
    """The headers can still tell the client anything."""
    RESPONSE_STARTED = "response_started"
    """The headers were sent: no session can be created any more, nor be given another id (R-38)."""
    CHANGES_REFUSED = "changes_refused"
    """The headers were sent, and with ``late_commit = "refuse"`` the session cannot be changed either (C-13)."""


# By name, because up to Python 3.11 each access to a member of an Enum is a call, and these are accessed very often.
UNTOUCHED: Final = Access.UNTOUCHED
OPEN: Final = Access.OPEN
READ_ONLY: Final = Access.READ_ONLY
UNAVAILABLE: Final = Access.UNAVAILABLE
OVER: Final = Access.OVER
CLOSED: Final = Access.CLOSED
BEFORE_RESPONSE: Final = Phase.BEFORE_RESPONSE
RESPONSE_STARTED: Final = Phase.RESPONSE_STARTED
CHANGES_REFUSED: Final = Phase.CHANGES_REFUSED


class Changes(Protocol):
    """The changes of attributes in one commit."""

    @property
    def changed(self) -> Mapping[str, bytes]:
        """New values, encoded."""
        ...

    @property
    def removed(self) -> frozenset[str]:
        """Names."""
        ...


class AttributeChanges(Struct, frozen=True, gc=False):
    """The attributes that a commit has to send."""

    changed: Mapping[str, bytes]
    removed: frozenset[str]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


class AttributeView(Protocol):
    """A typed value that was returned in place of an attribute, see `wsgessions.session.typed`."""

    def changes(self) -> Any:
        """The attribute's new value as plain data, if the view was changed since the last call; else `UNCHANGED`.

        Raises:
            CodecError: the view is not valid any more, or cannot be stored.
        """
