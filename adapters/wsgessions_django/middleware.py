"""The middleware that takes the place of Django's own in ``MIDDLEWARE``."""

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
from .error_responses import interruption, refusal_of
from .request import NestedRequest, Ways, visit_of
from .waiting import wait

__all__ = ["SessionMiddleware"]


class SessionMiddleware(StockMiddleware):
    """Gives each request its session, and the client its cookies, by the rules of wsgessions.

    Inside the adapter, or another session middleware of the same sessions, the session is taken from the scope. Cookies
    and headers are in the response here in any case, so that the middleware before this one sees them, as with Django's
    own. In an async stack nothing here runs in another thread.

    Raises:
        ConfigError: a setting is wrong, or ``SESSION_ENGINE`` is not of wsgessions.
    """

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if not issubclass(self.SessionStore, SessionStore):
            raise ConfigError(
                f"it has a {self.SessionStore.__module__}.{self.SessionStore.__qualname__}",
                setting="SESSION_ENGINE",
                origin="Django's settings",
                hint='SESSION_ENGINE = "wsgessions_django" goes with this middleware',
            )
        self._ways = Ways(current_manager())
        follow("wsgessions_django")

    def __call__(self, request: HttpRequest) -> Any:
        """Run one request."""
        if self.async_mode:
            return self.__acall__(request)
        visit = self._begin(request)
        if settings.SESSION_SAVE_EVERY_REQUEST:
            wait(visit.manager, visit.load)
        else:
            visit.recall()
        try:
            response = cast("HttpResponseBase", self.get_response(request))
        except Exception:
            wait(visit.manager, visit.abandon)
            raise

        async def finish() -> HttpResponseBase:
            return await _finish(request, visit, response)

        visit.prepare()
        may_wait = visit.needs_store(response.status_code)
        response = wait(visit.manager, finish) if may_wait else run_at_once(finish)
        if visit.owes_touch():
            wait(visit.manager, visit.touch)
        return response

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Run one request in an async stack. Django's name, which Sentry calls."""
        visit = self._begin(request)
        await visit.load()
        try:
            response = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
        except Exception:
            await visit.abandon()
            raise
        visit.prepare()
        response = await _finish(request, visit, response)
        if visit.owes_touch():
            await visit.touch()
        return response

    def _begin(self, request: HttpRequest) -> NestedRequest:
        call = _call_of(request)
        if call is not None:
            call.request = request
            if self.async_mode:
                call.enter()
        manager = current_manager()
        if self._ways.manager is not manager:
            self._ways = Ways(manager)
        visit = visit_of(request, self._ways)
        engine = cast("type[SessionStore]", self.SessionStore)
        request.session = engine.of_request(visit.manager, visit.session, left_out=visit.left_out)
        return visit

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """A view has met a trouble with the session that no page of Django's has words for (F-00a)."""
        if isinstance(exception, SessionGone):
            _show_nothing(request)
            raise interruption() from exception
        return refusal_of(exception) if isinstance(exception, WsgessionsError) else None


def _call_of(request: HttpRequest) -> Call | None:
    found: Call | None = getattr(request, "scope", {}).get(CALL)
    return found


async def _finish(request: HttpRequest, visit: NestedRequest, response: HttpResponseBase) -> HttpResponseBase:
    try:
        await visit.commit(request.method, response.status_code)
    except SessionGone as error:
        _show_nothing(request)
        raise interruption() from error
    except WsgessionsError as error:
        refused = refusal_of(error)
        if refused is None:
            raise
        visit.give_up()
        response = refused
    response = await visit.conclude(response)
    if (call := _call_of(request)) is not None:
        call.response = response
    return response


def _show_nothing(request: HttpRequest) -> None:
    """The page that is to tell the visitor may look at the session, which is no more."""
    store: object = getattr(request, "session", None)
    if isinstance(store, SessionStore):
        store.show_nothing()
