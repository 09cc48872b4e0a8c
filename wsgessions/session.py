"""The session that one request sees: a dict with a life of its own.

A `Session` belongs to one request. What it does to the store it does through its owner, the manager; a ``Session({...})``
made by hand has none and works alone, for tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, overload

from .attributes import Attributes, Gate
from .errors import SessionClosed, WsgessionsError
from .owner import ALONE, CommitReport, Deferred, ServedFrom, SessionOwner, SessionStatus

if TYPE_CHECKING:
    from .record import SessionKey, SessionRecord
    from .watermark import Watermark

__all__ = ["Session"]


class Session(Attributes):
    """A mapping of attribute names to values, shared by all servers.

    Behaves as a dict everywhere. Attributes are decoded on first touch; in-place changes are found at the commit. What is
    in force for values, names and sizes: see `wsgessions.codec`.
    """

    __slots__ = (
        "__weakref__",
        "_accessed",
        "_carried",
        "_committed",
        "_doomed",
        "_ended",
        "_id",
        "_interval_ms",
        "_owner",
        "_reason",
        "_record",
        "_rolled_back",
        "_successor",
        "_trouble",
    )

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__(values, **more)
        self._begin(ALONE, None)

    @classmethod
    def _of(cls, owner: SessionOwner, session_id: str | None) -> Session:
        """The session of a request that presented this id, or none; still to be loaded if it did."""
        session = cls.__new__(cls)
        Attributes.__init__(session)
        session._begin(owner, session_id)
        return session

    def _begin(self, owner: SessionOwner, session_id: str | None) -> None:
        self._owner = owner
        self._id = session_id
        self._successor: str | None = None
        self._record: SessionRecord | None = None
        self._doomed: SessionKey | None = None
        self._ended = False
        self._interval_ms: int | None = None
        self._accessed = False
        self._committed = False
        self._rolled_back = False
        self._carried: Watermark | None = None
        self._reason: Callable[[], WsgessionsError] = _unexplained
        self._trouble: WsgessionsError | None = None

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str | None:
        """The credential in the client's cookie. None before creation and after invalidation. Never log it: see `ref`."""
        return self._successor or self._id

    @property
    def ref(self) -> str | None:
        """A handle of 12 hex digits that is safe to log and to show, and useless as a credential (S-80)."""
        return None if self._record is None else self._record.key.ref

    @property
    def status(self) -> SessionStatus:
        """Where the session stands now."""
        if self._record is None:
            return SessionStatus.INVALIDATED if self._ended else SessionStatus.NEW
        return SessionStatus.DIRTY if self.modified else SessionStatus.CLEAN

    @property
    def is_new(self) -> bool:
        """Whether the store knows nothing of this session."""
        return self._record is None

    @property
    def version(self) -> int:
        """The version this object rests on, in microseconds of the store's clock; 0 for a new session (C-8)."""
        return 0 if self._record is None else self._record.version

    @property
    def created_at(self) -> datetime | None:
        """When the session was created, by the store's clock; None for a new one."""
        return None if self._record is None else _instant(self._record.created_ms)

    @property
    def last_accessed_at(self) -> datetime | None:
        """When the session was last accessed before this request, by the store's clock; None for a new one.

        Once the absolute deadline is nearer than the idle timeout, a lower bound.
        """
        record = self._record
        return None if record is None else _instant(max(record.created_ms, record.expires_ms - record.interval_ms))

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends if nobody accesses it any more, by the store's clock; None for a new one."""
        return None if self._record is None else _instant(self._record.expires_ms)

    @property
    def max_inactive_interval(self) -> timedelta | None:
        """The idle timeout of this session; None if idling never ends it. Settable, to the millisecond.

        A session made by hand, or new and not given its own, shows None until it is created with the setting's value.
        """
        interval_ms = self._interval_ms
        if interval_ms is None and self._record is not None:
            interval_ms = self._record.interval_ms
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
        return ServedFrom.NEW if self._record is None else ServedFrom.STORE

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
        return self._interval_ms is not None or self._successor is not None or bool(self._collect())

    @property
    def rolled_back(self) -> bool:
        """Whether the store has lost a commit that this client had seen, by a failover (C-12)."""
        return self._rolled_back

    def mark_accessed(self) -> None:
        """Count the session as looked at. Starlette calls this when ``request.session`` is used."""
        self._accessed = True

    def __repr__(self) -> str:
        names = ", ".join(sorted(self._names())) or "empty"
        return f"<Session {self.ref or 'new'}: {names}>"

    # -- what it does --------------------------------------------------------------------------------------------------

    def invalidate(self) -> Deferred[None]:
        """End the session: remove it from the store, and the cookies from the client.

        Takes effect on this object at once and at the store with the commit, also when the handler fails; awaited, at the
        store now. Requests in flight on any server can no longer change it (S-62). What is put in afterwards makes a new
        session with a new id.

        Raises:
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._enter_structural()
        if self._record is not None:
            self._doomed, self._ended = self._record.key, True
        self._record = self._id = self._successor = self._interval_ms = None
        self._blank()
        return Deferred(lambda: self._owner.carry_out(self))

    def rotate_id(self) -> Deferred[None]:
        """Give the session a new id and end the old one, in one atomic step. Do this at login and privilege changes (S-06).

        Takes effect as described for `invalidate`. A new session, which has no id yet, is left as it is.

        Raises:
            SessionClosed: the response has started, so the client could not be told.
            SessionGone: when awaited, if the session has ended elsewhere.
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._before_write()
        if self._record is not None and self._id is not None:
            self._successor = self._owner.successor(self._id)
        return Deferred(lambda: self._owner.carry_out(self))

    async def load(self) -> None:
        """Load the session now. Only needed on paths that are excluded from loading, or to try again.

        Raises:
            StoreUnavailable: the store did not answer.
        """
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
        self._before_write()
        return await self._owner.increment(self, name, by)

    @overload  # type: ignore[override]  # dict.update, and one form more
    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None: ...

    @overload
    def update(self, name: str, fn: Callable[[Any], Any], /) -> Awaitable[Any]: ...

    def update(self, first: Any = (), fn: Callable[[Any], Any] | None = None, /, **more: Any) -> Awaitable[Any] | None:
        """``update(mapping)`` is `dict.update`; ``await update(name, fn)`` changes one attribute at the store.

        The second form replaces the attribute by ``fn`` of the value that the store has now (None if it has none), and
        does so again until no other request came between. ``fn`` may therefore run several times.

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
        self._before_write()
        return self._owner.update(self, first, fn)

    # -- for the owner -------------------------------------------------------------------------------------------------

    def _enter(self, *, write: bool) -> None:
        self._accessed = True
        if self._gate is Gate.UNTOUCHED:
            self._gate = Gate.OPEN
        elif self._gate is Gate.SHUT or (write and self._gate is Gate.READ_ONLY):
            self._trouble = self._reason()
            raise self._trouble

    def _enter_structural(self) -> None:
        if self._gate is not Gate.READ_ONLY:
            self._before_write()

    def _adopt(self, record: SessionRecord) -> None:
        """Rest on this record from now on."""
        self._record = record
        self._rest_on(record.attributes)

    def _start_anew(self) -> None:
        """The presented id is unknown: this is a new session without an id (S-03)."""
        self._id = None

    def _open(self) -> None:
        self._gate = Gate.UNTOUCHED

    def _shut(self, reason: Callable[[], WsgessionsError]) -> None:
        self._gate, self._reason = Gate.SHUT, reason

    def _make_read_only(self, reason: Callable[[], WsgessionsError]) -> None:
        if self._gate is not Gate.SHUT:
            self._gate, self._reason = Gate.READ_ONLY, reason

    @property
    def _pending(self) -> bool:
        """Whether a commit may have something to do; cheap, and never wrongly False."""
        return bool(self._drafts or self._doomed or self._successor) or self._interval_ms is not None

    def _drop_changes(self) -> None:
        """Forget changed attributes; what was invalidated or rotated stays so (R-31, R-33)."""
        self._discard()
        self._interval_ms = None


def _unexplained() -> SessionClosed:
    return SessionClosed("the session cannot be used now")


def _instant(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
