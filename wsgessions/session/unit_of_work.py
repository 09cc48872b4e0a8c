"""A session between its load and its commit: what its owner keeps in it, and what may still be done with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Self

from ..credentials.presented import OVERSIZED
from ..errors import CookiesOversized, SessionClosed, SessionGone, WsgessionsError
from .changes import CLOSED, OPEN, READ_ONLY, SHUT, UNTOUCHED
from .lazy_values import UnavailableValue
from .mapping import Attributes
from .owner import FROM_NEW

if TYPE_CHECKING:
    from ..credentials.presented import PresentedCredentials, ResolvedCredentials
    from ..credentials.watermark import Watermark
    from ..record import SessionKey, SessionRecord
    from .owner import ServedFrom, SessionRepository, UnsettledRotation

__all__ = ["SessionState", "too_late_to_change", "too_late_to_rotate"]

# The storage itself, past the methods of `Attributes`.
_set: Final = dict[str, Any].__setitem__
_pop: Final = dict[str, Any].pop


class SessionState(Attributes):
    """The part of a `wsgessions.Session` that is for its owner and not for the application."""

    __slots__ = (
        "__weakref__",
        "_accessed",
        "_binds",
        "_carried",
        "_client_is_told",
        "_committed",
        "_cookie_seconds",
        "_doomed",
        "_ended",
        "_followed",
        "_frozen",
        "_id",
        "_interval_ms",
        "_known_to_client",
        "_owner",
        "_peer",
        "_presented",
        "_reason",
        "_recognized",
        "_record",
        "_reserved",
        "_rolled_back",
        "_served_from",
        "_successor",
        "_takes_late_changes",
        "_trouble",
        "_uncacheable",
        "_unknown_key",
        "_unsettled",
    )

    _presented: PresentedCredentials
    """What the client presented; only of a session that a manager has begun."""
    _known_to_client: SessionRecord | None
    """The state that the client's watermark is of, by this very node or one that needs no telling apart."""

    @classmethod
    def _of(cls, owner: SessionRepository, presented: PresentedCredentials, peer: str | None) -> Self:
        """The session of a request that presented this; still to be loaded if there is an id."""
        session = cls.__new__(cls)
        session._begin_tracking()
        session._begin(owner, presented.id)
        session._presented = presented
        session._peer = peer
        return session

    def _begin(self, owner: SessionRepository, session_id: str | None) -> None:
        self._owner = owner
        self._id: str | None = session_id
        self._reserved: str | None = None
        self._successor: str | None = None
        self._binds: str | None = None
        self._record: SessionRecord | None = None
        self._known_to_client = None
        self._doomed: SessionKey | None = None
        self._ended = False
        self._client_is_told = False  # but in a request, which tells its client what becomes of the id
        self._followed = False
        self._frozen = False
        self._takes_late_changes = True
        self._interval_ms: int | None = None
        self._cookie_seconds: int | None = None
        self._accessed = False
        self._uncacheable = False
        self._committed = False
        self._rolled_back = False
        self._served_from: ServedFrom = FROM_NEW
        self._peer: str | None = None
        self._recognized: ResolvedCredentials | None = None
        self._carried: Watermark | None = None
        self._reason: Callable[[], WsgessionsError] = _unexplained
        self._trouble: WsgessionsError | None = None
        self._unknown_key: SessionKey | None = None
        self._unsettled: UnsettledRotation | None = None

    def _enter(self, *, write: bool) -> None:
        self._accessed = True
        if self._gate is UNTOUCHED:
            self._gate = OPEN
        elif write or self._gate is not READ_ONLY:
            self._trouble = self._reason()
            raise self._trouble

    def _look(self) -> SessionRecord | None:
        """The record, for questions about the session. Counts as an access.

        Refused where nothing was loaded: "could not be loaded" must never pass for "new" (F-00a).
        """
        self._accessed = True
        if self._gate is SHUT:
            self._enter(write=False)
        return self._record

    def _enter_structural(self) -> None:
        if self._gate is not READ_ONLY or not self._frozen:
            self._before_write()

    def _adopt(self, record: SessionRecord, among: Iterable[str] | None = None) -> None:
        """Rest on this record from now on; see `_rest_on`."""
        self._record = record
        self._rest_on(record.attributes, among)

    def _start_anew(self, key: SessionKey) -> None:
        """The presented id, which belongs to this key, is unknown: this is a new session without an id (S-03)."""
        self._id, self._unknown_key = None, key

    def _stand_aside(self, key: SessionKey) -> None:
        """The session of this key lives on under an id that its client was told: make none beside it (C-24, S-75)."""
        self._start_anew(key)
        self._gate, self._reason = READ_ONLY, _lives_elsewhere

    def _open(self) -> None:
        """What there is has been loaded."""
        _pop(self, "", None)
        if self._gate is not CLOSED:
            self._gate = UNTOUCHED
            self._limit()

    def _shut(self, reason: Callable[[], WsgessionsError]) -> None:
        if self._gate is not CLOSED:
            self._gate, self._reason = SHUT, reason
            _set(self, "", UnavailableValue.by(reason))

    def _close(self, reason: Callable[[], WsgessionsError]) -> None:
        self._gate, self._reason = CLOSED, reason

    def _doubt(self) -> None:
        """The client has not presented one id, and it may have a session nevertheless."""
        if self._presented.rivals:
            self._id = self._presented.rivals[0]  # until the load, when the store says which one counts (S-29)
        elif self._presented.finding is OVERSIZED:
            # It may be among the cookies that are not read: nothing is done with an empty one in its place (S-31).
            self._gate, self._reason = READ_ONLY, _too_many_cookies

    def _freeze(self, *, takes_late_changes: bool) -> None:
        """The headers leave: nothing may happen from here on that the client would have to be told of (R-38)."""
        self._frozen = True
        self._takes_late_changes = takes_late_changes
        if self._record is None or not takes_late_changes:
            self._limit()

    def _limit(self) -> None:
        if not self._frozen or self._gate is SHUT or self._gate is CLOSED:
            return
        if self._record is None:
            self._gate, self._reason = READ_ONLY, _too_late_to_create
        elif not self._takes_late_changes:
            self._gate, self._reason = READ_ONLY, too_late_to_change

    def _is_pending(self) -> bool:
        """Whether a commit may have something to do; cheap, and never wrongly False."""
        if self._drafts or self._views or self._interval_ms is not None:
            return True
        if self._doomed is not None or self._successor is not None or self._binds is not None:
            return True
        return self._unsettled is not None

    @property
    def _changed(self) -> bool:
        """Whether a commit would change a session that exists, or create one."""
        return bool(self._interval_ms is not None or self._successor or self._binds or self._collect())

    def _drop_changes(self) -> None:
        """Forget what was changed, and with it a new id and a binding to a user: both or neither (R-31, R-33, S-06).

        What takes privilege away is still to be carried out: the end of the session, and its unbinding.
        """
        self._discard()
        self._interval_ms = None
        if self._binds != "":
            self._forgo_new_id()

    def _forgo_new_id(self) -> None:
        """Keep the id and the principal: the client could not be told another id, or the session is over."""
        self._successor = self._binds = None

    def _settle_binding(self, bound: str | None) -> None:
        """The store has taken this binding; one that was asked for meanwhile is still to come."""
        if self._binds == bound:
            self._binds = None


def _unexplained() -> SessionClosed:
    return SessionClosed("the session cannot be used now")


def _too_many_cookies() -> CookiesOversized:
    return CookiesOversized(
        "the request has more cookies than are read, and the session may be among those that are not",
        hint="the client removes cookies of this site, or other parts of the site set fewer",
    )


def _lives_elsewhere() -> SessionGone:
    return SessionGone("the client has another id for this session by now; nothing is stored for its old credential")


def _too_late_to_create() -> SessionClosed:
    return SessionClosed(
        "the response has started, so no session can be created for this client any more",
        hint="put something into the session before the response starts",
    )


def too_late_to_change() -> SessionClosed:
    """The error of a change after the headers, where ``late_commit`` refuses it (C-13)."""
    return SessionClosed('the response has started, and late_commit = "refuse" is set')


def too_late_to_rotate() -> SessionClosed:
    """The error of a rotation after the headers."""
    return SessionClosed(
        "the response has started, so the client could not be told its new id",
        hint="call rotate_id() before the response starts",
    )
