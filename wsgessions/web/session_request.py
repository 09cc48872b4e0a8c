"""One request with its session, independent of the HTTP server: from the presented id to the response's headers.

The methods are in the order of a request. It begins and gets its session, from the near cache or from the store; then
the application runs. Its changes are committed before the headers of the response are sent, which contain the client's
credentials; later changes are committed at the end. The translation is elsewhere: for ASGI in `exchange`, for
frameworks with another protocol in the adapter.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from ..credentials.presented import ABSENT, PresentedCredentials
from ..errors import StoreUnavailable, WsgessionsError
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..manager.request_sessions import RequestSessions
from ..record.struct import Struct
from ..session import Session, UnitOfWork, unit_of
from ..session.changes import RESPONSE_STARTED
from ..session.values import FROM_STORE
from .error_responses import error_response_for
from .id_resolver import SessionIdResolver
from .late_commit import commit_late
from .response_headers import Header, Headers, add_session_headers, add_unknown_use, octet_pairs

__all__ = ["SessionRequest"]

_logger = logging.getLogger("wsgessions.request")
_log = LogThrottle(_logger)
_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})
_NOTHING_KNOWN: Final[Mapping[str, Any]] = MappingProxyType({})


class SessionRequest(Struct):
    """One HTTP request, or one WebSocket. It waits for the store and for nothing else."""

    requests: RequestSessions
    """The operations on sessions of requests."""
    resolver: SessionIdResolver
    """Reads and writes ids."""
    presented: PresentedCredentials
    """The credentials of the request."""
    session: Session
    unit: UnitOfWork
    """The unit of work of the session."""
    method: str | None
    """The method; None for a WebSocket."""
    scope: Mapping[str, Any]
    """The scope of ASGI, or its keys ``scheme``, ``path`` and ``headers`` as far as they are known."""
    budget: float
    """Seconds left to wait for the store (F-00b)."""
    fields_inside: Sequence[Header] = ()
    """The fields that an inner layer has added to the response already."""

    @classmethod
    def begin(
        cls,
        requests: RequestSessions,
        resolver: SessionIdResolver,
        presented: PresentedCredentials,
        method: str | None,
        *,
        scope: Mapping[str, Any] = _NOTHING_KNOWN,
        client_address: str | None = None,
        session: Session | None = None,
    ) -> SessionRequest:
        """A request whose session is still to be provided.

        Args:
            requests: the operations on sessions of requests.
            resolver: reads and writes ids.
            presented: the credentials of the request.
            method: the method; None for a WebSocket.
            scope: see `scope`.
            client_address: the client's address, if known.
            session: the session, if it was begun before, with a client that is told of a new id.
        """
        if session is None:
            session = requests.begin(presented, client_address, is_client_told=True, counts_access=method != "OPTIONS")
        return cls(requests, resolver, presented, session, unit_of(session), method, scope, requests.budget)

    # -- before the application ----------------------------------------------------------------------------------------

    def lookup(self) -> bool:
        """Provide the session without waiting: from the near cache, or a new one. If the result is false, call
        `load`.
        """
        return self.unit.id is None or self.requests.lookup(self.session, self.unit)

    async def load(self) -> None:
        """Provide the session. If the store does not answer, an access to the session raises the error (R-30)."""
        began = time.monotonic()
        try:
            await self.requests.repository.load(self.session, deadline=began + self.budget)
        except StoreUnavailable as error:
            _log.warning("load_failed", "a session could not be loaded: %s", error)
        self.budget -= time.monotonic() - began

    # -- before the headers of the response ----------------------------------------------------------------------------

    def start_response(self, status: int, headers: Iterable[Any]) -> Iterable[Any] | None:
        """The headers of the response, if they can be sent now, because the store need not be asked before.

        Nearly always the application has read a session of which the client has seen the latest state; then ``Vary`` is
        the only addition.

        Args:
            status: the status of the response.
            headers: the application's fields.

        Returns:
            The headers; None if the store is to be asked before they are sent: then call `before_response`,
            `add_headers` and `response_started`.
        """
        unit = self.unit
        if unit.is_accessed:
            if (
                status < 500
                and unit.record is unit.client_record is not None
                and self.requests.reads_are_plain
                and not (unit.baseline or unit.may_be_pending or unit.cookie_seconds)
            ):
                unit.phase = RESPONSE_STARTED
                return add_session_headers(headers, (), no_store=unit.is_uncacheable, vary=self.resolver.vary)
            if unit.baseline or self.needs_store(status):
                return None
            headers = self.add_headers(headers)
        elif status >= 500 and self.needs_store(status):
            return None
        unit.response_started(takes_late_changes=self.requests.takes_late_changes)
        return headers

    def needs_store(self, status: int) -> bool:
        """Whether these headers need the store before they may be sent: then call `before_response`.

        Without an access to the session only its error does, which a 500 may be made of: a body to come may still
        access it.
        """
        unit, requests = self.unit, self.requests
        if status >= 500 and unit.store_error is not None:
            return True
        if not unit.is_accessed:
            return False
        if unit.is_pending or requests.renews or unit.cookie_seconds or unit.has_followed_move:
            return True
        return unit.served_from is FROM_STORE and requests.must_touch_now(unit)

    def before_response(self, status: int, *, may_create: bool = True) -> Awaitable[None]:
        """Commit the changes, and do all other work before the headers are sent (C-13).

        Acts as a coroutine function; nearly always the result is the commit itself, with no coroutine around it.

        Args:
            status: the status of the response.
            may_create: whether a new session with attributes may be created.

        Raises:
            WsgessionsError: send the result of `error_response_for` in place of the response.
        """
        unit, requests = self.unit, self.requests
        if status >= 500:
            self.raise_instead_of_500(status)
            if not requests.settings.save_on_error:
                unit.rollback(self.session)
        may_renew = (requests.renews or unit.has_followed_move) and self.method is not None
        renews = may_renew and requests.renewal_due(unit)
        if not (renews or unit.baseline or unit.is_pending):
            unit.is_cookie_due = self.method is not None and requests.cookie_renewal_due(unit)
            if not unit.is_cookie_due:
                return self._touch_in_time()
        create = may_create and self.method not in _NEVER_CREATING
        deadline = time.monotonic() + self.budget
        committing = requests.repository.commit(self.session, deadline=deadline, create=create, renew=renews)
        return self._touch_in_time(committing) if unit.served_from is FROM_STORE else committing

    async def _touch_in_time(self, committing: Awaitable[None] | None = None) -> None:
        """After the commit, if there is one: record the access now, if later may be too late (K-09)."""
        if committing is not None:
            await committing
        if self.unit.is_accessed and self.requests.must_touch_now(self.unit):
            await self.requests.touch(self.unit)

    def raise_instead_of_500(self, status: int) -> None:
        """An error handler has made a 500 of the session's error: raise it, for the right error response (F-00a)."""
        error = self.unit.store_error
        if status == 500 and error is not None and error_response_for(error).operational:
            raise error

    # -- the headers of the response -----------------------------------------------------------------------------------

    def add_headers(self, headers: Iterable[Any]) -> Headers:
        """The fields of a response after an access to the session, with those for the client and caches."""
        unit, resolver = self.unit, self.resolver
        if unit.record is not None and unit.record is unit.client_record:
            return add_session_headers(headers, (), no_store=unit.is_uncacheable, vary=resolver.vary)
        fields, tells_id = self._decide_fields()
        if not self.fields_inside:
            return add_session_headers(headers, fields, no_store=tells_id or unit.is_uncacheable, vary=resolver.vary)
        kept, missing = self._without_told(headers, fields)
        no_store = tells_id or unit.is_uncacheable
        return add_session_headers(kept, missing, no_store=no_store, vary=resolver.vary, private=True)

    def add_headers_inside(self, headers: Iterable[Any]) -> Headers:
        """As `add_headers`, for an inner layer; `add_headers` does not repeat these fields. Changes are committed."""
        unit = self.unit
        if unit.record is None or unit.record is not unit.client_record:
            self.fields_inside = self._decide_fields()[0]
        return self.add_headers([*headers, *self.fields_inside])

    def add_unknown_use(self, headers: Iterable[Any]) -> Headers:
        """The fields of a response whose body may still access the session (S-40)."""
        return add_unknown_use(headers, private=self.presented.finding is not ABSENT, vary=self.resolver.vary)

    def fields_for_error(self) -> Headers:
        """The fields that the client needs despite an error response: the new id of its session, if it has one
        already.
        """
        fields, tells_id = self._decide_fields()
        tells = tells_id or self.unit.unsettled is not None
        return fields if tells and self.unit.id is not None else []

    def response_started(self) -> None:
        """The headers are being sent."""
        self.unit.response_started(takes_late_changes=self.requests.takes_late_changes)

    def _without_told(self, headers: Iterable[Any], fields: Headers) -> tuple[Headers, Headers]:
        """The headers without outdated fields, and the fields that are still missing.

        Layers in between may have changed the session, the cookies, or the whole response.
        """
        present = [(name.lower(), value) for name, value in octet_pairs(headers)]
        stale = [field for field in self.fields_inside if field not in fields]
        kept = [header for header in present if header not in stale]
        there = {_subject(header) for header in kept}
        missing = [field for field in fields if field not in self.fields_inside or _subject(field) not in there]
        # Those that nothing has changed leave last, too, as a response without layers has them.
        again = [field for field in fields if field in kept or field in missing]
        return [header for header in kept if header not in again], again

    def _decide_fields(self) -> tuple[Headers, bool]:
        return self.resolver.fields_for(self.unit, self.presented, self.requests, scope=self.scope)

    # -- at the end ----------------------------------------------------------------------------------------------------

    async def touch(self) -> None:
        """Record the access in the store."""
        await self.requests.touch(self.unit)

    async def after_response(self, *, started: bool = True, counted: bool = False) -> None:
        """Commit the changes after the headers (R-37, C-13), and count the request as an access.

        Args:
            started: whether the headers were sent; without them only a WebSocket may commit changes.
            counted: whether its accesses were counted as they occurred.

        Raises:
            SessionClosed: the session has changed, and ``late_commit = "refuse"`` is set.
            WsgessionsError: as `Session.commit`.
        """
        if self.unit.is_pending and (started or self.method is None):
            refuses = started and not self.requests.takes_late_changes
            await commit_late(self.requests, self.session, refuses=refuses)
        if not counted and not self.requests.record_access(self.unit):
            await self.touch()

    async def fail(self) -> None:
        """The request has failed: drop its changes, and carry out those that remove privileges (R-31)."""
        self.unit.rollback(self.session)
        try:
            await self.requests.repository.carry_out(self.session)
        except WsgessionsError as error:
            _logger.error(
                "a session could not be ended or unbound after a failed request: %s",
                error,
                extra={"event": "carry_out"},
            )


def _subject(header: Header) -> tuple[bytes, bytes]:
    """The subject of a field: its name, and that of the cookie which it sets."""
    name, value = header
    return name, value.partition(b"=")[0].strip() if name == b"set-cookie" else b""
