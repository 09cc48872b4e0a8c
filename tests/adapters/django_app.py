"""The adapter suite's application, in the ways of Django. WebSockets, which Django does not serve, go past it."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import got_request_exception
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path

from tests.adapters.django_project import configure
from wsgessions import Session
from wsgessions.testing.adapters.suite import perform, perform_now
from wsgessions.web import ASGIApp, Receive, Scope, Send
from wsgessions_django import get_session

configure()

CACHED = {"cache-control": "public, max-age=60", "vary": "Accept"}


def as_json(value: Any, **more: Any) -> HttpResponse:
    return JsonResponse(value, safe=False, **more)


async def do(request: HttpRequest, action: str) -> HttpResponse:
    return as_json(await perform(get_session(request), action))


def do_now(request: HttpRequest, action: str) -> HttpResponse:
    return as_json(perform_now(get_session(request), action))


async def session(request: HttpRequest) -> HttpResponse:
    return as_json(get_session(request))


async def untouched(request: HttpRequest) -> HttpResponse:
    return HttpResponse("untouched")


async def answer(request: HttpRequest, status: int, action: str) -> HttpResponse:
    await perform(get_session(request), action)
    return HttpResponse("answer", status=status)


async def fall(request: HttpRequest, status: int, action: str) -> HttpResponse:
    await perform(get_session(request), action)
    if status == 404:
        raise Http404
    if status == 403:
        raise PermissionDenied
    return HttpResponse("abort", status=status)  # Django has no exception for it


async def cached(request: HttpRequest, action: str) -> HttpResponse:
    return as_json(await perform(get_session(request), action), headers=CACHED)


async def fail(request: HttpRequest, action: str) -> HttpResponse:
    await perform(get_session(request), action)
    raise RuntimeError("the handler failed")


async def stream(request: HttpRequest, action: str) -> HttpResponseBase:
    here = get_session(request)

    async def parts() -> AsyncIterator[str]:
        yield "first"
        await perform(here, action)
        yield "last"

    return StreamingHttpResponse(parts())


async def break_off(request: HttpRequest, action: str) -> HttpResponseBase:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        raise RuntimeError("the handler failed")

    await perform(get_session(request), action)
    return StreamingHttpResponse(parts())


class AnsweringFirst(HttpResponse):
    """Does something when it was sent: Django has no background tasks, and this is its place for what comes after."""

    def __init__(self, session: Session, action: str) -> None:
        super().__init__("later")
        self.work = session, action

    def close(self) -> None:
        try:
            perform_now(*self.work)
        finally:
            super().close()


async def background(request: HttpRequest, action: str) -> HttpResponse:
    return AnsweringFirst(get_session(request), action)


urlpatterns = [
    path("do/<str:action>", do),
    path("sync/<str:action>", do_now),
    path("session", session),
    path("untouched", untouched),
    path("answer/<int:status>/<str:action>", answer),
    path("abort/<int:status>/<str:action>", fall),
    path("cached/<str:action>", cached),
    path("raise/<str:action>", fail),
    path("stream/<str:action>", stream),
    path("break/<str:action>", break_off),
    path("background/<str:action>", background),
]


async def serve_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """The suite's WebSocket routes, in bare ASGI."""
    _, route, action = scope["path"].split("/")
    await receive()
    await perform(scope["session"], action)
    if route == "deny":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        said = message["text"]
        if said == "close":
            await send({"type": "websocket.close", "code": 4001})
            return
        if said == "raise":
            raise RuntimeError("the handler failed")
        await send({"type": "websocket.send", "text": json.dumps(await perform(scope["session"], said))})


class Site(ASGIHandler):
    """Django's handler, and what a project may put in front of it for its WebSockets."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await (serve_socket if scope["type"] == "websocket" else super().__call__)(scope, receive, send)


def make_app() -> ASGIApp:
    return cast("ASGIApp", Site())


def telling(app: ASGIApp) -> ASGIApp:
    """Raises the errors that Django has answered by a page and told the log of, for a suite that wants to see them."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        told: list[BaseException | None] = []

        def note(**_: Any) -> None:
            told.append(sys.exception())

        got_request_exception.connect(note)
        try:
            await app(scope, receive, send)
        finally:
            got_request_exception.disconnect(note)
        for error in told:
            if error is not None and scope["type"] == "http":
                raise error

    return middleware
