"""Views for Django's tests, each in both spellings: ``/sync/…`` and ``/async/…``, in Django's own words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import async_to_sync, iscoroutinefunction, sync_to_async
from django.contrib import admin, messages
from django.contrib.auth import aauthenticate, alogin, alogout, authenticate, login, logout
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.csrf import csrf_exempt

from tests.adapters.django_project import configure
from wsgessions_django import SessionStore, current_manager, get_session

configure()

CACHED = {"Cache-Control": "public, max-age=60", "CDN-Cache-Control": "max-age=600", "Vary": "Accept"}


def shown(request: HttpRequest) -> HttpResponse:
    return JsonResponse(dict(request.session.items()))


def show(request: HttpRequest) -> HttpResponse:
    return shown(request)


async def ashow(request: HttpRequest) -> HttpResponse:
    return JsonResponse(dict(await request.session.aitems()))


def put(request: HttpRequest, name: str) -> HttpResponse:
    request.session[name] = name
    return HttpResponse(request.session.session_key or "")


async def aput(request: HttpRequest, name: str) -> HttpResponse:
    await request.session.aset(name, name)
    return HttpResponse(request.session.session_key or "")


def append(request: HttpRequest, name: str) -> HttpResponse:
    request.session.setdefault("cart", {"lines": []})["lines"].append(name)
    return shown(request)


async def aappend(request: HttpRequest, name: str) -> HttpResponse:
    (await request.session.asetdefault("cart", {"lines": []}))["lines"].append(name)
    return await ashow(request)


def untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse("untouched")


async def auntouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse("untouched")


def flush(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    return HttpResponse("flushed")


async def aflush(request: HttpRequest) -> HttpResponse:
    await request.session.aflush()
    return HttpResponse("flushed")


def cycle(request: HttpRequest, name: str) -> HttpResponse:
    request.session.cycle_key()
    key = request.session.session_key
    request.session[name] = name
    return HttpResponse(key or "")


async def acycle(request: HttpRequest, name: str) -> HttpResponse:
    await request.session.acycle_key()
    key = request.session.session_key
    await request.session.aset(name, name)
    return HttpResponse(key or "")


def create(request: HttpRequest) -> HttpResponse:
    if not request.session.session_key:
        request.session.create()
    return HttpResponse(request.session.session_key or "")


async def acreate(request: HttpRequest) -> HttpResponse:
    if not request.session.session_key:
        await request.session.acreate()
    return HttpResponse(request.session.session_key or "")


def answer(request: HttpRequest, status: int, name: str) -> HttpResponse:
    request.session[name] = name
    return HttpResponse(status=status)


async def aanswer(request: HttpRequest, status: int, name: str) -> HttpResponse:
    await request.session.aset(name, name)
    return HttpResponse(status=status)


def fail(request: HttpRequest, name: str) -> HttpResponse:
    request.session[name] = name
    raise RuntimeError("the view failed")


async def afail(request: HttpRequest, name: str) -> HttpResponse:
    await request.session.aset(name, name)
    raise RuntimeError("the view failed")


def flush_and_fail(request: HttpRequest) -> HttpResponse:
    request.session.flush()
    raise RuntimeError("the view failed")


async def aflush_and_fail(request: HttpRequest) -> HttpResponse:
    await request.session.aflush()
    raise RuntimeError("the view failed")


def miss(request: HttpRequest, name: str) -> HttpResponse:
    request.session[name] = name
    raise Http404


async def amiss(request: HttpRequest, name: str) -> HttpResponse:
    await request.session.aset(name, name)
    raise Http404


def keep(request: HttpRequest, name: str) -> HttpResponse:
    request.session[name] = object()
    return HttpResponse()


async def akeep(request: HttpRequest, name: str) -> HttpResponse:
    await request.session.aset(name, object())
    return HttpResponse()


def expire(request: HttpRequest, seconds: str) -> HttpResponse:
    request.session.set_expiry(None if seconds == "none" else int(seconds))
    request.session["kept"] = True
    return HttpResponse()


async def aexpire(request: HttpRequest, seconds: str) -> HttpResponse:
    await request.session.aset_expiry(None if seconds == "none" else int(seconds))
    await request.session.aset("kept", True)
    return HttpResponse()


def stream(request: HttpRequest, name: str) -> HttpResponseBase:
    def parts() -> Iterator[str]:
        yield "first "
        request.session[name] = name
        yield "last"

    return StreamingHttpResponse(parts())


async def astream(request: HttpRequest, name: str) -> HttpResponseBase:
    async def parts() -> AsyncIterator[str]:
        yield "first "
        await request.session.aset(name, name)
        yield "last"

    return StreamingHttpResponse(parts())


def break_off(request: HttpRequest, name: str) -> HttpResponseBase:
    def parts() -> Iterator[str]:
        yield "first "
        request.session[name] = name
        raise RuntimeError("the view failed")

    return StreamingHttpResponse(parts())


async def abreak_off(request: HttpRequest, name: str) -> HttpResponseBase:
    async def parts() -> AsyncIterator[str]:
        yield "first "
        await request.session.aset(name, name)
        raise RuntimeError("the view failed")

    return StreamingHttpResponse(parts())


def create_again(request: HttpRequest) -> HttpResponse:
    request.session.create()
    return HttpResponse(request.session.session_key or "")


async def acreate_again(request: HttpRequest) -> HttpResponse:
    await request.session.acreate()
    return HttpResponse(request.session.session_key or "")


def commit_now(request: HttpRequest) -> HttpResponse:
    session = get_session(request)
    session["size"] = "size"
    async_to_sync(session.commit)()
    return HttpResponse()


async def acommit_now(request: HttpRequest) -> HttpResponse:
    session = get_session(request)
    session["size"] = "size"
    await session.commit()
    return HttpResponse()


def forget(request: HttpRequest) -> HttpResponse:
    request.session["size"] = "size"
    del request.session
    return HttpResponse()


async def aforget(request: HttpRequest) -> HttpResponse:
    return forget(request)


def cached(request: HttpRequest, name: str) -> HttpResponse:
    request.session[name] = name
    return HttpResponse(headers=CACHED)


async def acached(request: HttpRequest, name: str) -> HttpResponse:
    await request.session.aset(name, name)
    return HttpResponse(headers=CACHED)


# -- auth, messages, CSRF ----------------------------------------------------------------------------------------------


@csrf_exempt
def log_in(request: HttpRequest, name: str) -> HttpResponse:
    user = authenticate(request, username=name, password=name)
    assert user is not None
    login(request, user)
    return HttpResponse(request.session.session_key or "")


async def alog_in(request: HttpRequest, name: str) -> HttpResponse:
    user = await aauthenticate(request, username=name, password=name)
    assert user is not None
    await alogin(request, user)
    return HttpResponse(request.session.session_key or "")


def log_in_and_fail(request: HttpRequest, name: str) -> HttpResponse:
    log_in(request, name)
    raise RuntimeError("the view failed")


async def alog_in_and_fail(request: HttpRequest, name: str) -> HttpResponse:
    await alog_in(request, name)
    raise RuntimeError("the view failed")


async def alog_out_others(request: HttpRequest) -> HttpResponse:
    user: Any = await request.auser()
    return HttpResponse(str(await current_manager().end_sessions_of(user.pk, keep=get_session(request))))


def log_out_others(request: HttpRequest) -> HttpResponse:
    user: Any = request.user
    ended = async_to_sync(current_manager().end_sessions_of)(user.pk, keep=get_session(request))
    return HttpResponse(str(ended))


def log_out(request: HttpRequest) -> HttpResponse:
    logout(request)
    return HttpResponse("out")


async def alog_out(request: HttpRequest) -> HttpResponse:
    await alogout(request)
    return HttpResponse("out")


@login_required
def mine(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.user.get_username())


@login_required
async def amine(request: HttpRequest) -> HttpResponse:
    return HttpResponse((await request.auser()).get_username())


def say(request: HttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponse()


async def asay(request: HttpRequest, text: str) -> HttpResponse:
    messages.success(request, text)
    return HttpResponse()


def hear(request: HttpRequest) -> HttpResponse:
    return JsonResponse([str(message) for message in messages.get_messages(request)], safe=False)


async def ahear(request: HttpRequest) -> HttpResponse:
    return hear(request)


def token(request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_token(request))


async def atoken(request: HttpRequest) -> HttpResponse:
    return token(request)


def interrupted(request: HttpRequest, exception: Exception) -> HttpResponse:
    """The project's page for a 400, which looks at the session as templates do."""
    return HttpResponseBadRequest(f"{type(exception).__name__}: {sorted(request.session.keys())}")


