"""The middleware stands where each framework puts middleware, inside its adapter's sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from litestar import Litestar, Request, get
from litestar.middleware import DefineMiddleware
from quart import Quart, session
from starlette.applications import Starlette
from starlette.requests import Request as StarletteRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.asgi_driver import answering
from tests.migration.kept import KeptSessions
from tests.migration.moving import HTTPS, browser_of, moving, removed
from wsgessions import SessionMiddleware
from wsgessions.migration import LegacySessions, TakeoverMiddleware
from wsgessions.testing.fixtures.session_access import find_manager
from wsgessions.web import Receive, Scope, Send
from wsgessions_fastapi import FastAPIAdapter, SessionDep
from wsgessions_litestar import LitestarAdapter
from wsgessions_quart import QuartAdapter
from wsgessions_starlette import StarletteAdapter

OLD = "0123456789abcdef0123456789abcdef"


def bare(source: LegacySessions) -> Any:
    show, login = answering(dict), answering(lambda session: session.update(user="bob"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (login if scope["path"] == "/login" else show)(scope, receive, send)

    inner = TakeoverMiddleware(app, **moving(source))
    return SessionMiddleware(inner, store_url="memory:")


def starlette(source: LegacySessions) -> Any:
    async def show(request: StarletteRequest) -> JSONResponse:
        return JSONResponse(request.session)

    async def login(request: StarletteRequest) -> JSONResponse:
        request.session["user"] = "bob"
        return JSONResponse(None)

    routes = [Route("/", show), Route("/login", login)]
    app = StarletteAdapter(store_url="memory:").install(Starlette(routes=routes))
    app.add_middleware(TakeoverMiddleware, **moving(source))
    return app


def fastapi(source: LegacySessions) -> Any:
    app = FastAPI()
    app.add_middleware(TakeoverMiddleware, **moving(source))

    @app.get("/")
    async def show(session: SessionDep) -> dict[str, Any]:
        return session

    @app.get("/login")
    async def login(session: SessionDep) -> None:
        session["user"] = "bob"

    return FastAPIAdapter(store_url="memory:").install(app)


def quart(source: LegacySessions) -> Any:
    app: Any = Quart(__name__)

    @app.get("/")  # type: ignore[untyped-decorator]  # of an app that is Any, for its `asgi_app`
    async def show() -> Any:
        return dict(session)

    @app.get("/login")  # type: ignore[untyped-decorator]
    async def login() -> Any:
        session["user"] = "bob"
        return "done"

    app.asgi_app = TakeoverMiddleware(app.asgi_app, **moving(source))
    return QuartAdapter(store_url="memory:").install(app)


def litestar(source: LegacySessions) -> Any:
    @get("/")
    async def show(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return request.session

    @get("/login")
    async def login(request: Request[Any, Any, Any]) -> None:
        request.session["user"] = "bob"

    return Litestar(
        [show, login],
        plugins=[LitestarAdapter(store_url="memory:")],
        middleware=[DefineMiddleware(TakeoverMiddleware, **moving(source))],  # type: ignore[arg-type]  # of its own ASGI
        openapi_config=None,
        logging_config=None,
    )


applications = pytest.mark.parametrize("make", [bare, starlette, fastapi, quart, litestar])


@applications
async def test_an_old_session_is_taken_over(make: Callable[[LegacySessions], Any]) -> None:
    source = KeptSessions(**{OLD: {"user": "ann"}})
    async with browser_of(make(source), {"session": OLD}) as browser:
        response = await browser.get("/")
        assert (response.json(), removed(response)) == ({"user": "ann"}, ["session"])
        assert source.sessions == {}
        assert (await browser.get("/")).json() == {"user": "ann"}
    assert source.reads == [OLD]


@applications
@pytest.mark.parametrize("login", ["by the old cookie", "by the new id"])
async def test_a_login_by_an_attribute_leaves_nothing_to_the_old_cookie(
    make: Callable[[LegacySessions], Any], login: str
) -> None:
    """S-06, S-75: whoever was told the id that was made of it. No other id than the new one ever leads to the login."""
    app, planted = make(KeptSessions(**{OLD: {"cart": ["tea"]}})), {"session": OLD}
    async with browser_of(app, planted) as intruder, browser_like(intruder, planted) as victim:
        assert (await intruder.get("/")).json() == {"cart": ["tea"]}
        if login == "by the old cookie":
            response = await victim.get("/")
            assert (response.json(), removed(response), set(victim.cookies)) == (
                {"cart": ["tea"]},
                [],
                {"session", "__Host-sid-v"},
            )
        else:
            victim.cookies = httpx2.Cookies(intruder.cookies)
        statistics = find_manager(app).statistics
        before = statistics.commits
        assert (await victim.get("/login")).status_code < 300
        assert victim.cookies["__Host-sid"] != intruder.cookies["__Host-sid"]
        assert (statistics.commits - before, statistics.rotated) == (1, 1)
        for cookies in (intruder.cookies, planted):
            async with browser_like(intruder, cookies) as thief:
                response = await thief.get("/")
                assert (response.json(), response.headers.get_list("set-cookie")) == ({}, [])
        assert (await victim.get("/")).json() == {"cart": ["tea"], "user": "bob"}


def browser_like(other: httpx2.AsyncClient, cookies: Any) -> httpx2.AsyncClient:
    """Another browser at the same application."""
    return httpx2.AsyncClient(transport=other._transport, base_url=HTTPS, cookies=cookies)
