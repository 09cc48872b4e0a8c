"""The measured applications: one set of routes, without sessions and with each library.

Every subject answers ``/fill/{count}`` (put that many attributes of 100 characters into the session), ``/untouched``,
``/read`` (one attribute), ``/write`` (change one attribute of 8 characters), ``/tick`` (read that attribute) and
``/set/{name}`` (add one attribute).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from litestar import Litestar, get
from litestar import Request as LitestarRequest
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.stores.redis import RedisStore as LitestarRedisStore
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware as SignedCookieMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starsessions import SessionAutoloadMiddleware
from starsessions import SessionMiddleware as StarsessionsMiddleware
from starsessions.stores.redis import RedisStore as StarsessionsStore

from wsgessions import SessionMiddleware

__all__ = ["BARE", "SUBJECTS", "VALUE", "Subject", "ours", "peers"]

VALUE = "x" * 100
_ticks = itertools.count()

BARE = "no sessions (Starlette)"
OFF_HEAP = "wsgessions, off the heap"
"""Wsgessions without copies on the heap: the workers of a host share memory outside."""

App = Callable[..., Any]
SessionMapping = MutableMapping[str, Any]


def _fill(session: SessionMapping, count: int) -> None:
    for index in range(count):
        session[f"attr{index}"] = VALUE


def _change(session: SessionMapping) -> None:
    session["tick"] = f"{next(_ticks) % 10**8:08d}"


def _starlette(*, sessions: bool) -> Starlette:
    async def fill(request: Request) -> PlainTextResponse:
        _fill(request.session, request.path_params["count"])
        return PlainTextResponse("ok")

    async def untouched(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(VALUE)

    async def read(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.session["attr0"])

    async def write(request: Request) -> PlainTextResponse:
        _change(request.session)
        return PlainTextResponse(VALUE)

    async def tick(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.session["tick"])

    async def add(request: Request) -> PlainTextResponse:
        request.session[request.path_params["name"]] = VALUE
        return PlainTextResponse("ok")

    async def names(request: Request) -> PlainTextResponse:
        return PlainTextResponse(" ".join(request.session.keys()))

    return Starlette(
        routes=[
            Route("/untouched", untouched),
            Route("/read", read if sessions else untouched),
            Route("/write", write if sessions else untouched),
            Route("/tick", tick if sessions else untouched),
            Route("/fill/{count:int}", fill if sessions else untouched),
            Route("/set/{name}", add if sessions else untouched),
            Route("/names", names if sessions else untouched),
        ]
    )


def _litestar(*, session_config: ServerSideSessionConfig | None, stores: dict[str, Any] | None) -> Litestar:
    @get("/untouched", sync_to_thread=False)
    def untouched() -> str:
        return VALUE

    @get("/fill/{count:int}", sync_to_thread=False)
    def fill(request: LitestarRequest[Any, Any, Any], count: int) -> str:
        _fill(request.session, count)
        return "ok"

    @get("/read", sync_to_thread=False)
    def read(request: LitestarRequest[Any, Any, Any]) -> str:
        return str(request.session["attr0"])

    @get("/write", sync_to_thread=False)
    def write(request: LitestarRequest[Any, Any, Any]) -> str:
        _change(request.session)
        return VALUE

    @get("/tick", sync_to_thread=False)
    def tick(request: LitestarRequest[Any, Any, Any]) -> str:
        return str(request.session["tick"])

    @get("/set/{name:str}", sync_to_thread=False)
    def add(request: LitestarRequest[Any, Any, Any], name: str) -> str:
        request.session[name] = VALUE
        return "ok"

    @get("/names", sync_to_thread=False)
    def names(request: LitestarRequest[Any, Any, Any]) -> str:
        return " ".join(request.session)

    @get(["/read", "/write"], sync_to_thread=False)
    def bare() -> str:
        return VALUE

    handlers = [untouched, bare] if session_config is None else [untouched, fill, read, write, tick, add, names]
    middleware = [] if session_config is None else [session_config.middleware]
    return Litestar(handlers, middleware=middleware, stores=stores, openapi_config=None)


def ours(store_url: str, **settings: Any) -> SessionMiddleware:
    """The application with wsgessions, with settings other than the defaults."""
    # One cookie for all schemes, as in production: the load comes over plain http, as behind a proxy with TLS.
    return SessionMiddleware(_starlette(sessions=True), store_url=store_url, cookie={"secure": True}, **settings)


def _ours_off_heap(store_url: str) -> SessionMiddleware:
    return ours(store_url, max_bytes_on_heap=0, max_bytes_off_heap="64M", namespace="off-heap")


def _signed_cookie(_store_url: str) -> App:
    return SignedCookieMiddleware(_starlette(sessions=True), secret_key="bench" * 8)


def _starsessions(store_url: str) -> App:
    store = StarsessionsStore(connection=Redis.from_url(store_url))
    inner = SessionAutoloadMiddleware(_starlette(sessions=True))
    return StarsessionsMiddleware(inner, store=store, lifetime=1800, cookie_https_only=False)


def _litestar_sessions(store_url: str) -> App:
    store = LitestarRedisStore(Redis.from_url(store_url), namespace="bench")
    return _litestar(session_config=ServerSideSessionConfig(), stores={"sessions": store})


@dataclass(frozen=True, slots=True)
class Subject:
    """One application to measure."""

    name: str
    make: Callable[[str], App]
    """Makes the application for the store at this URL."""
    bare: str
    """The name of the same framework's subject without sessions; its own name if it is that."""
    uses_store: bool = True
    own: bool = False
    """Whether it is ours."""


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject(BARE, lambda _: _starlette(sessions=False), BARE, uses_store=False),
        Subject("wsgessions", ours, BARE, own=True),
        Subject(OFF_HEAP, _ours_off_heap, BARE, own=True),
        Subject("Starlette signed cookie", _signed_cookie, BARE, uses_store=False),
        Subject("starsessions", _starsessions, BARE),
        Subject(
            "no sessions (Litestar)",
            lambda _: _litestar(session_config=None, stores=None),
            "no sessions (Litestar)",
            uses_store=False,
        ),
        Subject("Litestar", _litestar_sessions, "no sessions (Litestar)"),
    )
}
"""All subjects by name: wsgessions, each other library, and the bare applications of their frameworks."""


def peers() -> list[Subject]:
    """The other libraries."""
    return [subject for subject in SUBJECTS.values() if subject.name != subject.bare and not subject.own]
