"""Views and middlewares that handle ``request.session`` as code for Django's own sessions does, in both spellings."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as StockMiddleware
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.utils.decorators import sync_and_async_middleware

from tests.adapters.django_project import configure
from tests.adapters.django_views import aflush, ashow, both, flush, handler400, show
from wsgessions_django import SessionMiddleware, SessionStore

configure()

__all__ = ["handler400"]


# -- another session in the request ------------------------------------------------------------------------------------


def opened_again(request: HttpRequest) -> HttpResponse:
    """As mozilla-django-oidc does, to see what other requests have changed meanwhile."""
    del request.session["state"]
    request.session.save()
    request.session = request.session.__class__(request.session.session_key)
    request.session["user"] = "ann"
    return HttpResponse(request.session.session_key or "")


async def aopened_again(request: HttpRequest) -> HttpResponse:
    await request.session.apop("state")
    await request.session.asave()
    request.session = request.session.__class__(request.session.session_key)
    await request.session.aset("user", "ann")
    return HttpResponse(request.session.session_key or "")


def opened_again_with_login(request: HttpRequest) -> HttpResponse:
    opened_again(request)
    request.session.cycle_key()
    return HttpResponse(request.session.session_key or "")


async def aopened_again_with_login(request: HttpRequest) -> HttpResponse:
    await aopened_again(request)
    await request.session.acycle_key()
    return HttpResponse(request.session.session_key or "")


def start(request: HttpRequest) -> HttpResponse:
    request.session["state"] = 1
    return HttpResponse()


async def astart(request: HttpRequest) -> HttpResponse:
    await request.session.aset("state", 1)
    return HttpResponse()


def begin_another(request: HttpRequest) -> HttpResponse:
    request.session["lost"] = True
    request.session = SessionStore()
    request.session["user"] = "bob"
    return HttpResponse()


async def abegin_another(request: HttpRequest) -> HttpResponse:
    await request.session.aset("lost", True)
    request.session = SessionStore()
    await request.session.aset("user", "bob")
    return HttpResponse()


def begin_blindly(request: HttpRequest) -> HttpResponse:
    request.session = SessionStore()
    request.session["user"] = "bob"
    return HttpResponse()


async def abegin_blindly(request: HttpRequest) -> HttpResponse:
    request.session = SessionStore()
    await request.session.aset("user", "bob")
    return HttpResponse()


def change_another_and_fail(request: HttpRequest, key: str) -> HttpResponse:
    change_another(request, key)
    return HttpResponse(status=500)


async def achange_another_and_fail(request: HttpRequest, key: str) -> HttpResponse:
    await achange_another(request, key)
    return HttpResponse(status=500)


def begin_another_and_fail(request: HttpRequest) -> HttpResponse:
    begin_another(request)
    return HttpResponse(status=500)


async def abegin_another_and_fail(request: HttpRequest) -> HttpResponse:
    await abegin_another(request)
    return HttpResponse(status=500)


def log_out_and_begin_another(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return begin_another(request)


async def alog_out_and_begin_another(request: HttpRequest) -> HttpResponse:
    await request.session.aflush()
    return await abegin_another(request)


def read_another(request: HttpRequest, key: str) -> HttpResponse:
    request.session = SessionStore(key)
    return show(request)


async def aread_another(request: HttpRequest, key: str) -> HttpResponse:
    request.session = SessionStore(key)
    return await ashow(request)


def change_another(request: HttpRequest, key: str) -> HttpResponse:
    request.session = SessionStore(key)
    request.session["seen"] = True
    return HttpResponse()


async def achange_another(request: HttpRequest, key: str) -> HttpResponse:
    request.session = SessionStore(key)
    await request.session.aset("seen", True)
    return HttpResponse()


def assign_key(request: HttpRequest, key: str) -> HttpResponse:
    request.session._session_key = key
    request.session["seen"] = True
    return HttpResponse()


async def aassign_key(request: HttpRequest, key: str) -> HttpResponse:
    request.session._session_key = key
    await request.session.aset("seen", True)
    return HttpResponse()


def assign_key_and_log_out(request: HttpRequest, key: str) -> HttpResponse:
    request.session._session_key = key
    request.session.flush()
    return HttpResponse(status=500)


async def aassign_key_and_log_out(request: HttpRequest, key: str) -> HttpResponse:
    request.session._session_key = key
    await request.session.aflush()
    return HttpResponse(status=500)


def empty(request: HttpRequest) -> HttpResponse:
    request.session = SessionStore()
    return HttpResponse()


async def aempty(request: HttpRequest) -> HttpResponse:
    return empty(request)


def no_session_at_all(request: HttpRequest) -> HttpResponse:
    request.session["lost"] = True
    request.session = {}  # type: ignore[assignment]
    return HttpResponse()


async def ano_session_at_all(request: HttpRequest) -> HttpResponse:
    await request.session.aset("lost", True)
    request.session = {}  # type: ignore[assignment]
    return HttpResponse()


# -- single methods ----------------------------------------------------------------------------------------------------


def cycle_alone(request: HttpRequest) -> HttpResponse:
    request.session.cycle_key()
    return HttpResponse(request.session.session_key or "")


async def acycle_alone(request: HttpRequest) -> HttpResponse:
    await request.session.acycle_key()
    return HttpResponse(request.session.session_key or "")


def save_alone(request: HttpRequest) -> HttpResponse:
    if not request.session.session_key:
        request.session.save()
    return HttpResponse(request.session.session_key or "")


async def asave_alone(request: HttpRequest) -> HttpResponse:
    if not request.session.session_key:
        await request.session.asave()
    return HttpResponse(request.session.session_key or "")


def delete_and_create(request: HttpRequest) -> HttpResponse:
    request.session.get("state")
    request.session.delete()
    request.session.create()
    return HttpResponse(request.session.session_key or "")


async def adelete_and_create(request: HttpRequest) -> HttpResponse:
    await request.session.aget("state")
    await request.session.adelete()
    await request.session.acreate()
    return HttpResponse(request.session.session_key or "")


def rotate_and_delete(request: HttpRequest) -> HttpResponse:
    request.session.cycle_key()
    request.session.delete()
    return HttpResponse(status=204)


async def arotate_and_delete(request: HttpRequest) -> HttpResponse:
    await request.session.acycle_key()
    await request.session.adelete()
    return HttpResponse(status=204)


def change_nothing(request: HttpRequest, then: str) -> HttpResponse:
    request.session["lost"] = True
    if then == "flush":
        request.session.flush()
    request.session.modified = False
    request.session.pop("absent", None)
    if then == "change":
        request.session["state"] = 2
    return HttpResponse()


async def achange_nothing(request: HttpRequest, then: str) -> HttpResponse:
    await request.session.aset("lost", True)
    if then == "flush":
        await request.session.aflush()
    request.session.modified = False
    await request.session.apop("absent", None)
    if then == "change":
        await request.session.aset("state", 2)
    return HttpResponse()


def delete_what_is_new(request: HttpRequest) -> HttpResponse:
    request.session = SessionStore()
    request.session.save(must_create=True)
    request.session.delete()
    return HttpResponse()


async def adelete_what_is_new(request: HttpRequest) -> HttpResponse:
    request.session = SessionStore()
    await request.session.asave(must_create=True)
    await request.session.adelete()
    return HttpResponse()


def load_again(request: HttpRequest) -> HttpResponse:
    before, other = request.session["state"], SessionStore(request.session.session_key)
    other["state"] = before + 1
    other.save()
    return JsonResponse([before, request.session.load()["state"]], safe=False)


async def aload_again(request: HttpRequest) -> HttpResponse:
    before: Any = await request.session.aget("state")
    other = SessionStore(request.session.session_key)
    await other.aset("state", before + 1)
    await other.asave()
    return JsonResponse([before, (await request.session.aload())["state"]], safe=False)


# -- middlewares -------------------------------------------------------------------------------------------------------


@sync_and_async_middleware
def id_from_header(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Puts the id from a header into ``request.COOKIES``, or takes it out: for clients without cookies."""

    def put(request: HttpRequest) -> None:
        token = request.headers.get("x-token")
        if token == "none":
            request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        elif token:
            request.COOKIES[settings.SESSION_COOKIE_NAME] = token

    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> Any:
            put(request)
            return await get_response(request)

        return amiddleware

    def middleware(request: HttpRequest) -> Any:
        put(request)
        return get_response(request)

    return middleware


