"""The middleware stands where each framework puts middleware, inside its adapter's sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from tests.takeover.kept import KeptSessions
from tests.takeover.moving import browser_of, moving, removed
from wsgessions import SessionMiddleware
from wsgessions.takeover import OldSessions, TakeoverMiddleware
from wsgessions_fastapi import FastAPIAdapter, SessionDep
from wsgessions_litestar import LitestarAdapter
from wsgessions_quart import QuartAdapter
from wsgessions_starlette import StarletteAdapter

OLD = "0123456789abcdef0123456789abcdef"


def bare(source: OldSessions) -> Any:
    inner = TakeoverMiddleware(answering(dict), **moving(source))
    return SessionMiddleware(inner, store_url="memory:")


def starlette(source: OldSessions) -> Any:
    async def show(request: StarletteRequest) -> JSONResponse:
        return JSONResponse(request.session)

    app = StarletteAdapter(store_url="memory:").install(Starlette(routes=[Route("/", show)]))
    app.add_middleware(TakeoverMiddleware, **moving(source))
    return app


def fastapi(source: OldSessions) -> Any:
    app = FastAPI()
    app.add_middleware(TakeoverMiddleware, **moving(source))

    @app.get("/")
    async def show(session: SessionDep) -> dict[str, Any]:
        return session

    return FastAPIAdapter(store_url="memory:").install(app)


def quart(source: OldSessions) -> Any:
    app: Any = Quart(__name__)

    @app.get("/")  # type: ignore[untyped-decorator]  # of an app that is Any, for its `asgi_app`
    async def show() -> Any:
        return dict(session)

    app.asgi_app = TakeoverMiddleware(app.asgi_app, **moving(source))
    return QuartAdapter(store_url="memory:").install(app)


def litestar(source: OldSessions) -> Any:
    @get("/")
    async def show(request: Request[Any, Any, Any]) -> dict[str, Any]:
        return request.session

    return Litestar(
        [show],
        plugins=[LitestarAdapter(store_url="memory:")],
        middleware=[DefineMiddleware(TakeoverMiddleware, **moving(source))],  # type: ignore[arg-type]  # of its own ASGI
        openapi_config=None,
        logging_config=None,
    )


@pytest.mark.parametrize("make", [bare, starlette, fastapi, quart, litestar])
async def test_an_old_session_is_taken_over(make: Callable[[OldSessions], Any]) -> None:
    source = KeptSessions(**{OLD: {"user": "ann"}})
    async with browser_of(make(source), {"session": OLD}) as browser:
        response = await browser.get("/")
        assert (response.json(), removed(response)) == ({"user": "ann"}, ["session"])
        assert source.sessions == {}
        assert (await browser.get("/")).json() == {"user": "ann"}
    assert source.reads == [OLD]
