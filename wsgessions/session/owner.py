"""What stands between a session and the store: the words both sides use, and the owner of sessions made by hand."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, Protocol, TypeVar, cast

from ..codec import check_name
from ..errors import CodecError

if TYPE_CHECKING:
    from ..record import RotationTarget, SessionDelta, SessionKey
    from .session import Session

__all__ = [
    "DETACHED",
    "FROM_NEAR_CACHE",
    "FROM_NEW",
    "FROM_STORE",
    "CommitReport",
    "Deferred",
    "ServedFrom",
    "SessionRepository",
    "SessionStatus",
    "UnsettledRotation",
    "add_numbers",
]

T = TypeVar("T")

_EXACT: Final = 2**53
"""Below it a store's script, which computes in doubles, holds every integer exactly (C-10)."""


class SessionStatus(Enum):
    """Where a session stands between its load and its commit."""

    NEW = "new"
    """The store knows nothing of it. It is created by the first commit that finds something in it (S-50)."""
    CLEAN = "clean"
    """As it is in the store."""
    DIRTY = "dirty"
    """Changed since; the next commit sends the difference."""
    INVALIDATED = "invalidated"
    """Ended by this request and empty."""


class ServedFrom(Enum):
    """Where a request's session came from."""

    NEW = "new"
    """Nowhere: no valid id was presented."""
    NEAR_CACHE = "near-cache"
    """This process's memory, proved to be fresh (C-11)."""
    STORE = "store"
    """The shared store, by a round trip."""


FROM_NEW: Final = ServedFrom.NEW
FROM_NEAR_CACHE: Final = ServedFrom.NEAR_CACHE
FROM_STORE: Final = ServedFrom.STORE


class CommitReport(NamedTuple):
    """What one commit sent."""

    version: int
    bytes_sent: int
    """Bytes of the names and values that were sent."""
    bytes_whole: int
    """Bytes that a write of the whole session would have sent."""
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class UnsettledRotation:
    """A rotation that was sent and of which it is not known whether it was carried out (C-23)."""

    __slots__ = ("at", "delta", "id", "successor")

    def __init__(self, session_id: str, delta: SessionDelta, successor: RotationTarget, at: int) -> None:
        self.id: str = session_id
        """The new id."""
        self.delta: SessionDelta = delta
        self.successor: RotationTarget = successor
        self.at: int = at
        """How many writes the session had seen when it was sent."""


class SessionRepository(Protocol):
    """Does for a session what needs the store."""

    async def load(self, session: Session) -> None: ...
    async def commit(self, session: Session) -> None: ...
    async def carry_out(self, session: Session) -> None: ...
    async def refresh(self, session: Session) -> None: ...
    async def increment(self, session: Session, name: str, by: float) -> float: ...
    async def update(self, session: Session, name: str, fn: Callable[[Any], Any]) -> Any: ...
    def successor(self, session_id: str) -> str: ...
    def last_commit(self, key: SessionKey) -> CommitReport | None: ...


class Deferred(Generic[T]):
    """The result of a call that has taken effect on the object at once and reaches the store with the commit.

    Awaiting it carries it out now. Not awaiting it is fine, so synchronous code can use it too.
    """

    __slots__ = ("_run",)

    def __init__(self, run: Callable[[], Awaitable[T]]) -> None:
        self._run = run

    def __await__(self) -> Generator[Any, None, T]:
        return self._run().__await__()


def add_numbers(name: str, value: object, by: float) -> float:
    """``value + by`` under the rules of an in-store increment.

    Raises:
        CodecError: ``value`` or ``by`` is no number, or one of the three is not exact in a double.
    """
    check_name(name)
    for number in (value, by):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise CodecError(f"a {type(number).__name__} cannot be incremented or added", path=name)
    if _is_exact(value) and _is_exact(by):
        total = cast("float", value) + by  # the loop has proved it
        if _is_exact(total):
            return total
    raise CodecError("incremented, it would not be finite or would leave the range of 2**53", path=name)


def _is_exact(number: Any) -> bool:
    return math.isfinite(number) if isinstance(number, float) else abs(number) < _EXACT


class DetachedRepository:
    """Owns sessions that were made by hand: there is no store, so everything is in force at once."""

    async def load(self, session: Session) -> None:
        """There is nothing to load."""

    async def commit(self, session: Session) -> None:
        """There is nowhere to send to; typed values are written back, as everywhere."""
        session._draw_in()

    carry_out = refresh = commit

    async def increment(self, session: Session, name: str, by: float) -> float:
        session[name] = total = add_numbers(name, session.get(name, 0), by)
        return total

    async def update(self, session: Session, name: str, fn: Callable[[Any], Any]) -> Any:
        session[name] = value = fn(session.get(name))
        return value

    def successor(self, session_id: str) -> str:
        return session_id

    def last_commit(self, key: SessionKey) -> CommitReport | None:
        return None


DETACHED: Final[SessionRepository] = DetachedRepository()
"""The owner of every ``Session({...})``."""
