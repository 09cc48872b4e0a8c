"""The id and the principal of a session: what a login and a logout change."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, cast

from ..credentials.session_id import SessionId
from ..record.clock import instant
from ..record.principal import Principal, named
from .owner import FROM_NEW, Deferred
from .unit_of_work import SessionState, too_late_to_rotate

if TYPE_CHECKING:
    from .session import Session

__all__ = ["LoginState"]


class LoginState(SessionState):
    """The part of a `wsgessions.Session` that is about its id and its principal."""

    __slots__ = ()

    @property
    def id(self) -> SessionId | None:
        """The credential in the client's cookie, masked; `SessionId.get_secret_value` gives its text.

        None before creation and after invalidation.
        """
        self._look()
        text = self._successor or self._id
        return None if text is None else SessionId(text)

    @property
    def ref(self) -> str | None:
        """A handle of 12 hex digits that is safe to log and to show, and useless as a credential (S-80)."""
        return None if self._record is None else self._record.key.ref

    @property
    def principal(self) -> str | None:
        """The user that `bind_user` was given; None if there is none (S-55)."""
        record = self._look()
        if self._binds is not None:
            return self._binds or None
        return None if record is None else record.principal

    @property
    def bound_at(self) -> datetime | None:
        """When the session was bound to its principal, by the store's clock: the time of the login.

        None without a principal, or while the binding is still to be committed.
        """
        record = self._look()
        if record is None or record.binding is None or self._binds is not None:
            return None
        return instant(record.binding.version // 1000)

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
        self._record = self._id = self._interval_ms = None
        self._forgo_new_id()
        self._served_from = FROM_NEW
        self._blank()
        self._limit()
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
        self._draw_successor()
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
        self._draw_successor()
        self._binds = binds if self._record is not None else binds or None
        return self._deferred()

    def _draw_successor(self) -> None:
        self._before_write()
        if self._frozen:
            raise too_late_to_rotate()
        if self._record is not None and self._id is not None:
            self._successor = self._owner.successor(self._id)

    def _deferred(self) -> Deferred[None]:
        session = cast("Session", self)
        return Deferred(lambda: session._owner.carry_out(session))
