"""The session that one request sees: a dict with a life of its own.

A `Session` belongs to one request. What it does to the store it does through a repository, which its manager has; a
``Session({...})`` made by hand works alone, for tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar, overload

from ..codec import check_name
from ..credentials.session_id import SessionId
from ..internal.masked import forgetful, shows_as
from ..record import LONGEST_INTERVAL_MS, SessionKey
from ..record.clock import instant
from ..record.principal import Principal, named
from .changes import BEFORE_RESPONSE, CLOSED
from .detached import DETACHED
from .mapping import SessionMapping
from .tracking import names_in
from .unit_of_work import UnitOfWork, too_late_to_rotate
from .values import CommitReport, Deferred, ServedFrom, SessionStatus

__all__ = ["Session", "SessionRepository", "begin_session", "repository_of"]

S = TypeVar("S", bound="Session")

_SHORTEST_INTERVAL: Final = timedelta(milliseconds=1)
_LONGEST_INTERVAL: Final = LONGEST_INTERVAL_MS * _SHORTEST_INTERVAL


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


def _shown(session: Session) -> str:
    names = ", ".join(name if name.isprintable() else repr(name) for name in sorted(names_in(session))) or "empty"
    return f"<Session {session.ref or 'new'}: {names}>"


@shows_as(_shown)
class Session(SessionMapping):
    """A mapping of attribute names to values, shared by all servers.

    Behaves as a dict everywhere. Attributes are decoded on first touch; in-place changes are found at the commit.
    What is in force for values, names and sizes: see `wsgessions.codec`.
    """

    __slots__ = ("_repository",)

    _repository: SessionRepository

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__()
        self._repository, self._unit = DETACHED, UnitOfWork()
        for name, value in dict(values, **more).items():
            self._unit.put(self, name, value)

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def id(self) -> SessionId | None:
        """The credential in the client's cookie, masked; `SessionId.get_secret_value` gives its text.

        None before creation and after invalidation.
        """
        self._unit.look()
        text = self._unit.pending_id or self._unit.id
        return None if text is None else SessionId(text)

    @property
    def ref(self) -> str | None:
        """A handle of 12 hex digits that is safe to log and to show, and useless as a credential (S-80)."""
        return None if self._unit.record is None else self._unit.record.key.ref

    @property
    def principal(self) -> str | None:
        """The user that `bind_user` was given; None if there is none (S-55)."""
        record = self._unit.look()
        if self._unit.pending_principal is not None:
            return self._unit.pending_principal or None
        return None if record is None else record.principal

    @property
    def bound_at(self) -> datetime | None:
        """When the session was bound to its principal, by the store's clock: the time of the login.

        None without a principal, or while the binding is still to be committed.
        """
        record = self._unit.look()
        if record is None or record.binding is None or self._unit.pending_principal is not None:
            return None
        return instant(record.binding.version // 1000)

    @property
    def status(self) -> SessionStatus:
        """Where the session stands now."""
        if self._unit.look() is None:
            return SessionStatus.INVALIDATED if self._unit.is_ended and not names_in(self) else SessionStatus.NEW
        return SessionStatus.DIRTY if self._unit.has_changes(self) else SessionStatus.CLEAN

    @property
    def is_new(self) -> bool:
        """Whether the store knows nothing of this session."""
        return self._unit.look() is None

    @property
    def version(self) -> int:
        """The version this object rests on, in microseconds of the store's clock; 0 for a new session (C-8)."""
        record = self._unit.look()
        return 0 if record is None else record.version

    @property
    def created_at(self) -> datetime | None:
        """When the session was created, by the store's clock; None for a new one."""
        record = self._unit.look()
        return None if record is None else instant(record.created_ms)

    @property
    def last_accessed_at(self) -> datetime | None:
        """When the session was last accessed before this request, by the store's clock; None for a new one.

        Once the absolute deadline is nearer than the idle timeout, a lower bound; without an idle timeout, the
        creation.
        """
        record = self._unit.look()
        if record is None:
            return None
        idle_since_ms = record.expires_ms - record.interval_ms if record.interval_ms else 0
        return instant(max(record.created_ms, idle_since_ms))

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends if it is not accessed any more, by the store's clock; None for a new one."""
        record = self._unit.look()
        return None if record is None else instant(record.expires_ms)

    @property
    def max_inactive_interval(self) -> timedelta | None:
        """The idle timeout of this session; None if idling never ends it. Settable, to the millisecond.

        A session made by hand, or new and not given its own, shows None until it is created with the setting's value.

        Raises:
            ValueError: what is assigned is not positive, or longer than a record holds: 142 000 years.
        """
        record, interval_ms = self._unit.look(), self._unit.interval_ms
        if interval_ms is None and record is not None:
            interval_ms = record.interval_ms
        return timedelta(milliseconds=interval_ms) if interval_ms else None

    @max_inactive_interval.setter
    def max_inactive_interval(self, value: timedelta | None) -> None:
        self._unit.before_write()
        if value is not None and not _SHORTEST_INTERVAL <= value <= _LONGEST_INTERVAL:
            raise ValueError(
                f"max_inactive_interval must be positive and at most {_LONGEST_INTERVAL.days} days, or None for a "
                "session that idling never ends"
            )
        self._unit.interval_ms = 0 if value is None else round(value / _SHORTEST_INTERVAL)

    @property
    def served_from(self) -> ServedFrom:
        """Where this request's session came from."""
        self._unit.look()
        return self._unit.served_from

    @property
    def last_commit(self) -> CommitReport | None:
        """What this process sent in its last commit of this session; None if it has not, or not lately."""
        return None if self._unit.record is None else self._repository.last_commit(self._unit.record.key)

    @property
    def accessed(self) -> bool:
        """Whether the session was looked into during this request."""
        return self._unit.is_accessed

    @property
    def modified(self) -> bool:
        """Whether a commit would send anything. Compares the values that were handed out, so not for tight loops.

        Raises:
            CodecError: a value cannot be stored.
        """
        return self._unit.has_changes(self)

    @property
    def rolled_back(self) -> bool:
        """Whether the store has lost a commit that this client had seen, by a failover (C-12)."""
        return self._unit.is_rolled_back

    def forbid_caching(self) -> None:
        """Have the response marked ``Cache-Control: no-store``: it shows what only this visitor may see (S-42).

        Until the response starts; afterwards it changes nothing.
        """
        self._unit.is_accessed = self._unit.is_uncacheable = True

    def mark_accessed(self) -> None:
        """Count the session as looked at. Starlette calls this when ``request.session`` is used."""
        self._unit.is_accessed = True

    # -- what it does --------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the session now. Only needed on paths that are excluded from loading, or to try again.

        Raises:
            SessionClosed: the request is over.
            StoreUnavailable: the store did not answer.
        """
        if self._unit.access is CLOSED:
            raise self._unit.reason()
        await self._repository.load(self)

    async def commit(self) -> None:
        """Send the changes now instead of when the response starts; nothing is sent if there are none.

        Raises:
            CodecError: a value cannot be stored; names it.
            SessionGone: the session has ended elsewhere.
            SessionConflict: ``conflicts = "raise"`` is set, and another request changed the same attribute.
            StoreUnavailable: the store did not answer.
        """
        self._unit.before_read()
        await self._repository.commit(self)

    async def refresh(self) -> None:
        """Bring the session up to the store's present state. Changes made here and not committed yet are kept.

        Raises:
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        self._unit.before_read()
        await self._repository.refresh(self)

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
        self._unit.before_write()
        return await self._repository.increment(self, name, by)

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
        self._unit.before_write()
        return self._repository.update(self, first, fn)

    # -- login and logout ----------------------------------------------------------------------------------------------

    def invalidate(self) -> Deferred[None]:
        """End the session: remove it from the store, and the cookies from the client.

        Takes effect on this object at once and at the store with the commit, also when the handler fails; awaited, at
        the store now. Requests in flight on any server can no longer change it (S-62). What is put in afterwards
        makes a new session with a new id.

        Raises:
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._unit.before_ending()
        self._unit.end(self)
        return self._deferred()

    def rotate_id(self) -> Deferred[None]:
        """Give the session a new id and end the old one, in one atomic step, as at every login (S-06).

        Takes effect on this object at once and at the store with the commit; awaited, at the store now. If the handler
        fails before that, the session keeps the id it has. A new session, which has no id yet, is left as it is.

        Raises:
            SessionClosed: the response has started, so the client could not be told.
            SessionGone: when awaited, if the session has ended elsewhere.
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._draw_new_id()
        return self._deferred()

    def bind_user(self, principal: Principal | None) -> Deferred[None]:
        """Bind the session to a user, at a login; None unbinds it. The id is renewed with it (S-06, S-55).

        What was in the session stays. Takes effect on this object at once, and at the store with the commit; awaited,
        at the store now. Either way what has been put into the session so far is stored in the same atomic step, or
        nothing is; a new session is created with its principal, even if there is nothing in it. If the handler fails
        before that, the login has not happened; ``bind_user(None)`` takes effect all the same. A session that is bound
        already is bound again: `bound_at` is the time of the latest login.

        Args:
            principal: the user as the application knows them: a text of up to 512 bytes, a number or a UUID.

        Raises:
            CodecError: the principal is none of these.
            SessionClosed: the response has started, so the client could not be told its new id.
            SessionGone: when awaited, if the session has ended elsewhere.
            StoreUnavailable: when awaited, if the store did not answer.
        """
        binds = "" if principal is None else named(principal)
        self._draw_new_id()
        self._unit.pending_principal = binds if self._unit.record is not None else binds or None
        return self._deferred()

    def _draw_new_id(self) -> None:
        self._unit.before_write()
        if self._unit.phase is not BEFORE_RESPONSE:
            raise too_late_to_rotate()
        if self._unit.record is not None and self._unit.id is not None:
            self._unit.pending_id = self._repository.successor(self._unit.id)

    def _deferred(self) -> Deferred[None]:
        return Deferred(lambda: self._repository.carry_out(self))


repository_of: Final[Callable[[Session], SessionRepository]] = attrgetter("_repository")
"""What does the store work of a session: that of its manager, or of sessions made by hand."""
_set_repository: Final[Callable[[Session, SessionRepository], None]] = vars(Session)["_repository"].__set__
_set_unit: Final[Callable[[Session, UnitOfWork], None]] = vars(SessionMapping)["_unit"].__set__


def begin_session(kind: type[S], repository: SessionRepository, unit: UnitOfWork) -> S:
    """The session of a request; still to be loaded if an id was presented.

    Args:
        kind: its class.
        repository: that of its manager.
        unit: what is known of it so far.
    """
    session = kind.__new__(kind)
    _set_repository(session, repository)
    _set_unit(session, unit)
    return session
