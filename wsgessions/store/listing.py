"""Lists of live sessions, a page at a time: what a page holds, and where the next one begins (E-8)."""

from __future__ import annotations

import struct
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Collection
from typing import Final, NamedTuple, Protocol, Self, TypeAlias, runtime_checkable

from ..errors import InvalidCursor
from ..record import PrincipalBinding, Seen, SessionKey, SessionRecord
from ..record.struct import Struct
from .constants import EXACT
from .contract import NEVER

__all__ = ["LARGEST_PAGE", "Listing", "Names", "Position", "SessionHead", "SessionPage", "is_ref"]

LARGEST_PAGE: Final = 500
"""Sessions in one page at most (S-102)."""

Names: TypeAlias = Collection[str]
"""Names of attributes."""

_POSITION: Final = struct.Struct(">HQ8s")
_MEMBER_SIZE: Final = 8
_REF_SIZE: Final = 12
_HEX: Final = frozenset("0123456789abcdef")


class SessionHead(Struct, frozen=True, gc=False):
    """What a list tells of a session: all that is stored, but of its attributes those that were asked for."""

    key: SessionKey
    incarnation: int
    version: int
    created_ms: int
    interval_ms: int
    """Idle timeout in milliseconds; 0 means that idling never ends it."""
    deadline_ms: int
    expires_ms: int
    """When the session ends unless it is touched."""
    binding: PrincipalBinding | None
    """The principal; None if there is none."""
    attributes: dict[str, bytes]
    """Of the attributes that were asked for, those that it has."""

    @property
    def seen(self) -> Seen:
        return Seen(self.incarnation, self.version)

    @property
    def principal(self) -> str | None:
        """The principal; None if there is none."""
        return None if self.binding is None else self.binding.principal

    @classmethod
    def of(cls, record: SessionRecord, names: Names) -> Self:
        """The head of a session, with these of its attributes."""
        return cls(
            record.key,
            record.incarnation,
            record.version,
            record.created_ms,
            record.interval_ms,
            record.deadline_ms,
            record.expires_ms,
            record.binding,
            {name: record.attributes[name] for name in names if name in record.attributes},
        )


class SessionPage(NamedTuple):
    """Some of the live sessions."""

    heads: list[SessionHead]
    """At most as many as were asked for. One that moved or ended while it was read is left out."""
    cursor: str | None
    """Where the next page begins; None if this was the last."""


@runtime_checkable
class Listing(Protocol):
    """The capability to list live sessions, of all users (E-8)."""

    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        """Some live sessions of this application, in an order that only the store knows.

        A caller that goes on from page to page gets once each session that is there all the time and left alone,
        whatever comes or goes beside it. One that is used, changed or moved meanwhile may be told again, or missed.

        Args:
            cursor: of the page before; None for the first one.
            limit: how many at most.
            names: the attributes to tell of each.
            deadline: as for every call.

        Raises:
            InvalidCursor: no page of this store had that cursor.
        """
        ...

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        """The live sessions that a ref names: one, or none, or by chance several (S-80)."""
        ...


class Position(NamedTuple):
    """A place in the order in which sessions are listed: by segment, then by when they end, then by their keys.

    A position stays what it is whatever comes or goes, so that a list may go on from it at any time. Use moves a
    session towards the end of its segment, where a list has still to come: so it may be told twice, and is hardly ever
    missed.
    """

    segment: int
    score: int
    """Milliseconds: `SessionHead.expires_ms`."""
    member: bytes
    """The first half of the KEY. The whole is kept from those who have cursors (S-100), and is not needed."""

    @classmethod
    def at(cls, segment: int, score: int, digest: bytes) -> Self:
        """Where a session is listed."""
        return cls(segment, score, digest[:_MEMBER_SIZE])

    @classmethod
    def read(cls, cursor: str | None, *, segments: int = 1) -> Self:
        """What a cursor says; None, or text that `cursor` has made for a store with so many segments.

        Raises:
            InvalidCursor: it is something else.
        """
        if cursor is None:
            return cls(0, 0, b"")
        try:
            position = cls._make(_POSITION.unpack(b64decode(cursor, b"-_", validate=True)))
        except (ValueError, struct.error) as error:
            raise _invalid() from error
        if position.segment >= segments or position.score >= EXACT:
            raise _invalid()
        return position

    @property
    def cursor(self) -> str:
        """The same as text for callers: 24 letters, digits, ``-`` and ``_``."""
        return urlsafe_b64encode(_POSITION.pack(*self)).decode()


def is_ref(text: str) -> bool:
    """Whether this may be the ref of a session."""
    return len(text) == _REF_SIZE and _HEX.issuperset(text)


def _invalid() -> InvalidCursor:
    return InvalidCursor("this is no cursor of this list", hint="begin again without one")
