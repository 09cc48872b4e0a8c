"""From Starlette's signed cookies straight to the adapter and its own cookie."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.migration.moving import browser_of, moving, removed
from wsgessions.migration import TakeoverMiddleware
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.signed_cookies import SignedCookies

KEY = "a key that signed cookies so far"


async def count(request: Request) -> JSONResponse:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JSONResponse(request.session["visits"])


async def test_a_signed_cookie_is_taken_over_into_a_session_of_another_name() -> None:
    before = Starlette(routes=[Route("/", count)])
    before.add_middleware(SessionMiddleware, secret_key=KEY)
    async with browser_of(before) as browser:
        assert (await browser.get("/")).json() == 1
        cookies = browser.cookies
    after = Starlette(routes=[Route("/", count)])
    after.add_middleware(TakeoverMiddleware, **moving(SignedCookies("session", KEY, max_age=60)))
    StarletteAdapter(store_url="memory:").install(after)
    async with browser_of(after, cookies) as browser:
        response = await browser.get("/")
        assert (response.json(), removed(response)) == (2, ["session"])
        assert (await browser.get("/")).json() == 3
