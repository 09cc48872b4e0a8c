"""One request of a client, with its session: the work before Django's view, and after it.

If an ASGI middleware of the same sessions is outside, it has loaded the session and will write the cookies
(`NestedRequest`). Otherwise, under WSGI and in Django's test client, both are done here (`StandaloneRequest`). In
either case changes are committed before the response leaves Django, so that a session that has ended during the request
is Django's 400.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final

from django.conf import settings as django_settings
from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from wsgessions import Session, SessionManager
from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.errors import SessionGone, StoreUnavailable, WsgessionsError
from wsgessions.session import UnitOfWork, unit_of
from wsgessions.web import Scope
from wsgessions.web.body_to_come import is_made_on_the_way
from wsgessions.web.current_session import running
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.path_prefixes import PathPrefixes
from wsgessions.web.session_request import SessionRequest

from .asgi import CALL, Call
from .content import SessionContent
from .error_responses import answer_to
from .expiry import is_over, tell_cookie
from .login import bind_on_login
from .presented import Arrival, arrival_of, put_by_code
from .response import headers_of, set_headers
from .waiting import wait

__all__ = ["NestedRequest", "StandaloneRequest", "StandaloneRequests", "request_of"]

_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})


class StandaloneRequests:
    """The state that all requests of one manager share."""

    def __init__(self, manager: SessionManager) -> None:
        self.manager: Final = manager
        self.resolver: Final = SessionIdResolver(manager.settings)
        self._excluded = PathPrefixes(manager.settings.exclude)
        self._unstored = PathPrefixes(manager.settings.no_store)

    def begin(self, request: HttpRequest, arrival: Arrival) -> StandaloneRequest:
        """Begin a session for a request.

        Args:
            request: the request.
            arrival: what the server has told of it.
        """
        resolver, presented = self.resolver.choose(arrival.headers, arrival.scheme)
        begun = SessionRequest.begin(
            self.manager.requests,
            resolver,
            put_by_code(request, resolver, arrival.headers) or presented,
            method=request.method,
            scope=arrival.scope,
            client_address=arrival.client_address,
        )
        begun.unit.is_uncacheable = self._unstored.hold(arrival.path, arrival.root_path)
        return StandaloneRequest(self, begun, left_out=self.leave_out(arrival))

    def leave_out(self, arrival: Arrival) -> bool:
        """Whether the path of a request is excluded from loading."""
        return self._excluded.hold(arrival.path, arrival.root_path)


class NestedRequest:
    """A request whose session is in the scope already.

    Args:
        manager: the manager of the session.
        session: the session.
        outside: the request of the outer middleware, which tells the client; None if it is not known.
        scope: the scope with the session.
    """

    def __init__(
        self,
        manager: SessionManager,
        session: Session,
        outside: SessionRequest | None = None,
        scope: Scope | None = None,
    ) -> None:
        self.manager = manager
        self.session: Session = session
        self.unit: UnitOfWork = unit_of(session)
        self._outside = outside
        self._scope = scope
        self._dropped: Session | None = None
        self._before: Session | None = None
        self._is_deleted = False
        self.left_out: bool = True
        """Whether the session is not loaded because its path is excluded."""
        self.is_asked_for: bool = False
        """Whether the session is to be stored even if it is empty, see `SessionContent.is_asked_for`."""

    def lookup(self) -> None:
        """Provide the session as far as possible without waiting."""
        self._heed_expiry()

    def needs_load(self) -> bool:
        """After `lookup`: whether the session is still to be loaded by `load`."""
        unit = self.unit
        return unit.id is not None and unit.record is None and not self.left_out

    async def load(self) -> None:
        """Load the session. An error of the store is kept for the first access."""
        if self.needs_load():
            with suppress(StoreUnavailable):
                await self.manager.requests.repository.load(self.session)
            self._heed_expiry()

    def _heed_expiry(self) -> None:
        if is_over(self.manager, self.session):
            self.session.invalidate()

    def take(self, found: object, status: int) -> None:
        """After the view: what is in ``request.session`` now is saved, as with Django's own middleware.

        If it is another session, only a logout stays in force of what was changed in the one before. A session that was
        only read is not the client's next one. The cookie gets the lifetime of the session's expiry.

        Args:
            found: the value of ``request.session``; None if it was removed, which changes nothing.
            status: the status of the response. With an error of the request, no other session is taken (R-33).
        """
        if isinstance(found, SessionContent):
            if found.core is not self.session and not found.is_gone:
                self._drop()
                if self._keeps(status):
                    self._take_up(found)
            elif found.is_muted and not django_settings.SESSION_SAVE_EVERY_REQUEST:
                self._drop()
            self.is_asked_for = found.is_asked_for and found.core is self.session
            self._is_deleted = found.is_deleted and found.modified
        elif found is not None:
            self._drop()
        tell_cookie(self.manager, self.session)

    def _drop(self) -> None:
        self.unit.rollback(self.session)
        self._dropped = self.session if self.unit.is_pending else None

    def _take_up(self, found: SessionContent) -> None:
        unit, before = unit_of(found.core), self.unit
        if found.is_empty():
            unit.is_accessed = unit.is_ended = True  # its client has none any more
        elif not (found.modified or django_settings.SESSION_SAVE_EVERY_REQUEST):
            before.is_accessed = before.is_accessed or unit.is_accessed
            return
        if unit.record is None:  # no login of the client is undone by a new session (C-24)
            self._before = self.session
        self.become(found.core)

    def become(self, session: Session) -> None:
        """Let this be the session of the request, for the middleware outside too."""
        before, self.session = self.session, session
        self.unit = unit = unit_of(session)
        unit.is_client_told, unit.counts_access = True, unit_of(before).counts_access
        unit.is_uncacheable, unit.client_address = unit_of(before).is_uncacheable, unit_of(before).client_address
        if self._outside is not None:
            self._outside.session, self._outside.unit = session, unit
        if self._scope is not None:
            self._scope["session"] = session

    def present(self, presented: PresentedCredentials, *, left_out: bool) -> None:
        """Begin the session of these credentials, in place of the one that the middleware outside has begun."""
        session = self.manager.requests.begin(presented, client_address=self.unit.client_address)
        self.become(session)
        self.left_out = left_out
        if self._outside is not None:
            self._outside.presented = presented
        if self.unit.id is not None and (left_out or not self.manager.requests.lookup(session, self.unit)):
            self.unit.defer_load(session)

    def needs_store(self, status: int) -> bool:
        """Whether `commit` and `finish` may have to wait for the store."""
        if self._dropped is not None or self._before is not None:
            return True
        unit = self.unit
        return self._keeps(status) and (unit.is_pending or self.is_asked_for or self.manager.requests.renewal_due(unit))

    def _keeps(self, status: int) -> bool:
        return status < 500 or self.manager.settings.save_on_error

    async def commit(self, method: str | None, status: int) -> None:
        """Send the changes, unless the response's status is an error of the request (R-33).

        Raises:
            SessionGone: the session has ended elsewhere.
            WsgessionsError: a value cannot be stored, or the store did not answer.
        """
        repository = self.manager.requests.repository
        if self._dropped is not None:
            await repository.carry_out(self._dropped)
        if self._keeps(status):
            if self._is_deleted:
                self.session.invalidate()  # so that its id is not told
                self.unit.pending_delete = None
                raise SessionGone("the session was deleted by its own request")
            if self._before is not None:
                await repository.load(self._before)
                self.unit.unknown_key = self.unit.unknown_key or unit_of(self._before).unknown_key
            bind_on_login(self.session)
            renews = self.manager.requests.renewal_due(self.unit)
            create = method not in _NEVER_CREATING
            if self.is_asked_for and create:
                await repository.create(self.session)
            elif self.unit.is_pending or renews:
                await repository.commit(self.session, create=create, renew=renews)

    def rollback(self) -> None:
        """Drop all changes after a failed commit, so that the client learns of the failure only (F-00a)."""
        unit = self.unit
        unit.rollback(self.session)
        unit.pending_delete = None
        unit.cancel_rotation()
        presented = unit.presented
        if unit.id is None and (presented.id is not None or presented.rivals):
            unit.id, unit.is_ended = presented.id or presented.rivals[0], False

    async def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        """Add the session's headers to the response. Returns the response, or an error response in its place."""
        if self._outside is not None and response.status_code < 500:
            self._tell(self._outside, response)
        return response

    def _tell(self, outside: SessionRequest, response: HttpResponseBase) -> None:
        """Add the headers already here, since the project's middleware is outside: a cache must see them (S-40)."""
        headers = headers_of(response)
        if self.session.accessed:
            set_headers(response, outside.add_headers_inside(headers))
        elif response.streaming and is_made_on_the_way(headers):
            set_headers(response, outside.add_unknown_use(headers))

    def needs_touch(self) -> bool:
        """At the end: whether `touch` still has to be called."""
        return False

    async def touch(self) -> None:
        """Record the request's access at the store."""
        await self.manager.requests.touch(self.unit)

    async def on_exception(self) -> None:
        """There is no response, but an error that Django has not handled. The outer middleware handles it (R-31)."""


