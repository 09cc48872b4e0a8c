"""The session middleware, which replaces Django's own in ``MIDDLEWARE``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from wsgessions.errors import ConfigError, SessionGone, StoreUnavailable, WsgessionsError
from wsgessions.stores.loop.sync import run_at_once
from wsgessions.web.current_session import follow
from wsgessions.web.foreign_middleware import two_kinds_of_sessions

from .asgi import CALL, Call
from .configuration import current_manager
from .engine import SessionStore
from .error_responses import answer_to, interruption
from .request import NestedRequest, StandaloneRequests, request_of
from .stock import WithOwnCookies, session_middlewares
from .waiting import wait, wait_or_log

__all__ = ["SessionMiddleware"]

_CURRENT: Final = "_wsgessions_current"
"""The attribute of a request with its `NestedRequest`; None until its session was begun."""


class SessionMiddleware(WithOwnCookies):
    """Gives each request its session, and the client its cookies, by the rules of wsgessions.

    Inside the adapter, or another session middleware of the same sessions, the session is taken from the scope. In
    either case this middleware puts cookies and headers into the response, so that the middleware before it sees them,
    as with Django's own. In an async stack nothing of it runs in another thread, except the hooks of a subclass.

    Raises:
        ConfigError: a setting is wrong, ``SESSION_ENGINE`` is not that of wsgessions, or ``MIDDLEWARE`` has Django's
            own session middleware too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if not issubclass(self.SessionStore, SessionStore):
            raise ConfigError(
                f"it has a {self.SessionStore.__module__}.{self.SessionStore.__qualname__}",
                setting="SESSION_ENGINE",
                origin="Django's settings",
                hint='this middleware needs SESSION_ENGINE = "wsgessions_django"',
            )
        if stock := session_middlewares()[0]:
            raise two_kinds_of_sessions(stock[0], hint="remove it from MIDDLEWARE")
        self._standalone = StandaloneRequests(current_manager())
        kind = type(self)
        self._asks = kind.process_request is not SessionMiddleware.process_request
        self._tells = kind.process_response is not SessionMiddleware.process_response
        follow("wsgessions_django")

    def __call__(self, request: HttpRequest) -> Any:
        """Run one request."""
        if self.async_mode:
            return self.__acall__(request)
        outer = _enter(request)
        response: HttpResponseBase | None = _hooks_of(self).process_request(request)
        current = _current_of(request)
        try:
            response = response or cast("HttpResponseBase", self.get_response(request))
        except Exception:
            if current is not None:
                wait_or_log(current.manager, current.on_exception)
            raise
        response = _hooks_of(self).process_response(request, response)
        _leave(request, outer)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Run one request in an async stack. The name is Django's; Sentry calls it."""
        outer = _enter(request)
        call = _call_of(request)
        if call is not None:
            call.tasks.enter()
        response: HttpResponseBase | None = None
        if self._asks:
            response = await sync_to_async(_hooks_of(self).process_request)(request)
        else:
            self.process_request(request)
        current = _current_of(request)
        if current is not None:
            await current.load()
        try:
            response = response or await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        except Exception:
            if current is not None:
                await current.on_exception()
            raise
        if self._tells:
            response = cast(
                "HttpResponseBase", await sync_to_async(_hooks_of(self).process_response)(request, response)
            )
        else:
            current = self._concluding(request, response)
            response = await _finish(request, current, response)
            if current.needs_touch():
                await current.touch()
        _leave(request, outer)
        return response

    def process_request(self, request: HttpRequest) -> None:
        """Give the request its session. A subclass may override this, and may answer the request.

        In an async stack the session is loaded afterwards, and a method that overrides this one runs in a thread.
        Called by other code, as tests do, without a `process_response` to come, this is Django's own method.
        """
        if _CURRENT not in request.__dict__:
            super().process_request(request)
            return
        current = request.__dict__[_CURRENT] = self._begin(request)
        current.lookup()
        if settings.SESSION_SAVE_EVERY_REQUEST and not self.async_mode and current.needs_load():
            wait_or_log(current.manager, current.load)  # the first access raises its error

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Save the session in ``request.session``, and tell the client. A subclass may override this.

        In an async stack a method that overrides this one runs in a thread.
        """
        current = self._concluding(request, response)

        async def finish() -> HttpResponseBase:
            return await _finish(request, current, response)

        if current.needs_store(response.status_code):
            try:
                finished = wait(current.manager, finish)
            except StoreUnavailable as error:  # of the wait: those of the work are answered by it
                finished = cast("HttpResponse", answer_to(error, response))
        else:
            finished = run_at_once(finish)
        if current.needs_touch():
            wait_or_log(current.manager, current.touch)
        return cast("HttpResponse", finished)

    def _concluding(self, request: HttpRequest, response: HttpResponseBase) -> NestedRequest:
        """The work of the request, for the session that is in ``request.session`` now."""
        current = _current_of(request) or self._request_of(request)
        current.take(getattr(request, "session", None), response.status_code)
        return current

    def _begin(self, request: HttpRequest) -> NestedRequest:
        call = _call_of(request)
        if call is not None:
            call.request = request
        current = self._request_of(request)
        engine = cast("type[SessionStore]", self.SessionStore)
        request.session = engine.of_request(current.manager, current.session, left_out=current.left_out)
        return current

    def _request_of(self, request: HttpRequest) -> NestedRequest:
        manager = current_manager()
        if self._standalone.manager is not manager:
            self._standalone = StandaloneRequests(manager)
        return request_of(request, self._standalone)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer an error of the session in a view for which Django has no page (F-00a)."""
        if isinstance(exception, SessionGone):
            _show_nothing(request)
            raise interruption() from exception
        return answer_to(exception) if isinstance(exception, WsgessionsError) else None


def _hooks_of(middleware: SessionMiddleware) -> Any:
    """The middleware with the methods as Django calls them: the first may return a response, and any may be streamed.

    Their types in its base say otherwise.
    """
    return middleware


def _enter(request: HttpRequest) -> NestedRequest | None:
    """Mark the request as one of `SessionMiddleware.__call__`; returns that of a middleware around this one."""
    outer = _current_of(request)
    request.__dict__[_CURRENT] = None
    return outer


def _leave(request: HttpRequest, outer: NestedRequest | None) -> None:
    if outer is None:
        del request.__dict__[_CURRENT]
    else:
        request.__dict__[_CURRENT] = outer


def _current_of(request: HttpRequest) -> NestedRequest | None:
    found: NestedRequest | None = request.__dict__.get(_CURRENT)
    return found


def _call_of(request: HttpRequest) -> Call | None:
    found: Call | None = getattr(request, "scope", {}).get(CALL)
    return found


async def _finish(request: HttpRequest, current: NestedRequest, response: HttpResponseBase) -> HttpResponseBase:
    try:
        await current.commit(request.method, response.status_code)
    except SessionGone as error:
        _show_nothing(request)
        raise interruption() from error
    except WsgessionsError as error:
        error_response = answer_to(error, response)
        if error_response is None:
            raise
        current.rollback()
        response = error_response
    response = await current.finish(response)
    if (call := _call_of(request)) is not None:
        call.response = response
    return response


def _show_nothing(request: HttpRequest) -> None:
    """Let the error page read the session, which has ended, as empty."""
    store: object = getattr(request, "session", None)
    if isinstance(store, SessionStore):
        store.show_nothing()
