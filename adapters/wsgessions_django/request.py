"""One request of a client, with its session: what is done before Django's view, and what after it.

Where an ASGI middleware of the same sessions is outside, it has loaded the session and will write the cookies
(`NestedRequest`). Elsewhere, under WSGI and in Django's test client, both are done here (`StandaloneRequest`). Either
way changes are committed before the response leaves Django, so that a session that has ended meanwhile is Django's 400.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

from django.http import FileResponse, HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from wsgessions import Session, SessionManager
from wsgessions.errors import WsgessionsError
from wsgessions.web import Message, Scope
from wsgessions.web.body_to_come import is_made_on_the_way
from wsgessions.web.current_session import running
from wsgessions.web.error_responses import error_response_for
from wsgessions.web.id_resolver import SessionIdResolver
from wsgessions.web.path_prefixes import PathPrefixes
from wsgessions.web.telling import Telling
from wsgessions.web.unstored import exchange_of

from .asgi import CALL, Call
from .error_responses import response_of
from .expiry import is_over, tell_cookie
from .login import heed_login
from .response import headers_of, take_over
from .waiting import wait

__all__ = ["NestedRequest", "StandaloneRequest", "Ways", "visit_of"]

_NEVER_CREATING: Final = frozenset({"HEAD", "OPTIONS"})


class Ways:
    """What all requests of one manager have in common."""

    def __init__(self, manager: SessionManager) -> None:
        self.manager: Final = manager
        self.transport: Final = SessionIdResolver(manager.settings)
        self.exchange: Final = exchange_of(manager.settings)
        self.excluded: Final = PathPrefixes(manager.settings.exclude)


class NestedRequest:
    """A request whose session is in the scope already.

    Args:
        manager: the manager of the session.
        session: the session.
        outside: what tells the client; None where it is not known.
    """

    def __init__(self, manager: SessionManager, session: Session, outside: Telling | None = None) -> None:
        self.manager = manager
        self.session = session
        self._outside = outside
        self.left_out: bool = True
        """Whether the session, if it is not loaded, is so because its path is excluded."""

    def recall(self) -> None:
        """Have the session as far as that needs no waiting."""
        self._heed_expiry()

    async def load(self) -> None:
        """Have the session."""
        self._heed_expiry()

    def _heed_expiry(self) -> None:
        if is_over(self.manager, self.session):
            self.session.invalidate()

    def prepare(self) -> None:
        """After the view: have the cookie live as long as the session's expiry says."""
        tell_cookie(self.manager, self.session)

    def needs_store(self, status: int) -> bool:
        """Whether `commit` and `conclude` may have to wait."""
        return self._keeps(status) and (self.session._is_pending() or self.manager.renewal_due(self.session))

    def _keeps(self, status: int) -> bool:
        return status < 500 or self.manager.settings.save_on_error

    async def commit(self, method: str | None, status: int) -> None:
        """Send what has changed, unless the response says that the request has failed (R-33).

        Raises:
            SessionGone: the session has ended elsewhere.
            WsgessionsError: something cannot be stored, or the store did not answer.
        """
        if self._keeps(status):
            heed_login(self.session)
            renews = self.manager.renewal_due(self.session)
            if self.session._is_pending() or renews:
                await self.manager.commit(self.session, create=method not in _NEVER_CREATING, renew=renews)

    def give_up(self) -> None:
        """The commit has failed: nothing has happened, and the client is told nothing but that (F-00a)."""
        session = self.session
        self.manager.discard(session)
        session._doomed = None
        session._forgo_new_id()
        presented = session._presented
        if session._id is None and (presented.id is not None or presented.rivals):
            session._id, session._ended = presented.id or presented.rivals[0], False

    async def conclude(self, response: HttpResponseBase) -> HttpResponseBase:
        """Tell the client what it must know. Returns the response, or what takes its place."""
        if self._outside is not None and response.status_code < 500:
            self._tell(self._outside, response)
        return response

    def _tell(self, outside: Telling, response: HttpResponseBase) -> None:
        """Here already, since the middleware of the project is between: a cache must see whose page it is (S-40)."""
        start = {"type": "http.response.start", "status": response.status_code, "headers": headers_of(response)}
        if self.session.accessed:
            take_over(response, outside.tell_inside(start))
        elif response.streaming and is_made_on_the_way(start):
            take_over(response, outside.foresee(start))

    def owes_touch(self) -> bool:
        """At the end: whether `touch` is still to be called."""
        return False

    async def touch(self) -> None:
        """Count the request as an access at the store."""
        await self.manager.touch(self.session)

    async def abandon(self) -> None:
        """No response: an error came out of Django. Whoever is outside sees to the session (R-31)."""


