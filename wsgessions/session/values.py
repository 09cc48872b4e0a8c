"""Values that describe a session, for applications and within the package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from ..record import RotationTarget, SessionDelta

__all__ = [
    "FROM_NEAR_CACHE",
    "FROM_NEW",
    "FROM_STORE",
    "CommitReport",
    "Deferred",
    "ServedFrom",
    "SessionStatus",
    "UnsettledRotation",
]

T = TypeVar("T")


class SessionStatus(Enum):
    """The state of a session between its load and its commit."""

    NEW = "new"
    """It is not in the store yet. The first commit that finds attributes creates it (S-50)."""
    CLEAN = "clean"
    """As it is in the store."""
    DIRTY = "dirty"
    """Changed since; the next commit sends the difference."""
    INVALIDATED = "invalidated"
    """Ended by this request and empty."""


class ServedFrom(Enum):
    """The source of a request's session."""

    NEW = "new"
    """No source: no valid id was presented."""
    NEAR_CACHE = "near-cache"
    """This process's memory, proven to be fresh (C-11)."""
    STORE = "store"
    """The shared store, by a round trip."""


FROM_NEW: Final = ServedFrom.NEW
FROM_NEAR_CACHE: Final = ServedFrom.NEAR_CACHE
FROM_STORE: Final = ServedFrom.STORE


class CommitReport(NamedTuple):
    """The content of one commit."""

    version: int
    bytes_sent: int
    """Bytes of the names and values that were sent."""
    bytes_whole: int
    """Bytes that a write of the whole session would have sent."""
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class UnsettledRotation:
    """A rotation that was sent without a reply, so that its outcome is unknown (C-23)."""

    __slots__ = ("at", "delta", "id", "successor")

    def __init__(self, session_id: str, delta: SessionDelta, successor: RotationTarget, at: int) -> None:
        self.id: str = session_id
        """The new id."""
        self.delta: SessionDelta = delta
        self.successor: RotationTarget = successor
        self.at: int = at
        """The value of `writes` when it was sent."""


class Deferred(Generic[T]):
    """The result of a call that has taken effect on the object at once and reaches the store with the commit.

    Awaiting it carries it out now. Awaiting is optional, so synchronous code can use it too.
    """

    __slots__ = ("_run",)

    def __init__(self, run: Callable[[], Awaitable[T]]) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, T]:
        return self._run().__await__()