class StandaloneRequest(NestedRequest):
    """A request whose session no outer middleware has begun.

    Args:
        standalone: the state that the requests of the manager share.
        request: the request with its session.
        left_out: whether its path is excluded from loading.
    """

    def __init__(self, standalone: StandaloneRequests, request: SessionRequest, *, left_out: bool) -> None:
        super().__init__(standalone.manager, request.session, request)
        self._request = request
        self.left_out: bool = left_out

    def lookup(self) -> None:
        if self.unit.id is not None and (self.left_out or not self._request.lookup()):
            self.unit.defer_load(self.session)
        self._heed_expiry()

    async def load(self) -> None:
        if self.needs_load():
            await self._request.load()
            self._heed_expiry()

    def take(self, found: object, status: int) -> None:
        super().take(found, status)
        if not self._keeps(status):
            self.unit.rollback(self.session)  # so that a mere read does not wait for the store

    def needs_store(self, status: int) -> bool:
        return super().needs_store(status) or self._request.needs_store(status)

    async def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        request, status = self._request, response.status_code
        if request.needs_store(status):
            try:
                await request.before_response(status)
            except WsgessionsError as error:
                answer = answer_to(error, response, request.fields_for_error())
                if answer is None:
                    raise
                return answer
        if self.unit.is_accessed:
            set_headers(response, request.add_headers(headers_of(response)))
        elif status < 500:
            self._tell(request, response)
        request.response_started()
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            parts = response.streaming_content
            response.streaming_content = self._followed(parts) if response.is_async else self._followed_by_plain(parts)
        return response

    async def _followed(self, parts: Any) -> AsyncIterator[Any]:
        """Pass the stream on, and commit its changes unless it fails (R-32, R-37)."""
        try:
            async for part in parts:
                yield part
        except Exception:
            self.unit.rollback(self.session)
            raise
        finally:
            if self.unit.is_pending:
                await self._request.after_response()

    def _followed_by_plain(self, parts: Any) -> Iterator[Any]:
        try:
            yield from parts
        except Exception:
            self.unit.rollback(self.session)
            raise
        finally:
            if self.unit.is_pending:
                wait(self.manager, self._request.after_response)

    def needs_touch(self) -> bool:
        return not self.manager.requests.record_access(self.unit)

    async def on_exception(self) -> None:
        await self._request.fail()


def request_of(request: HttpRequest, standalone: StandaloneRequests) -> NestedRequest:
    """The work to be done for a request.

    Args:
        request: the request.
        standalone: the shared state of this process's manager, for requests whose session no outer middleware has
            begun.

    Raises:
        asyncio.CancelledError: the request was cancelled.
    """
    arrival = arrival_of(request)
    scope: Any = getattr(request, "scope", None) or {}
    session = scope.get("session")
    if isinstance(session, SessionContent):  # as the consumers of Channels see it
        session = session.core
    call: Call | None = scope.get(CALL)
    if not (isinstance(session, Session) and (call is not None or standalone.manager.requests.owns(session))):
        return standalone.begin(request, arrival)
    exchange = running.get()
    outside = None if exchange is None or exchange.request.session is not session else exchange.request
    nested = NestedRequest(standalone.manager if call is None else call.manager, session, outside, scope)
    if outside is not None:
        put = put_by_code(request, outside.resolver, arrival.headers)
        if put is not None:
            nested.present(put, left_out=standalone.leave_out(arrival))
    return nested