class StandaloneRequest(NestedRequest):
    """A request that nobody outside has seen to.

    Args:
        ways: the ways of the manager.
        scope: of the request.
    """

    def __init__(self, ways: Ways, scope: Scope) -> None:
        self._presented = ways.transport.read(scope.get("headers", ()))
        self._exchange = ways.exchange(ways.manager, ways.transport, self._presented, scope, self._collect)
        self._sent: list[Message] = []
        super().__init__(ways.manager, self._exchange.session, self._exchange)
        self.left_out: bool = ways.excluded.hold(scope)

    async def _collect(self, message: Message) -> None:
        self._sent.append(message)

    def recall(self) -> None:
        if self.session._id is not None and (self.left_out or not self.manager.recall(self.session)):
            self.manager.leave_unloaded(self.session)
        self._heed_expiry()

    async def load(self) -> None:
        self.recall()
        if self.session._id is not None and self.session._record is None and not self.left_out:
            await self._exchange._load(now=True)
            self._heed_expiry()

    def needs_store(self, status: int) -> bool:
        return super().needs_store(status) or self.session._is_pending() or self.manager.ends_soon(self.session)

    async def conclude(self, response: HttpResponseBase) -> HttpResponseBase:
        looked_at = self.session.accessed or response.status_code >= 500
        headers = headers_of(response) if looked_at else []
        try:
            await self._exchange.send(
                {"type": "http.response.start", "status": response.status_code, "headers": headers}
            )
        except Exception as end:  # noqa: BLE001 - it is raised again, or the answer
            trouble = end.__cause__
            if not (self._sent and isinstance(trouble, WsgessionsError) and error_response_for(trouble).operational):
                raise (trouble or end) from None
            return response_of(self._sent)
        if looked_at:
            take_over(response, self._sent[0])
        else:
            self._tell(self._exchange, response)
        if isinstance(response, StreamingHttpResponse) and not isinstance(response, FileResponse):
            parts = response.streaming_content
            response.streaming_content = self._followed(parts) if response.is_async else self._followed_by_plain(parts)
        return response

    async def _followed(self, parts: Any) -> AsyncIterator[Any]:
        """Keep what the stream has changed, unless it fails (R-32, R-37)."""
        try:
            async for part in parts:
                yield part
        except Exception:
            self.manager.discard(self.session)
            raise
        finally:
            if self.session._is_pending():
                await self._exchange._after_return()

    def _followed_by_plain(self, parts: Any) -> Iterator[Any]:
        try:
            yield from parts
        except Exception:
            self.manager.discard(self.session)
            raise
        finally:
            if self.session._is_pending():
                wait(self.manager, self._exchange._after_return)

    def owes_touch(self) -> bool:
        return not self._exchange._note_use()

    async def abandon(self) -> None:
        self.manager.discard(self.session)
        await self._exchange._carry_out()


def visit_of(request: HttpRequest, ways: Ways) -> NestedRequest:
    """What is to be done for a request.

    Args:
        request: the request.
        ways: those of this process's manager, for requests that nobody outside has seen to.

    Raises:
        asyncio.CancelledError: the request was cancelled.
    """
    scope: Any = getattr(request, "scope", None)
    if scope is None:
        return StandaloneRequest(ways, _scope_of(request))
    session = scope.get("session")
    call: Call | None = scope.get(CALL)
    if isinstance(session, Session) and (call is not None or ways.manager.owns(session)):
        exchange = running.get()
        outside = exchange if exchange is not None and exchange.session is session else None
        return NestedRequest(ways.manager if call is None else call.manager, session, outside)
    return StandaloneRequest(ways, scope)


def _scope_of(request: HttpRequest) -> Scope:
    """What ASGI would say of a request of WSGI."""
    headers = [
        (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
    ]
    peer = request.META.get("REMOTE_ADDR")
    return {
        "type": "http",
        "method": request.method,
        "scheme": request.scheme,
        "path": request.path,
        "root_path": request.META.get("SCRIPT_NAME", ""),
        "headers": headers,
        "client": (peer, 0) if peer else None,
    }
