"""One request with its session, whatever speaks HTTP around it: from the id that came in to the one that goes out.

Reads from top to bottom, as a request goes. It is begun and has its session, from memory or from the store; then the
application runs. What has changed is committed before the headers of the response leave, which tell the client of it;
what changes later is committed at the end. The translation is done elsewhere: for ASGI in `exchange`, for frameworks
that have a protocol of their own in the adapter.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any, Final

from ..credentials.presented import ABSENT, PresentedCredentials
from ..errors import StoreUnavailable, WsgessionsError
from ..internal.log_throttle import LogThrottle
from ..manager.request_sessions import RequestSessions
from ..session import Session, UnitOfWork, unit_of
from ..session.values import FROM_STORE
from .error_responses import error_response_for
from .id_resolver import SessionIdResolver
from .late_commit import commit_late
from .response_headers import Header, Headers, add_session_headers, add_unknown_use, octet_pairs

__all__ = ["SessionRequest"]

_logger = logging.getLogger("wsgessions.request")
_log = LogThrottle(_logger)
_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})
_NOTHING: Final[Headers] = []
"""No header fields; never changed."""


class SessionRequest:
    """One HTTP request, or one WebSocket. It waits for the store and for nothing else.

    Args:
        requests: the sessions of the manager's requests.
        resolver: where ids come from and go to.
        presented: what the client has presented.
        method: the method; None of a WebSocket.
        scheme: the scheme of the request, where it is known.
        client_address: the client's address, where it is known.
        session: the session, where it was begun before.
    """

    __slots__ = (
        "_budget",
        "_fields_inside",
        "_requests",
        "_resolver",
        "_scheme",
        "method",
        "presented",
        "session",
        "unit",
    )

    def __init__(
        self,
        requests: RequestSessions,
        resolver: SessionIdResolver,
        presented: PresentedCredentials,
        *,
        method: str | None,
        scheme: str | None = None,
        client_address: str | None = None,
        session: Session | None = None,
    ) -> None:
        self._requests = requests
        self._resolver = resolver
        self._scheme = scheme
        self._budget = requests.budget
        self._fields_inside = _NOTHING
        self.presented: PresentedCredentials = presented
        self.method: str | None = method
        if session is None:
            session = requests.begin(presented, client_address=client_address)
        self.session: Session = session
        self.unit: UnitOfWork = unit_of(session)
        self.unit.is_client_told = True

    # -- before the application ----------------------------------------------------------------------------------------

    def lookup(self) -> bool:
        """Have the session without waiting: from memory, or since there is none. If this is false, call `load`."""
        return self.unit.id is None or self._requests.lookup(self.session, self.unit)

    async def load(self) -> None:
        """Have the session. Where the store does not answer, the error is raised when the session is touched (R-30)."""
        began = time.monotonic()
        try:
            await self._requests.repository.load(self.session, deadline=began + self._budget)
        except StoreUnavailable as error:
            _log.warning("load_failed", "a session could not be loaded: %s", error)
        self._budget -= time.monotonic() - began

    # -- before the headers of the response ----------------------------------------------------------------------------

    def needs_store(self, status: int) -> bool:
        """Whether the store must be asked or told something before these headers may leave: call `before_response`."""
        unit, requests = self.unit, self._requests
        if status >= 500 or unit.is_pending or requests.renews or unit.has_followed_move:
            return True
        return unit.served_from is FROM_STORE and requests.must_touch_now(unit)

    async def before_response(self, status: int, *, may_create: bool = True) -> None:
        """Keep what has changed, and do what else must be done before the headers leave (C-13).

        Args:
            status: of the response.
            may_create: whether a new session with something in it may be created.

        Raises:
            WsgessionsError: the answer is `error_response_for` of this in place of the response.
        """
        unit, requests = self.unit, self._requests
        if status >= 500:
            self._raise_instead_of_500(status)
            if not requests.settings.save_on_error:
                unit.rollback(self.session)
        renews = self.method is not None and requests.renewal_due(unit)
        if renews or unit.is_pending:
            create = may_create and self.method not in _NEVER_CREATING
            deadline = time.monotonic() + self._budget
            await requests.repository.commit(self.session, deadline=deadline, create=create, renew=renews)
        if unit.is_accessed and requests.must_touch_now(unit):
            await requests.touch(unit)

    def _raise_instead_of_500(self, status: int) -> None:
        """An error handler has made a 500 of our own error: give the answer that fits it (F-00a)."""
        error = self.unit.store_error
        if status == 500 and error is not None and error_response_for(error).operational:
            raise error

    # -- the headers of the response -----------------------------------------------------------------------------------

    def add_headers(self, headers: Iterable[Any]) -> Headers:
        """The fields of a response for which the session was looked at, with what client and caches must know of it."""
        unit, resolver = self.unit, self._resolver
        if unit.record is not None and unit.record is unit.client_record:
            return add_session_headers(headers, _NOTHING, no_store=unit.is_uncacheable, vary=resolver.vary)
        fields, tells_id = self._decide_fields()
        if not self._fields_inside:
            return add_session_headers(headers, fields, no_store=tells_id or unit.is_uncacheable, vary=resolver.vary)
        kept, missing = self._without_told(headers, fields)
        no_store = tells_id or unit.is_uncacheable
        return add_session_headers(kept, missing, no_store=no_store, vary=resolver.vary, private=True)

    def add_headers_inside(self, headers: Iterable[Any]) -> Headers:
        """As `add_headers`, for a layer inside; what is told here is not told twice. What was changed is committed."""
        unit = self.unit
        if unit.record is None or unit.record is not unit.client_record:
            self._fields_inside = self._decide_fields()[0]
        return self.add_headers([*headers, *self._fields_inside])

    def add_unknown_use(self, headers: Iterable[Any]) -> Headers:
        """The fields of a response whose body may still look at the session (S-40)."""
        return add_unknown_use(headers, private=self.presented.finding is not ABSENT, vary=self._resolver.vary)

    def fields_of_refusal(self) -> Headers:
        """What the client must know although its request is refused: the id to which its session has moved already."""
        fields, tells_id = self._decide_fields()
        tells = tells_id or self.unit.unsettled is not None
        return fields if tells and self.unit.id is not None else []

    def response_started(self) -> None:
        """The headers leave."""
        self.unit.response_started(takes_late_changes=self._requests.takes_late_changes)

    def _without_told(self, headers: Iterable[Any], fields: Headers) -> tuple[Headers, Headers]:
        """The headers without what does not hold any more, and the fields that are still to be told.

        Layers between may have changed the session, the cookies, or the whole response.
        """
        present = [(name.lower(), value) for name, value in octet_pairs(headers)]
        stale = [field for field in self._fields_inside if field not in fields]
        kept = [header for header in present if header not in stale]
        there = {_subject(header) for header in kept}
        missing = [field for field in fields if field not in self._fields_inside or _subject(field) not in there]
        return kept, missing

    def _decide_fields(self) -> tuple[Headers, bool]:
        return self._resolver.fields_for(self.unit, self.presented, self._requests, scheme=self._scheme)

    # -- at the end ----------------------------------------------------------------------------------------------------

    def record_access(self) -> bool:
        """Count the request as an access. Returns whether that is done; else it is left to `touch`."""
        return self.method == "OPTIONS" or self._requests.record_access(self.unit)

    async def touch(self) -> None:
        """Count the request as an access at the store."""
        await self._requests.touch(self.unit)

    async def after_response(self, *, started: bool = True, counted: bool = False) -> None:
        """Keep what was changed after the headers had left (R-37, C-13), and count the request as an access.

        Args:
            started: whether they have; without them nothing but a WebSocket may keep anything.
            counted: whether its accesses were counted when they happened.

        Raises:
            SessionClosed: the session has changed, and ``late_commit = "refuse"`` is set.
            WsgessionsError: as `Session.commit`.
        """
        if self.unit.is_pending and (started or self.method is None):
            refuses = started and not self._requests.takes_late_changes
            await commit_late(self._requests, self.session, refuses=refuses)
        if not counted and not self.record_access():
            await self.touch()

    async def fail(self) -> None:
        """The request has failed: what it changed is dropped, and what takes privilege away is in force (R-31)."""
        self.unit.rollback(self.session)
        try:
            await self._requests.repository.carry_out(self.session)
        except WsgessionsError as error:
            _logger.error(
                "a session could not be ended or unbound after a failed request: %s",
                error,
                extra={"event": "carry_out"},
            )


def _subject(header: Header) -> tuple[bytes, bytes]:
    """What a field is about: its name, and that of the cookie which it sets."""
    name, value = header
    return name, value.partition(b"=")[0].strip() if name == b"set-cookie" else b""
