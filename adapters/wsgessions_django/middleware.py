"""The session middleware, which replaces Django's own in ``MIDDLEWARE``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as StockMiddleware
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from wsgessions.errors import ConfigError, SessionGone, WsgessionsError
from wsgessions.stores.loop.sync import run_at_once
from wsgessions.web.current_session import follow

from .asgi import CALL, Call
from .configuration import current_manager
from .engine import SessionStore
from .error_responses import answer_to, interruption
from .request import NestedRequest, StandaloneRequests, request_of
from .waiting import wait

__all__ = ["SessionMiddleware"]


class SessionMiddleware(StockMiddleware):
    """Gives each request its session, and the client its cookies, by the rules of wsgessions.

    Inside the adapter, or another session middleware of the same sessions, the session is taken from the scope. In
    either case this middleware puts cookies and headers into the response, so that the middleware before it sees them,
    as with Django's own. In an async stack nothing of it runs in another thread.

    Raises:
        ConfigError: a setting is wrong, or ``SESSION_ENGINE`` is not that of wsgessions.
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
        self._standalone = StandaloneRequests(current_manager())
        follow("wsgessions_django")

    def __call__(self, request: HttpRequest) -> Any:
        """Run one request."""
        if self.async_mode:
            return self.__acall__(request)
        current = self._begin(request)
        if settings.SESSION_SAVE_EVERY_REQUEST:
            wait(current.manager, current.load)
        else:
            current.lookup()
        try:
            response = cast("HttpResponseBase", self.get_response(request))
        except Exception:
            wait(current.manager, current.on_exception)
            raise

        async def finish() -> HttpResponseBase:
            return await _finish(request, current, response)

        current.tell_cookie_age()
        may_wait = current.needs_store(response.status_code)
        response = wait(current.manager, finish) if may_wait else run_at_once(finish)
        if current.needs_touch():
            wait(current.manager, current.touch)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Run one request in an async stack. The name is Django's; Sentry calls it."""
        current = self._begin(request)
        await current.load()
        try:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        except Exception:
            await current.on_exception()
            raise
        current.tell_cookie_age()
        response = await _finish(request, current, response)
        if current.needs_touch():
            await current.touch()
        return response

    def _begin(self, request: HttpRequest) -> NestedRequest:
        call = _call_of(request)
        if call is not None:
            call.request = request
            if self.async_mode:
                call.tasks.enter()
        manager = current_manager()
        if self._standalone.manager is not manager:
            self._standalone = StandaloneRequests(manager)
        current = request_of(request, self._standalone)
        engine = cast("type[SessionStore]", self.SessionStore)
        request.session = engine.of_request(current.manager, current.session, left_out=current.left_out)
        return current

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer an error of the session in a view for which Django has no page (F-00a)."""
        if isinstance(exception, SessionGone):
            _show_nothing(request)
            raise interruption() from exception
        return answer_to(exception) if isinstance(exception, WsgessionsError) else None


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
        error_response = answer_to(error)
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
