"""The session that one request sees: a dict with a life of its own.

A `Session` belongs to one request. What it does to the store it does through its owner, the manager; a
``Session({...})`` made by hand has none and works alone, for tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, overload

from ..codec import check_name
from ..internal.masked import forgetful, shows_as
from ..record import LONGEST_INTERVAL_MS
from ..record.clock import instant
from .changes import CLOSED
from .login import LoginState
from .owner import DETACHED, CommitReport, ServedFrom, SessionStatus

__all__ = ["Session"]

_SHORTEST_INTERVAL: Final = timedelta(milliseconds=1)
_LONGEST_INTERVAL: Final = LONGEST_INTERVAL_MS * _SHORTEST_INTERVAL


def _shown(session: Session) -> str:
    names = ", ".join(name if name.isprintable() else repr(name) for name in sorted(session._names())) or "empty"
    return f"<Session {session.ref or 'new'}: {names}>"


@shows_as(_shown)
class Session(LoginState):
    """A mapping of attribute names to values, shared by all servers.

    Behaves as a dict everywhere. Attributes are decoded on first touch; in-place changes are found at the commit.
    What is in force for values, names and sizes: see `wsgessions.codec`.
    """

    __slots__ = ()

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__(values, **more)
        self._begin(DETACHED, None)

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def status(self) -> SessionStatus:
        """Where the session stands now."""
        if self._look() is None:
            return SessionStatus.INVALIDATED if self._ended and not self._names() else SessionStatus.NEW
        return SessionStatus.DIRTY if self._changed else SessionStatus.CLEAN

    @property
    def is_new(self) -> bool:
        """Whether the store knows nothing of this session."""
        return self._look() is None

    @property
    def version(self) -> int:
        """The version this object rests on, in microseconds of the store's clock; 0 for a new session (C-8)."""
        record = self._look()
        return 0 if record is None else record.version

    @property
    def created_at(self) -> datetime | None:
        """When the session was created, by the store's clock; None for a new one."""
        record = self._look()
        return None if record is None else instant(record.created_ms)

    @property
    def last_accessed_at(self) -> datetime | None:
        """When the session was last accessed before this request, by the store's clock; None for a new one.

        Once the absolute deadline is nearer than the idle timeout, a lower bound; without an idle timeout, the
        creation.
        """
        record = self._look()
        if record is None:
            return None
        idle_since_ms = record.expires_ms - record.interval_ms if record.interval_ms else 0
        return instant(max(record.created_ms, idle_since_ms))

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends if it is not accessed any more, by the store's clock; None for a new one."""
        record = self._look()
        return None if record is None else instant(record.expires_ms)

    @property
    def max_inactive_interval(self) -> timedelta | None:
        """The idle timeout of this session; None if idling never ends it. Settable, to the millisecond.

        A session made by hand, or new and not given its own, shows None until it is created with the setting's value.

        Raises:
            ValueError: what is assigned is not positive, or longer than a record holds: 142 000 years.
        """
        record, interval_ms = self._look(), self._interval_ms
        if interval_ms is None and record is not None:
            interval_ms = record.interval_ms
        return timedelta(milliseconds=interval_ms) if interval_ms else None

    @max_inactive_interval.setter
    def max_inactive_interval(self, value: timedelta | None) -> None:
        self._before_write()
        if value is not None and not _SHORTEST_INTERVAL <= value <= _LONGEST_INTERVAL:
            raise ValueError(
                f"max_inactive_interval must be positive and at most {_LONGEST_INTERVAL.days} days, or None for a "
                "session that idling never ends"
            )
        self._interval_ms = 0 if value is None else round(value / _SHORTEST_INTERVAL)

    @property
    def served_from(self) -> ServedFrom:
        """Where this request's session came from."""
        self._look()
        return self._served_from

    @property
    def last_commit(self) -> CommitReport | None:
        """What this process sent in its last commit of this session; None if it has not, or not lately."""
        return None if self._record is None else self._owner.last_commit(self._record.key)

    @property
    def accessed(self) -> bool:
        """Whether the session was looked into during this request."""
        return self._accessed

    @property
    def modified(self) -> bool:
        """Whether a commit would send anything. Compares the values that were handed out, so not for tight loops.

        Raises:
            CodecError: a value cannot be stored.
        """
        return self._changed

    @property
    def rolled_back(self) -> bool:
        """Whether the store has lost a commit that this client had seen, by a failover (C-12)."""
        return self._rolled_back

    def forbid_caching(self) -> None:
        """Have the response marked ``Cache-Control: no-store``: it shows what only this visitor may see (S-42).

        Until the response starts; afterwards it changes nothing.
        """
        self._accessed = self._uncacheable = True

    def mark_accessed(self) -> None:
        """Count the session as looked at. Starlette calls this when ``request.session`` is used."""
        self._accessed = True

    # -- what it does --------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the session now. Only needed on paths that are excluded from loading, or to try again.

        Raises:
            SessionClosed: the request is over.
            StoreUnavailable: the store did not answer.
        """
        if self._gate is CLOSED:
            raise self._reason()
        await self._owner.load(self)

    async def commit(self) -> None:
        """Send the changes now instead of when the response starts; nothing is sent if there are none.

        Raises:
            CodecError: a value cannot be stored; names it.
            SessionGone: the session has ended elsewhere.
            SessionConflict: ``conflicts = "raise"`` is set, and another request changed the same attribute.
            StoreUnavailable: the store did not answer.
        """
        self._before_read()
        await self._owner.commit(self)

    async def refresh(self) -> None:
        """Bring the session up to the store's present state. Changes made here and not committed yet are kept.

        Raises:
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        self._before_read()
        await self._owner.refresh(self)

    async def increment(self, name: str, by: float = 1) -> float:
        """Add to a number at the store, whatever other requests do meanwhile. An absent attribute counts as 0.

        Returns:
            The new value.

        Raises:
            CodecError: the attribute is not an int or float, or the result is beyond 2**53.
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        check_name(name)
        self._before_write()
        return await self._owner.increment(self, name, by)

    @overload  # type: ignore[override]  # dict.update, and one form more
    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None: ...

    @overload
    def update(self, name: str, fn: Callable[[Any], Any], /) -> Awaitable[Any]: ...

    @forgetful
    def update(self, first: Any = (), fn: Callable[[Any], Any] | None = None, /, **more: Any) -> Awaitable[Any] | None:
        """Take over a mapping, as a dict does; with a name and a function, awaited, change an attribute at the store.

        ``await session.update(name, fn)`` replaces the attribute by ``fn`` of what the store has now (None if nothing),
        and does so again until no other request came between. ``fn`` may therefore run several times.

        Returns:
            The new value, for the second form.

        Raises:
            SessionConflict: the attribute has uncommitted changes here, or others were faster for too long.
            CodecError: the new value cannot be stored.
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        if fn is None:
            super().update(first, **more)
            return None
        check_name(first)
        self._before_write()
        return self._owner.update(self, first, fn)
