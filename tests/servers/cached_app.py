"""A site for caches: ``python cached_app.py KIND STORE-URL`` prints the port on loopback at which it answers.

Each kind has ``/login/{name}``, and pages that show the user: ``/me``; ``/public/me``, marked for shared caches; and
``/late/me``, which looks when a part of it has been sent. Kinds but `bare` have a cache inside.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from types import ModuleType
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.servers.listening import serve
from wsgessions import SessionMiddleware
from wsgessions.testing.adapters.caches import SharedCache
from wsgessions.web import ASGIApp, Receive, Scope, Send
from wsgessions_starlette import StarletteAdapter

SETTINGS: dict[str, Any] = {"store_url": "memory:", "cookie": {"insecure": True}}
SHARED = "public, max-age=600"
NOBODY = "nobody"


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    _, kind, name = [*scope["path"].split("/"), ""][:3]
    session, headers = scope["session"], [(b"cache-control", SHARED.encode())] if kind in {"public", "late"} else []
    if kind == "login":
        session["user"] = name
    page = b"" if kind == "late" else session.get("user", NOBODY).encode()
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if kind == "late":
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        await asyncio.sleep(0)
        page = session.get("user", NOBODY).encode()
    await send({"type": "http.response.body", "body": page})


def starlette() -> ASGIApp:
    async def login(request: Request) -> Response:
        request.session["user"] = request.path_params["name"]
        return PlainTextResponse()

    async def me(request: Request) -> Response:
        return PlainTextResponse(request.session.get("user", NOBODY))

    async def public(request: Request) -> Response:
        return PlainTextResponse(request.session.get("user", NOBODY), headers={"cache-control": SHARED})

    async def late(request: Request) -> Response:
        async def parts() -> AsyncIterator[str]:
            yield ""
            await asyncio.sleep(0)
            yield request.session.get("user", NOBODY)

        return StreamingResponse(parts(), headers={"cache-control": SHARED})

    routes = [Route("/login/{name}", login), Route("/me", me), Route("/public/me", public), Route("/late/me", late)]
    app = Starlette(routes=routes)
    app.add_middleware(SharedCache().around)
    return StarletteAdapter(**SETTINGS).install(app)


def django() -> ASGIApp:
    import django as framework
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
    from django.http.response import HttpResponseBase
    from django.urls import path

    def login(request: HttpRequest, name: str) -> HttpResponse:
        request.session["user"] = name
        return HttpResponse()

    def me(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.session.get("user", NOBODY))

    def public(request: HttpRequest) -> HttpResponse:
        return HttpResponse(request.session.get("user", NOBODY), headers={"Cache-Control": SHARED})

    async def late(request: HttpRequest) -> HttpResponseBase:
        async def parts() -> AsyncIterator[str]:
            yield ""
            await asyncio.sleep(0)
            yield request.session.get("user", NOBODY)

        return StreamingHttpResponse(parts(), headers={"Cache-Control": SHARED})

    urls = ModuleType("cached_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]  # Django looks for it
        path("login/<name>", login),
        path("me", me),
        path("public/me", public),
        path("late/me", late),
    ]
    sys.modules[urls.__name__] = urls
    settings.configure(
        SECRET_KEY="k" * 50,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=urls.__name__,
        SESSION_ENGINE="wsgessions_django",
        WSGESSIONS=SETTINGS,
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        MIDDLEWARE=[
            "django.middleware.cache.UpdateCacheMiddleware",
            "wsgessions_django.SessionMiddleware",
            "django.middleware.cache.FetchFromCacheMiddleware",
        ],
    )
    framework.setup()
    from wsgessions_django.asgi import wrap

    return wrap(get_asgi_application())  # type: ignore[arg-type]  # Django's types of ASGI are asgiref's


KINDS: dict[str, Callable[[], ASGIApp]] = {
    "bare": lambda: SessionMiddleware(bare, **SETTINGS),
    "starlette": starlette,
    "django": django,
}

if __name__ == "__main__":
    serve(KINDS[sys.argv[2]]())