class Hooked(SessionMiddleware):
    """With the two methods that recipes override."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:  # type: ignore[override]
        if "x-refuse" in request.headers:
            return HttpResponse("refused", status=403)
        token = request.headers.get("x-token")
        if token:
            request.COOKIES[settings.SESSION_COOKIE_NAME] = token
        super().process_request(request)
        request.session.get("color")  # the hook may block: it runs in a thread in an async stack
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        if settings.SESSION_COOKIE_NAME in response.cookies:
            response.cookies[settings.SESSION_COOKIE_NAME]["samesite"] = "None"
        response["X-Hooked"] = "yes"
        return response


class OwnLookup(SessionMiddleware):
    """Finds the session by itself, and leaves the rest to its base."""

    def process_request(self, request: HttpRequest) -> None:
        key = request.headers.get("x-token") or request.COOKIES.get(settings.SESSION_COOKIE_NAME)
        request.session = self.SessionStore(key)


class Derived(StockMiddleware):
    """Derived from Django's own."""


urlpatterns = [
    *both("show", show, ashow),
    *both("start", start, astart),
    *both("opened-again", opened_again, aopened_again),
    *both("opened-again-with-login", opened_again_with_login, aopened_again_with_login),
    *both("begin-another", begin_another, abegin_another),
    *both("begin-blindly", begin_blindly, abegin_blindly),
    *both("change-another-and-fail/<str:key>", change_another_and_fail, achange_another_and_fail),
    *both("begin-another-and-fail", begin_another_and_fail, abegin_another_and_fail),
    *both("log-out-and-begin-another", log_out_and_begin_another, alog_out_and_begin_another),
    *both("read-another/<str:key>", read_another, aread_another),
    *both("change-another/<str:key>", change_another, achange_another),
    *both("assign-key/<str:key>", assign_key, aassign_key),
    *both("assign-key-and-log-out/<str:key>", assign_key_and_log_out, aassign_key_and_log_out),
    *both("empty", empty, aempty),
    *both("no-session-at-all", no_session_at_all, ano_session_at_all),
    *both("cycle-alone", cycle_alone, acycle_alone),
    *both("save-alone", save_alone, asave_alone),
    *both("delete-and-create", delete_and_create, adelete_and_create),
    *both("rotate-and-delete", rotate_and_delete, arotate_and_delete),
    *both("change-nothing/<str:then>", change_nothing, achange_nothing),
    *both("delete-what-is-new", delete_what_is_new, adelete_what_is_new),
    *both("flush", flush, aflush),
    *both("load-again", load_again, aload_again),
    path("plain", show),
]
