"""The state of one request's session, from the presented id to the changes that are still to be sent.

An application sees a `wsgessions.Session`, a dict with methods. The state that belongs to the request is here, for the
manager, the web part and the adapters: `unit_of(session)` is the unit of a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Final

from ..credentials.presented import OVERSIZED, PresentedCredentials, ResolvedCredentials
from ..errors import CookiesOversized, SessionClosed, SessionGone, SessionNotLoaded, WsgessionsError
from ..record import SessionKey, SessionRecord, StoredAttributes
from ..record.struct import field
from .changes import (
    BEFORE_RESPONSE,
    CHANGES_REFUSED,
    CLOSED,
    OPEN,
    OVER,
    READ_ONLY,
    RESPONSE_STARTED,
    UNAVAILABLE,
    UNTOUCHED,
    Access,
    Phase,
)
from .lazy_values import LazyValue, UnavailableValue
from .tracking import AttributeTracker, Values, nothing_stored
from .values import FROM_NEW, ServedFrom, UnsettledRotation

__all__ = ["UnitOfWork", "request_is_over", "too_late_to_change", "too_late_to_rotate"]

# The storage itself, bypassing the methods of the session.
_set: Final = dict[str, object].__setitem__
_pop: Final = dict[str, object].pop
_update: Final = dict[str, object].update


def _unexplained() -> SessionClosed:
    return SessionClosed("the session cannot be used now")


class UnitOfWork(AttributeTracker):
    """One request's view of its session, and its pending changes."""

    # As in the base, which documents them: declared again, because they are set here too.
    access: Access = UNTOUCHED
    stored: StoredAttributes = field(default_factory=nothing_stored)
    may_be_pending: bool = False

    # What the client has presented.
    presented: PresentedCredentials = field(default_factory=PresentedCredentials)
    client_address: str | None = None
    resolved: ResolvedCredentials | None = None
    """The key, and the client's watermark if it is authentic; once a request has looked the session up."""
    client_record: SessionRecord | None = None
    """The state of this watermark, written by this node or by one that need not be distinguished from it."""
    is_client_told: bool = False
    """Whether the client learns of a change of the id, as it does from the response of a request."""
    counts_access: bool = True
    """Whether an access restarts the idle time (C-16)."""
    unknown_key: SessionKey | None = None
    """The key of a presented id that the store does not know."""

    # The session.
    id: str | None = None
    record: SessionRecord | None = None
    served_from: ServedFrom = FROM_NEW
    is_rolled_back: bool = False
    """Whether the store has lost a commit that this client had seen (C-12)."""
    has_followed_move: bool = False
    """Whether the session was found by a move, so that the client is to be given a new id (C-23)."""

    # Pending changes. Each sets `may_be_pending`.
    pending_id: str | None = None
    """The session's next id."""
    pending_principal: str | None = None
    """The principal to be bound; empty to unbind the session."""
    pending_delete: SessionKey | None = None
    interval_ms: int | None = None
    """The idle timeout that was set; 0 if the session never ends by idling."""
    reserved_id: str | None = None
    """The id under which it will be created, which the application knows already (`RequestSessions.reserve_id`)."""
    unsettled: UnsettledRotation | None = None
    cookie_seconds: int | None = None
    """The lifetime of the cookie; 0 until the browser is closed."""
    extends_cookie: bool = True
    """Whether a use extends the lifetime of a persistent cookie."""
    is_cookie_due: bool = False
    """Whether the response is to send the cookie again, which takes a commit even without a change (S-27)."""

    # Events so far.
    is_accessed: bool = False
    is_marked: bool = False
    """Whether the application has announced a change, if its framework has a call for that."""
    is_uncacheable: bool = False
    is_committed: bool = False
    is_ended: bool = False
    phase: Phase = BEFORE_RESPONSE
    reason: Callable[[], WsgessionsError] = _unexplained
    """Makes the error of an access that is not permitted."""
    store_error: WsgessionsError | None = None
    """The latest error of the session; it determines the response if the application's response is a 500 (F-00a)."""

    @property
    def ref(self) -> str | None:
        """See `Session.ref`."""
        return None if self.record is None else self.record.key.ref

    # -- access --------------------------------------------------------------------------------------------------------

    def check_access(self, *, write: bool) -> None:
        """See `AttributeTracker.check_access`.

        Raises:
            WsgessionsError: the access is not permitted; made by `reason`.
        """
        self.is_accessed = True
        if self.access is UNTOUCHED:
            self.access = OPEN
        elif write or (self.access is not READ_ONLY and self.access is not OVER):
            raise self.refuse()

    def refuse(self) -> WsgessionsError:
        """The error of an access that is not permitted, which the response may have to tell of (F-00a)."""
        self.is_accessed = True
        self.store_error = error = self.reason()
        return error

    @property
    def is_over(self) -> bool:
        """Whether nothing can be stored or loaded any more."""
        return self.access is OVER or self.access is CLOSED

    def before_store_work(self) -> None:
        """Called before the store is asked for the application.

        Raises:
            SessionClosed: the request is over.
        """
        if self.is_over:
            raise self.reason()

    def look(self) -> SessionRecord | None:
        """The record, for the session's properties. Counts as an access.

        Raises if nothing was loaded: "could not be loaded" must never look like "new" (F-00a).
        """
        self.is_accessed = True
        if self.access is UNAVAILABLE:
            self.check_access(write=False)
        return self.record

    def before_ending(self) -> None:
        """Called before the session is ended, which is permitted after the response has started."""
        if self.access is not READ_ONLY or self.phase is BEFORE_RESPONSE:
            self.before_write()

    def loaded(self, values: Values) -> None:
        """Loading has succeeded."""
        _pop(values, "", None)
        if not self.is_over:
            self.access = UNTOUCHED
            self.limit_access()

    def fail_with(self, values: Values, reason: Callable[[], WsgessionsError]) -> None:
        """The session was not loaded, or loading failed: each access raises ``reason()`` until it succeeds."""
        if not self.is_over:
            self.access, self.reason = UNAVAILABLE, reason
            _set(values, "", UnavailableValue.by(self.refuse))

    def defer_load(self, values: Values) -> None:
        """Require ``await session.load()`` of the application before the first access (R-30)."""
        self.fail_with(values, _not_loaded)

    def close(self, reason: Callable[[], WsgessionsError]) -> None:
        """From now on each access raises ``reason()``."""
        self.access, self.reason = CLOSED, reason

    def finish(self) -> None:
        """The request is over: what it had loaded can be read, and nothing can be changed any more (R-39)."""
        is_loaded = self.access is not UNAVAILABLE and self.access is not CLOSED
        self.access, self.reason = OVER if is_loaded else CLOSED, request_is_over

    def response_started(self, *, takes_late_changes: bool) -> None:
        """The headers are being sent: no change is permitted any more that the client would have to learn of (R-38)."""
        self.phase = RESPONSE_STARTED if takes_late_changes else CHANGES_REFUSED
        if self.record is None or not takes_late_changes:
            self.limit_access()

    def limit_access(self) -> None:
        """Restrict the access to what this phase permits."""
        if self.phase is BEFORE_RESPONSE or self.access is UNAVAILABLE or self.is_over:
            return
        if self.record is None:
            self.access, self.reason = READ_ONLY, _too_late_to_create
        elif self.phase is CHANGES_REFUSED:
            self.access, self.reason = READ_ONLY, too_late_to_change

    # -- the state in the store ----------------------------------------------------------------------------------------

    def attach(self, values: Values, record: SessionRecord, among: Iterable[str] | None = None) -> None:
        """Base the session on this record from now on; see `rebase_onto`."""
        if self.record is None and not (self.baseline or self.stored.raw or self.is_decoded):  # nothing to compare with
            self.record, self.stored = record, (stored := record.attributes)
            lazy = stored.lazy  # read once: another thread may drop it
            _update(values, stored.placeholders(LazyValue.all_of) if lazy is None else lazy)
        else:
            self.record = record
            self.rebase_onto(values, record.attributes, among)

    def start_anew(self, key: SessionKey) -> None:
        """The presented id, with this key, is unknown: this is a new session without an id (S-03)."""
        self.id, self.unknown_key = None, key

    def stand_aside(self, key: SessionKey) -> None:
        """The session of this key has another id that its client knows: create no second one (C-24, S-75)."""
        self.start_anew(key)
        self.access, self.reason = READ_ONLY, _lives_elsewhere

    def doubt(self) -> None:
        """The client has not presented exactly one id, and may have a session nevertheless."""
        if self.presented.rivals:
            self.id = self.presented.rivals[0]  # until the load, when the store says which one counts (S-29)
        elif self.presented.finding is OVERSIZED:
            # The id may be among the cookies that are not read: an empty session in its place must not be used (S-31).
            self.access, self.reason = READ_ONLY, _too_many_cookies

    # -- pending changes -----------------------------------------------------------------------------------------------

    @property
    def is_pending(self) -> bool:
        """Whether a commit may have something to do; cheap, and never False by mistake."""
        if self.baseline or not self.may_be_pending:
            return bool(self.baseline)
        if self.views or self.interval_ms is not None:
            return True
        if self.pending_delete is not None or self.pending_id is not None or self.pending_principal is not None:
            return True
        return self.unsettled is not None

    def has_changes(self, values: Values) -> bool:
        """Whether a commit would change an existing session, or create one.

        Raises:
            CodecError: a value cannot be stored.
        """
        return bool(self.interval_ms is not None or self.pending_id or self.pending_principal or self.collect(values))

    def end(self, values: Values) -> None:
        """End the session. Attributes that are set afterwards make a new one."""
        if self.record is not None:
            self.pending_delete = self.record.key
        self.is_ended = self.may_be_pending = True
        self.record = self.id = self.interval_ms = None
        self.cancel_rotation()
        self.served_from = FROM_NEW
        self.reset(values)
        self.limit_access()

    def rollback(self, values: Values) -> None:
        """Drop the changes, and with them a new id and a binding to a user: both or neither (R-31, R-33, S-06).

        Changes that remove privileges are still carried out: the end of the session, and its unbinding.
        """
        self.forget_changes(values)
        self.interval_ms = None
        if self.pending_principal != "":
            self.cancel_rotation()

    def plan_rotation(self, new_id: str) -> None:
        """Give the session this id with the next commit."""
        self.pending_id, self.may_be_pending = new_id, True

    def cancel_rotation(self) -> None:
        """Keep the id and the principal: the client could not learn another id, or the session is over."""
        self.pending_id = self.pending_principal = None

    def keep_cookie(self, lifetime: timedelta | None, *, extend: bool = True) -> None:
        """Set the lifetime of this session's cookie, instead of the setting ``cookie.max_age``.

        It holds for this request: frameworks with such sessions store it among the attributes.

        Args:
            lifetime: the lifetime; None until the browser is closed, which the cookie of the next commit says.
            extend: whether uses extend it. Without them only a change sends the cookie again.
        """
        self.extends_cookie = extend
        self.cookie_seconds = 0 if lifetime is None else max(1, int(lifetime.total_seconds()))

    def mark_bound(self, principal: str | None) -> None:
        """The store has applied this binding; one that was requested later is still pending."""
        if self.pending_principal == principal:
            self.pending_principal = None


