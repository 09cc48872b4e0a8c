"""One request of a client, with its session: the work before Django's view, and after it.

If an ASGI middleware of the same sessions is outside, it has loaded the session and will write the cookies
(`NestedRequest`). Otherwise, under WSGI and in Django's test client, both are done here (`StandaloneRequest`). In
either case changes are committed before the response leaves Django, so that a session that has ended during the request
is Django's 400.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Final

from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from wsgessions import Session, SessionManager
from wsgessions.errors import WsgessionsError
from wsgessions.session import unit_of
from wsgessions.web.body_to_come import is_made_on_the_way
from wsgessions.web.current_session import running
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.path_prefixes import PathPrefixes
from wsgessions.web.session_request import SessionRequest

from .asgi import CALL, Call
from .error_responses import answer_to
from .expiry import is_over, tell_cookie
from .login import bind_on_login
from .response import headers_of, set_headers
from .waiting import wait

__all__ = ["NestedRequest", "StandaloneRequest", "StandaloneRequests", "request_of"]

_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})


class StandaloneRequests:
    """The state that all requests of one manager share."""

    def __init__(self, manager: SessionManager) -> None:
        self.manager: Final = manager
        self._resolver = SessionIdResolver(manager.settings)
        self._excluded = PathPrefixes(manager.settings.exclude)
        self._unstored = PathPrefixes(manager.settings.no_store)

    def begin(
        self,
        headers: Iterable[Any],
        request: HttpRequest,
        *,
        scheme: str | None,
        path: tuple[str, str],
        client_address: str | None,
    ) -> StandaloneRequest:
        """Begin a session for a request.

        Args:
            headers: its header fields, as ASGI represents them.
            request: the request.
            scheme: its scheme.
            path: its path, and the part of it at which the application is mounted.
            client_address: the client's address, if known.
        """
        resolver, presented = self._resolver.choose(headers, scheme)
        begun = SessionRequest.begin(
            self.manager.requests,
            resolver,
            presented,
            method=request.method,
            scheme=scheme,
            client_address=client_address or None,
        )
        begun.unit.is_uncacheable = self._unstored.hold(*path)
        return StandaloneRequest(self, begun, left_out=self._excluded.hold(*path))


class NestedRequest:
    """A request whose session is in the scope already.

    Args:
        manager: the manager of the session.
        session: the session.
        outside: the request of the outer middleware, which tells the client; None if it is not known.
    """

    def __init__(self, manager: SessionManager, session: Session, outside: SessionRequest | None = None) -> None:
        self.manager = manager
        self.session = session
        self.unit: Final = unit_of(session)
        self._outside = outside
        self.left_out: bool = True
        """Whether the session is not loaded because its path is excluded."""

    def lookup(self) -> None:
        """Provide the session as far as possible without waiting."""
        self._heed_expiry()

    async def load(self) -> None:
        """Provide the session."""
        self._heed_expiry()

    def _heed_expiry(self) -> None:
        if is_over(self.manager, self.session):
            self.session.invalidate()

    def tell_cookie_age(self) -> None:
        """After the view: set the cookie's lifetime to the session's expiry."""
        tell_cookie(self.manager, self.session)

    def needs_store(self, status: int) -> bool:
        """Whether `commit` and `finish` may have to wait for the store."""
        return self._keeps(status) and (self.unit.is_pending or self.manager.requests.renewal_due(self.unit))

    def _keeps(self, status: int) -> bool:
        return status < 500 or self.manager.settings.save_on_error

    async def commit(self, method: str | None, status: int) -> None:
        """Send the changes, unless the response's status is an error of the request (R-33).

        Raises:
            SessionGone: the session has ended elsewhere.
            WsgessionsError: a value cannot be stored, or the store did not answer.
        """
        if self._keeps(status):
            bind_on_login(self.session)
            renews = self.manager.requests.renewal_due(self.unit)
            if self.unit.is_pending or renews:
                create = method not in _NEVER_CREATING
                await self.manager.requests.repository.commit(self.session, create=create, renew=renews)

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
        self.lookup()
        if self.unit.id is not None and self.unit.record is None and not self.left_out:
            await self._request.load()
            self._heed_expiry()

    def needs_store(self, status: int) -> bool:
        return super().needs_store(status) or self._request.needs_store(status)

    async def finish(self, response: HttpResponseBase) -> HttpResponseBase:
        request, status = self._request, response.status_code
        if request.needs_store(status):
            try:
                await request.before_response(status)
            except WsgessionsError as error:
                answer = answer_to(error, request.fields_for_error())
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
    scope: Any = getattr(request, "scope", None)
    if scope is None:
        return _of_wsgi(request, standalone)
    session = scope.get("session")
    call: Call | None = scope.get(CALL)
    if isinstance(session, Session) and (call is not None or standalone.manager.requests.owns(session)):
        exchange = running.get()
        outside = None if exchange is None or exchange.request.session is not session else exchange.request
        return NestedRequest(standalone.manager if call is None else call.manager, session, outside)
    client = scope.get("client")
    return standalone.begin(
        scope.get("headers", ()),
        request,
        scheme=scope.get("scheme"),
        path=(scope["path"], scope.get("root_path", "")),
        client_address=client[0] if client else None,
    )


def _of_wsgi(request: HttpRequest, standalone: StandaloneRequests) -> StandaloneRequest:
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
    ]
    return standalone.begin(
        headers,
        request,
        scheme=request.scheme,
        path=(request.path, request.META.get("SCRIPT_NAME", "")),
        client_address=request.META.get("REMOTE_ADDR"),
    )
