"""Lists of live sessions: all, a page at a time, with cursors (E-8), and those of a principal (E-9)."""

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

__all__ = ["LARGEST_PAGE", "Indexing", "Listing", "Names", "Position", "SessionHead", "SessionPage", "is_ref"]

LARGEST_PAGE: Final = 500
"""Sessions in one page at most (S-102)."""

Names: TypeAlias = Collection[str]
"""Names of attributes."""

_POSITION: Final = struct.Struct(">HQ8s")
_MEMBER_SIZE: Final = 8
_REF_SIZE: Final = 12
_HEX: Final = frozenset("0123456789abcdef")


class SessionHead(Struct, frozen=True, gc=False):
    """A session in a list: all stored data, but only the requested attributes."""

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
    """Those of the requested attributes that it has."""

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
    """At most as many as were requested. A session that was rotated or ended during the read is left out."""
    cursor: str | None
    """Where the next page begins; None if this was the last."""


@runtime_checkable
class Listing(Protocol):
    """The capability to list live sessions, of all users (E-8)."""

    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        """Some live sessions of this application, in an order that the store defines.

        A caller that reads all pages gets each unchanged session once, even if other sessions begin or end meanwhile. A
        session that is used, changed or rotated meanwhile may be returned twice, or missed.

        Args:
            cursor: of the page before; None for the first one.
            limit: how many at most.
            names: the attributes to return of each.
            deadline: as for every call.

        Raises:
            InvalidCursor: the cursor is not one of this store.
        """
        ...

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        """The live sessions that a ref names: one, or none, or by chance several (S-80)."""
        ...


@runtime_checkable
class Indexing(Protocol):
    """The capability to find the sessions of a principal (E-9, S-55).

    A session that moves to another key is under the new one before it has left the old one. So a caller that reads the
    keys repeatedly, until it has processed all of them, misses no session that existed at its first call.
    """

    async def keys_of(self, principal: str, *, deadline: float = NEVER) -> list[SessionKey]:
        """The keys of all sessions that are bound to this principal, and perhaps of some ended ones, in no order."""
        ...

    async def heads_of(
        self, principal: str, keys: Collection[SessionKey], *, names: Names = (), deadline: float = NEVER
    ) -> list[SessionHead]:
        """The live sessions under these keys of the principal's, in no order.

        Args:
            principal: the user.
            keys: some hundreds at most; one round trip or two.
            names: the attributes to return of each.
            deadline: as for every call.
        """
        ...


class Position(NamedTuple):
    """A place in the order in which sessions are listed: by segment, then by when they end, then by their keys.

    A position stays valid while sessions begin and end, so that a list can be continued from it at any time. Use moves
    a session towards the end of its segment, which a list reads later: so it may be returned twice, and is hardly ever
    missed.
    """

    segment: int
    score: int
    """Milliseconds: `SessionHead.expires_ms`."""
    member: bytes
    """The first half of the KEY. A cursor must not reveal the whole (S-100), which is not needed."""

    @classmethod
    def at(cls, segment: int, score: int, digest: bytes) -> Self:
        """Where a session is listed."""
        return cls(segment, score, digest[:_MEMBER_SIZE])

    @classmethod
    def read(cls, cursor: str | None, *, segments: int = 1) -> Self:
        """The position of a cursor: of None, or of a text that `cursor` has made for a store with so many segments.

        Raises:
            InvalidCursor: it is invalid.
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
