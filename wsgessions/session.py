"""The session that one request sees: a dict with a life of its own.

A `Session` belongs to one request. What it does to the store it does through its owner, the manager; a
``Session({...})`` made by hand has none and works alone, for tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, overload

from .attribute_changes import Gate
from .codec import check_name
from .owner import ALONE, CommitReport, Deferred, ServedFrom, SessionStatus
from .session_state import SessionState, too_late_to_rotate

__all__ = ["Session"]


class Session(SessionState):
    """A mapping of attribute names to values, shared by all servers.

    Behaves as a dict everywhere. Attributes are decoded on first touch; in-place changes are found at the commit.
    What is in force for values, names and sizes: see `wsgessions.codec`.
    """

    __slots__ = ()

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__(values, **more)
        self._begin(ALONE, None)

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """The credential in the client's cookie. None before creation and after invalidation. Never to be logged."""
        self._look()
        return self._successor or self._id

    @property
    def ref(self) -> str | None:
        """A handle of 12 hex digits that is safe to log and to show, and useless as a credential (S-80)."""
        return None if self._record is None else self._record.key.ref

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
        return None if record is None else _instant(record.created_ms)

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
        return _instant(max(record.created_ms, idle_since_ms))

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends if nobody accesses it any more, by the store's clock; None for a new one."""
        record = self._look()
        return None if record is None else _instant(record.expires_ms)

    @property
    def max_inactive_interval(self) -> timedelta | None:
        """The idle timeout of this session; None if idling never ends it. Settable, to the millisecond.

        A session made by hand, or new and not given its own, shows None until it is created with the setting's value.
        """
        record, interval_ms = self._look(), self._interval_ms
        if interval_ms is None and record is not None:
            interval_ms = record.interval_ms
        return timedelta(milliseconds=interval_ms) if interval_ms else None

    @max_inactive_interval.setter
    def max_inactive_interval(self, value: timedelta | None) -> None:
        self._before_write()
        if value is not None and value < timedelta(milliseconds=1):
            raise ValueError("max_inactive_interval must be positive, or None for a session that idling never ends")
        self._interval_ms = 0 if value is None else round(value / timedelta(milliseconds=1))

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
        """Whether anybody has looked into the session during this request."""
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

    def __repr__(self) -> str:
        names = ", ".join(name if name.isprintable() else repr(name) for name in sorted(self._names())) or "empty"
        return f"<Session {self.ref or 'new'}: {names}>"

    # -- what it does --------------------------------------------------------------------------------------------------

    def invalidate(self) -> Deferred[None]:
        """End the session: remove it from the store, and the cookies from the client.

        Takes effect on this object at once and at the store with the commit, also when the handler fails; awaited, at
        the store now. Requests in flight on any server can no longer change it (S-62). What is put in afterwards
        makes a new session with a new id.

        Raises:
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._enter_structural()
        if self._record is not None:
            self._doomed = self._record.key
        self._ended = True
        self._record = self._id = self._successor = self._interval_ms = None
        self._served_from = ServedFrom.NEW
        self._blank()
        self._limit()
        return Deferred(lambda: self._owner.carry_out(self))

    def rotate_id(self) -> Deferred[None]:
        """Give the session a new id and end the old one, in one atomic step, as at every login (S-06).

        Takes effect on this object at once and at the store with the commit; awaited, at the store now. If the handler
        fails before that, and the client cannot be told a new id, it keeps the one it has. A new session, which has no
        id yet, is left as it is.

        Raises:
            SessionClosed: the response has started, so the client could not be told.
            SessionGone: when awaited, if the session has ended elsewhere.
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._before_write()
        if self._frozen:
            raise too_late_to_rotate()
        if self._record is not None and self._id is not None:
            self._successor = self._owner.successor(self._id)
        return Deferred(lambda: self._owner.carry_out(self))

    async def load(self) -> None:
        """Load the session now. Only needed on paths that are excluded from loading, or to try again.

        Raises:
            SessionClosed: the request is over.
            StoreUnavailable: the store did not answer.
        """
        if self._gate is Gate.CLOSED:
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


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