def _not_loaded() -> SessionNotLoaded:
    return SessionNotLoaded(
        "this path is excluded from loading sessions", hint="await session.load() before its first use"
    )


def request_is_over() -> SessionClosed:
    """The error of a change after the end of the request (R-39)."""
    return SessionClosed("the request of this session is over", hint="SessionManager.open opens a session by its id")


def _too_many_cookies() -> CookiesOversized:
    return CookiesOversized(
        "the request has more cookies than are read, and the session may be among those that are not",
        hint="remove cookies of this site from the client, or set fewer in other parts of the site",
    )


def _lives_elsewhere() -> SessionGone:
    return SessionGone("the client has another id for this session by now; nothing is stored for its old credential")


def _too_late_to_create() -> SessionClosed:
    return SessionClosed(
        "the response has started, so no session can be created for this client any more",
        hint="put something into the session before the response starts",
    )


def too_late_to_change() -> SessionClosed:
    """The error of a change after the headers, if ``late_commit`` forbids it (C-13)."""
    return SessionClosed('the response has started, and late_commit = "refuse" is set')


def too_late_to_rotate() -> SessionClosed:
    """The error of a rotation after the headers."""
    return SessionClosed(
        "the response has started, so the client could not be told its new id",
        hint="call rotate_id() before the response starts",
    )
