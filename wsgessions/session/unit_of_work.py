"""All that one request knows of its session, from the id that was presented to what is still to be sent.

An application sees a `wsgessions.Session`, a dict with verbs. What belongs to the request stands here, for the manager,
the web part and the adapters: `unit_of(session)` is the unit of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from ..credentials.presented import OVERSIZED, PresentedCredentials, ResolvedCredentials
from ..credentials.watermark import Watermark
from ..errors import CookiesOversized, SessionClosed, SessionGone, SessionNotLoaded, WsgessionsError
from ..record import NO_ATTRIBUTES, SessionKey, SessionRecord, StoredAttributes
from ..record.struct import field
from .changes import (
    BEFORE_RESPONSE,
    CHANGES_REFUSED,
    CLOSED,
    OPEN,
    READ_ONLY,
    RESPONSE_STARTED,
    UNAVAILABLE,
    UNTOUCHED,
    Access,
    Phase,
)
from .lazy_values import LazyValue, UnavailableValue
from .tracking import AttributeTracker, Values
from .values import FROM_NEW, ServedFrom, UnsettledRotation

__all__ = ["UnitOfWork", "too_late_to_change", "too_late_to_rotate"]

# The storage itself, past the methods of the session.
_set: Final = dict[str, object].__setitem__
_pop: Final = dict[str, object].pop
_update: Final = dict[str, object].update


def _unexplained() -> SessionClosed:
    return SessionClosed("the session cannot be used now")


class UnitOfWork(AttributeTracker):
    """One request's view of its session, and what it is going to do to it."""

    # As in the base, which tells what they are: declared again, because they are set here too.
    access: Access = UNTOUCHED
    stored: StoredAttributes = NO_ATTRIBUTES

    # What the client has shown.
    presented: PresentedCredentials = field(default_factory=PresentedCredentials)
    client_address: str | None = None
    resolved: ResolvedCredentials | None = None
    client_watermark: Watermark | None = None
    """The watermark that the client carries, if one of ours."""
    client_record: SessionRecord | None = None
    """The state that this watermark is of, by this very node or one that needs no telling apart."""
    is_client_told: bool = False
    """Whether the client is told what becomes of the id, as it is by the response of a request."""
    unknown_key: SessionKey | None = None
    """The key of a presented id that the store does not know."""

    # What the session is.
    id: str | None = None
    record: SessionRecord | None = None
    served_from: ServedFrom = FROM_NEW
    is_rolled_back: bool = False
    """Whether the store has lost a commit that this client had seen (C-12)."""
    has_followed_move: bool = False
    """Whether the session was found by a move, so that the client is to be given an id that it can know (C-23)."""

    # What is going to happen to it.
    pending_id: str | None = None
    """The id that the session is going to have."""
    pending_principal: str | None = None
    """The principal it is going to be bound to; empty if to none any more."""
    pending_delete: SessionKey | None = None
    interval_ms: int | None = None
    """The idle timeout that was set; 0 if idling is to end it never."""
    reserved_id: str | None = None
    """The id that it will be created under, told to the application before (`SessionManager.owner.reserve_id`)."""
    unsettled: UnsettledRotation | None = None
    cookie_seconds: int | None = None
    """For how long the cookie is to live; 0 for as long as the browser runs."""

    # What has happened to it.
    is_accessed: bool = False
    is_marked: bool = False
    """Whether the application has said that it has changed something, where its framework has a word for that."""
    is_uncacheable: bool = False
    is_committed: bool = False
    is_ended: bool = False
    phase: Phase = BEFORE_RESPONSE
    reason: Callable[[], WsgessionsError] = _unexplained
    """Makes the error of an access that is refused."""
    store_error: WsgessionsError | None = None
    """The latest error of the session, to answer a request with that has made a 500 of it (F-00a)."""

    @property
    def ref(self) -> str | None:
        """See `Session.ref`."""
        return None if self.record is None else self.record.key.ref

    # -- access --------------------------------------------------------------------------------------------------------

    def check_access(self, *, write: bool) -> None:
        """See `AttributeTracker.check_access`.

        Raises:
            WsgessionsError: it is refused; the `reason`.
        """
        self.is_accessed = True
        if self.access is UNTOUCHED:
            self.access = OPEN
        elif write or self.access is not READ_ONLY:
            self.store_error = self.reason()
            raise self.store_error

    def look(self) -> SessionRecord | None:
        """The record, for questions about the session. Counts as an access.

        Refused where nothing was loaded: "could not be loaded" must never pass for "new" (F-00a).
        """
        self.is_accessed = True
        if self.access is UNAVAILABLE:
            self.check_access(write=False)
        return self.record

    def before_ending(self) -> None:
        """Called before the session is ended, which is in order when the response has started."""
        if self.access is not READ_ONLY or self.phase is BEFORE_RESPONSE:
            self.before_write()

    def loaded(self, values: Values) -> None:
        """What there is has been loaded."""
        _pop(values, "", None)
        if self.access is not CLOSED:
            self.access = UNTOUCHED
            self.limit_access()

    def fail_with(self, values: Values, reason: Callable[[], WsgessionsError]) -> None:
        """The session was not loaded, or could not be: each access raises ``reason()`` until it is."""
        if self.access is not CLOSED:
            self.access, self.reason = UNAVAILABLE, reason
            _set(values, "", UnavailableValue.by(reason))

    def defer_load(self, values: Values) -> None:
        """Have the application ``await session.load()`` before the first use (R-30)."""
        self.fail_with(values, _not_loaded)

    def close(self, reason: Callable[[], WsgessionsError]) -> None:
        """From now on each access raises ``reason()``."""
        self.access, self.reason = CLOSED, reason

    def finish(self) -> None:
        """The request is over: the session may not be used any more (R-39)."""
        self.access, self.reason = CLOSED, _request_is_over

    def response_started(self, *, takes_late_changes: bool) -> None:
        """The headers leave: nothing may happen from here on that the client would have to be told of (R-38)."""
        self.phase = RESPONSE_STARTED if takes_late_changes else CHANGES_REFUSED
        if self.record is None or not takes_late_changes:
            self.limit_access()

    def limit_access(self) -> None:
        """Refuse what is not possible in this phase."""
        if self.phase is BEFORE_RESPONSE or self.access is UNAVAILABLE or self.access is CLOSED:
            return
        if self.record is None:
            self.access, self.reason = READ_ONLY, _too_late_to_create
        elif self.phase is CHANGES_REFUSED:
            self.access, self.reason = READ_ONLY, too_late_to_change

    # -- what it rests on ----------------------------------------------------------------------------------------------

    def attach(self, values: Values, record: SessionRecord, among: Iterable[str] | None = None) -> None:
        """Rest on this record from now on; see `rebase_onto`."""
        if self.record is None and not (self.baseline or self.stored or self.is_decoded):  # nothing to compare with
            self.record, self.stored = record, record.attributes
            _update(values, record.attributes.placeholders(LazyValue.of))
        else:
            self.record = record
            self.rebase_onto(values, record.attributes, among)

    def start_anew(self, key: SessionKey) -> None:
        """The presented id, which belongs to this key, is unknown: this is a new session without an id (S-03)."""
        self.id, self.unknown_key = None, key

    def stand_aside(self, key: SessionKey) -> None:
        """The session of this key lives on under an id that its client was told: make none beside it (C-24, S-75)."""
        self.start_anew(key)
        self.access, self.reason = READ_ONLY, _lives_elsewhere

    def doubt(self) -> None:
        """The client has not presented one id, and it may have a session nevertheless."""
        if self.presented.rivals:
            self.id = self.presented.rivals[0]  # until the load, when the store says which one counts (S-29)
        elif self.presented.finding is OVERSIZED:
            # It may be among the cookies that are not read: nothing is done with an empty one in its place (S-31).
            self.access, self.reason = READ_ONLY, _too_many_cookies

    # -- what it is going to do ----------------------------------------------------------------------------------------

    @property
    def is_pending(self) -> bool:
        """Whether a commit may have something to do; cheap, and never wrongly False."""
        if self.baseline or self.views or self.interval_ms is not None:
            return True
        if self.pending_delete is not None or self.pending_id is not None or self.pending_principal is not None:
            return True
        return self.unsettled is not None

    def has_changes(self, values: Values) -> bool:
        """Whether a commit would change a session that exists, or create one.

        Raises:
            CodecError: a value cannot be stored.
        """
        return bool(self.interval_ms is not None or self.pending_id or self.pending_principal or self.collect(values))

    def end(self, values: Values) -> None:
        """The session is to be ended. What is put in afterwards makes a new one."""
        if self.record is not None:
            self.pending_delete = self.record.key
        self.is_ended = True
        self.record = self.id = self.interval_ms = None
        self.cancel_rotation()
        self.served_from = FROM_NEW
        self.reset(values)
        self.limit_access()

    def rollback(self, values: Values) -> None:
        """Forget what was changed, and with it a new id and a binding to a user: both or neither (R-31, R-33, S-06).

        What takes privilege away is still to be carried out: the end of the session, and its unbinding.
        """
        self.forget_changes(values)
        self.interval_ms = None
        if self.pending_principal != "":
            self.cancel_rotation()

    def cancel_rotation(self) -> None:
        """Keep the id and the principal: the client could not be told another id, or the session is over."""
        self.pending_id = self.pending_principal = None

    def keep_cookie(self, lifetime: timedelta | None) -> None:
        """Say how long the cookie of this session lives, where the setting ``cookie.max_age`` says otherwise.

        For this request: frameworks that know such sessions keep the wish among the attributes.

        Args:
            lifetime: how long; None for as long as the browser runs, which it is told with the next commit.
        """
        self.cookie_seconds = 0 if lifetime is None else max(1, int(lifetime.total_seconds()))

    def mark_bound(self, principal: str | None) -> None:
        """The store has taken this binding; one that was asked for meanwhile is still to come."""
        if self.pending_principal == principal:
            self.pending_principal = None


def _not_loaded() -> SessionNotLoaded:
    return SessionNotLoaded("this path is excluded from loading sessions", hint="await session.load() before using it")


def _request_is_over() -> SessionClosed:
    return SessionClosed("the request of this session is over", hint="SessionManager.open opens a session by its id")


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