handler400 = interrupted


@sync_and_async_middleware
def allowing(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A middleware that adds fields which hold for any response, and one which describes this one."""

    def allow(response: Any) -> Any:
        response["Access-Control-Allow-Origin"] = "https://other"
        response["X-Request-Id"] = "7"
        response["ETag"] = '"lost"'
        patch_vary_headers(response, ["Origin"])
        return response

    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> Any:
            return allow(await get_response(request))

        return amiddleware
    return lambda request: allow(get_response(request))


@sync_and_async_middleware
def ending_meanwhile(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A middleware that ends the session of a request, as another request would, where a header asks for it."""

    def end(request: HttpRequest) -> None:
        if "x-ends-meanwhile" in request.headers:
            assert dict(request.session.items())
            SessionStore(request.session.session_key).delete()
        if "x-looks" in request.headers:
            request.session.get("color")

    if iscoroutinefunction(get_response):

        async def amiddleware(request: HttpRequest) -> Any:
            await sync_to_async(end)(request)
            return await get_response(request)

        return amiddleware

    def middleware(request: HttpRequest) -> Any:
        end(request)
        return get_response(request)

    return middleware


def both(route: str, view: Callable[..., Any], twin: Callable[..., Any]) -> list[Any]:
    return [path(f"sync/{route}", view), path(f"async/{route}", twin)]


urlpatterns = [
    *both("show", show, ashow),
    *both("put/<str:name>", put, aput),
    *both("append/<str:name>", append, aappend),
    *both("untouched", untouched, auntouched),
    *both("flush", flush, aflush),
    *both("cycle/<str:name>", cycle, acycle),
    *both("create", create, acreate),
    *both("answer/<int:status>/<str:name>", answer, aanswer),
    *both("fail/<str:name>", fail, afail),
    *both("flush-and-fail", flush_and_fail, aflush_and_fail),
    *both("miss/<str:name>", miss, amiss),
    *both("keep/<str:name>", keep, akeep),
    *both("expire/<str:seconds>", expire, aexpire),
    *both("stream/<str:name>", stream, astream),
    *both("break/<str:name>", break_off, abreak_off),
    *both("create-again", create_again, acreate_again),
    *both("commit", commit_now, acommit_now),
    *both("forget", forget, aforget),
    *both("cached/<str:name>", cached, acached),
    *both("login/<str:name>", log_in, alog_in),
    *both("login-and-fail/<str:name>", log_in_and_fail, alog_in_and_fail),
    *both("log-out-others", log_out_others, alog_out_others),
    *both("logout", log_out, alog_out),
    *both("mine", mine, amine),
    *both("say/<str:text>", say, asay),
    *both("hear", hear, ahear),
    *both("token", token, atoken),
    path("admin/", admin.site.urls),
]
