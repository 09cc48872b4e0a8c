"""The session that one request sees: a dict with methods for its id, its times and its store.

A `Session` belongs to one request. Its store work is done by the repository of its manager; a ``Session({...})``
without a manager works by itself, for tests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, Protocol, overload

from ..codec import check_name
from ..credentials.session_id import SessionId
from ..errors import WsgessionsError
from ..internal.masked import forgetful, shows_as
from ..record import LONGEST_INTERVAL_MS, SessionKey
from ..record.clock import instant
from ..record.principal import Principal, named
from .changes import BEFORE_RESPONSE
from .detached import DETACHED
from .mapping import SessionMapping
from .tracking import names_in
from .unit_of_work import UnitOfWork, too_late_to_rotate
from .values import CommitReport, Deferred, ServedFrom, SessionStatus

__all__ = ["Session", "SessionRepository", "new_session", "repository_of", "set_repository", "set_unit"]

_SHORTEST_INTERVAL: Final = timedelta(milliseconds=1)
_LONGEST_INTERVAL: Final = LONGEST_INTERVAL_MS * _SHORTEST_INTERVAL


class SessionRepository(Protocol):
    """Does the store work of a session."""

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

    Behaves as a dict everywhere. Attributes are decoded at their first access; changes in place are found at the
    commit. For the rules of values, names and sizes see `wsgessions.codec`.
    """

    __slots__ = ("_repository",)

    _repository: SessionRepository

    def __init__(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None:
        super().__init__()
        self._repository, self._unit = DETACHED, UnitOfWork()
        for name, value in dict(values, **more).items():
            self._unit.put(self, name, value)

    # -- properties ----------------------------------------------------------------------------------------------------

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
        """A name of 12 hex digits that is safe to log and to show, and is no credential (S-80)."""
        return None if self._unit.record is None else self._unit.record.key.ref

    @property
    def principal(self) -> str | None:
        """The user that `bind_user` was given; None without one (S-55)."""
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
        """The state of the session now."""
        if self._unit.look() is None:
            return SessionStatus.INVALIDATED if self._unit.is_ended and not names_in(self) else SessionStatus.NEW
        return SessionStatus.DIRTY if self._unit.has_changes(self) else SessionStatus.CLEAN

    @property
    def is_new(self) -> bool:
        """Whether the session is not in the store yet."""
        return self._unit.look() is None

    @property
    def version(self) -> int:
        """The version that this object is based on, in microseconds of the store's clock; 0 for a new session (C-8)."""
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

        A lower bound if the absolute deadline is nearer than the idle timeout; the creation without an idle timeout.
        """
        record = self._unit.look()
        if record is None:
            return None
        idle_since_ms = record.expires_ms - record.interval_ms if record.interval_ms else 0
        return instant(max(record.created_ms, idle_since_ms))

    @property
    def expires_at(self) -> datetime | None:
        """When the session ends without a further access, by the store's clock; None for a new one."""
        record = self._unit.look()
        return None if record is None else instant(record.expires_ms)

    @property
    def max_inactive_interval(self) -> timedelta | None:
        """The idle timeout of this session; None if it never ends by idling. Settable, to the millisecond.

        A session without a manager, or a new one without its own timeout, shows None until it is created with the
        setting's value.

        Raises:
            ValueError: the assigned value is not positive, or exceeds what a record can hold: 142 000 years.
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
                "session that never ends by idling"
            )
        self._unit.interval_ms = 0 if value is None else round(value / _SHORTEST_INTERVAL)
        self._unit.may_be_pending = True

    @property
    def served_from(self) -> ServedFrom:
        """The source of this request's session."""
        self._unit.look()
        return self._unit.served_from

    @property
    def last_commit(self) -> CommitReport | None:
        """The content of this process's last commit of this session; None if there was none, or not lately."""
        return None if self._unit.record is None else self._repository.last_commit(self._unit.record.key)

    @property
    def accessed(self) -> bool:
        """Whether the session was accessed during this request."""
        return self._unit.is_accessed

    @property
    def modified(self) -> bool:
        """Whether a commit would send anything. Compares the values that were returned, so not for tight loops.

        Raises:
            CodecError: a value cannot be stored.
        """
        return self._unit.has_changes(self)

    @property
    def rolled_back(self) -> bool:
        """Whether the store has lost a commit that this client had seen, in a failover (C-12)."""
        return self._unit.is_rolled_back

    def forbid_caching(self) -> None:
        """Mark the response with ``Cache-Control: no-store``: it shows what only this visitor may see (S-42).

        Has an effect until the response starts.
        """
        self._unit.is_accessed = self._unit.is_uncacheable = True

    def mark_accessed(self) -> None:
        """Count the session as accessed. Starlette calls this when ``request.session`` is used."""
        self._unit.is_accessed = True

    # -- operations ----------------------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the session now. Only needed on paths that are excluded from loading, or to try again.

        Raises:
            SessionClosed: the request is over.
            StoreUnavailable: the store did not answer.
        """
        self._unit.before_store_work()
        try:
            await self._repository.load(self)
        except WsgessionsError as error:
            self._unit.store_error = error
            raise

    async def commit(self) -> None:
        """Send the changes now instead of when the response starts; without changes nothing is sent.

        Raises:
            CodecError: a value cannot be stored; the error names it.
            SessionGone: the session has ended elsewhere.
            SessionConflict: ``conflicts = "raise"`` is set, and another request changed the same attribute.
            StoreUnavailable: the store did not answer.
        """
        self._unit.before_store_work()
        self._unit.before_read()
        await self._repository.commit(self)

    async def refresh(self) -> None:
        """Update the session to the store's present state. Uncommitted changes of this request are kept.

        Raises:
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        self._unit.before_store_work()
        self._unit.before_read()
        await self._repository.refresh(self)

    async def increment(self, name: str, by: float = 1) -> float:
        """Add to a number in the store, atomically with respect to other requests. An absent attribute counts as 0.

        Returns:
            The new value.

        Raises:
            CodecError: the attribute is not an int or float, or the result is beyond 2**53.
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        name = check_name(name)
        self._unit.before_write()
        return await self._repository.increment(self, name, by)

    @overload  # type: ignore[override]  # dict.update, and one more form
    def update(self, values: Mapping[str, Any] | Iterable[tuple[str, Any]] = (), /, **more: Any) -> None: ...

    @overload
    def update(self, name: str, fn: Callable[[Any], Any], /) -> Awaitable[Any]: ...

    @forgetful
    def update(self, first: Any = (), fn: Callable[[Any], Any] | None = None, /, **more: Any) -> Awaitable[Any] | None:
        """Update from a mapping, as a dict does; with a name and a function, awaited, change an attribute in the store.

        ``await session.update(name, fn)`` replaces the attribute by ``fn`` of its value in the store now (None if
        absent), and repeats that until no other request has changed it in between. ``fn`` may therefore run several
        times.

        Returns:
            The new value, for the second form.

        Raises:
            SessionConflict: the attribute has uncommitted changes here, or other requests changed it during each
                attempt.
            CodecError: the new value cannot be stored.
            SessionGone: the session has ended elsewhere.
            StoreUnavailable: the store did not answer.
        """
        if fn is None:
            super().update(first, **more)
            return None
        name = check_name(first)
        self._unit.before_write()
        return self._repository.update(self, name, fn)

    # -- login and logout ----------------------------------------------------------------------------------------------

    def invalidate(self) -> Deferred[None]:
        """End the session: remove it from the store, and the cookies from the client.

        Takes effect on this object at once and in the store with the commit, also if the handler fails; awaited, in the
        store now. Requests in flight on any server can no longer change it (S-62). Attributes that are set afterwards
        make a new session with a new id.

        Raises:
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._unit.before_ending()
        self._unit.end(self)
        return self._deferred()

    def rotate_id(self) -> Deferred[None]:
        """Give the session a new id and end the old one, in one atomic step, as at every login (S-06).

        Takes effect on this object at once and in the store with the commit; awaited, in the store now. If the handler
        fails before that, the session keeps its id. A new session, which has no id yet, is left unchanged.

        Raises:
            SessionClosed: the response has started, so the client could not be told the new id.
            SessionGone: when awaited, if the session has ended elsewhere.
            StoreUnavailable: when awaited, if the store did not answer.
        """
        self._draw_new_id()
        return self._deferred()

    def bind_user(self, principal: Principal | None) -> Deferred[None]:
        """Bind the session to a user, at a login; None unbinds it. The id is renewed with it (S-06, S-55).

        The session's content stays. Takes effect on this object at once, and in the store with the commit; awaited, in
        the store now. Either way all changes of the session so far are stored in the same atomic step, or none; a new
        session is created with its principal, even if it is empty. If the handler fails before that, the login has not
        happened; ``bind_user(None)`` takes effect all the same. A session that is bound already is bound again:
        `bound_at` is the time of the latest login.

        Args:
            principal: the application's name of the user: a text of up to 512 bytes, a number or a UUID.

        Raises:
            CodecError: the principal is of another type or too long.
            SessionClosed: the response has started, so the client could not be told its new id.
            SessionGone: when awaited, if the session has ended elsewhere.
            StoreUnavailable: when awaited, if the store did not answer.
        """
        binds = "" if principal is None else named(principal)
        self._draw_new_id()
        self._unit.pending_principal = binds if self._unit.record is not None else binds or None
        self._unit.may_be_pending = True
        return self._deferred()

    def _draw_new_id(self) -> None:
        self._unit.before_write()
        if self._unit.phase is not BEFORE_RESPONSE:
            raise too_late_to_rotate()
        if self._unit.record is not None and self._unit.id is not None:
            self._unit.plan_rotation(self._repository.successor(self._unit.id))

    def _deferred(self) -> Deferred[None]:
        return Deferred(lambda: self._repository.carry_out(self))


repository_of: Final[Callable[[Session], SessionRepository]] = attrgetter("_repository")
"""Does the store work of a session: the repository of its manager, or of sessions without a manager."""

# A session of a request is made by these three, in C: ``new_session(kind)``, then the other two.
new_session: Final[Callable[[type[Session]], Session]] = Session.__new__
set_repository: Final[Callable[[Session, SessionRepository], None]] = vars(Session)["_repository"].__set__
set_unit: Final[Callable[[Session, UnitOfWork], None]] = vars(SessionMapping)["_unit"].__set__
