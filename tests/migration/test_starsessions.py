"""From starsessions: written by the library itself, read through our middleware."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis.asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starsessions import CookieStore, SessionAutoloadMiddleware
from starsessions import SessionMiddleware as StarsessionsMiddleware
from starsessions.stores.redis import RedisStore

from tests.migration.moving import browser_of, moving, old_client
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions.migration import LegacySessions, Starsessions, TakeoverMiddleware
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.signed_cookies import StarsessionsCookies

__all__ = ["shared_server"]

KEY = "a key that signed cookies so far"


@pytest.fixture
async def client(shared_server: RawServer) -> AsyncIterator[redis.asyncio.Redis]:
    async with old_client(shared_server) as made:
        yield made


async def put(request: Request) -> JSONResponse:
    request.session.update(user="ann", cart={"tea": 2, "pot": [1.5, None, True]})
    return JSONResponse(dict(request.session))


async def show(request: Request) -> JSONResponse:
    return JSONResponse(dict(request.session))


async def leave(request: Request) -> JSONResponse:
    request.session.clear()
    return JSONResponse(dict(request.session))


ROUTES = [Route("/put", put), Route("/", show), Route("/leave", leave)]


def before(store: Any, **options: Any) -> Starlette:
    app = Starlette(routes=ROUTES)
    app.add_middleware(SessionAutoloadMiddleware)
    app.add_middleware(StarsessionsMiddleware, store=store, **options)
    return app


def after(server: RawServer, source: LegacySessions, **options: Any) -> Starlette:
    app = Starlette(routes=ROUTES)
    app.add_middleware(TakeoverMiddleware, **moving(source, **options))
    return StarletteAdapter(store_url=server.url).install(app)


CONTENT = {"user": "ann", "cart": {"tea": 2, "pot": [1.5, None, True]}}


@pytest.mark.parametrize("lifetime", [0, 3600])
@pytest.mark.parametrize("prefix", ["starsessions.", "shop:"])
async def test_a_session_in_redis_moves(
    client: redis.asyncio.Redis, shared_server: RawServer, prefix: str, lifetime: int
) -> None:
    async with browser_of(before(RedisStore(connection=client, prefix=prefix), lifetime=lifetime)) as browser:
        assert (await browser.get("/put")).json() == CONTENT
        cookies = browser.cookies
    old = cookies["session"]
    assert await client.exists(prefix + old)
    async with browser_of(after(shared_server, Starsessions(client, prefix=prefix)), cookies) as browser:
        assert (await browser.get("/")).json() == CONTENT
        assert set(browser.cookies) == {"__Host-sid", "__Host-sid-v"}
        assert (await browser.get("/")).json() == CONTENT
    assert not await client.exists(prefix + old)


async def test_a_client_that_answers_with_text_will_do(shared_server: RawServer) -> None:
    async with old_client(shared_server, decode_responses=True) as client:
        await client.set("starsessions." + "ab" * 16, json.dumps(CONTENT))
        app = after(shared_server, Starsessions(client))
        async with browser_of(app, {"session": "ab" * 16}) as browser:
            assert (await browser.get("/")).json() == CONTENT


async def test_kept_the_old_application_goes_on_with_it(client: redis.asyncio.Redis, shared_server: RawServer) -> None:
    """The way back."""
    old_app = before(RedisStore(connection=client), lifetime=3600)
    async with browser_of(old_app) as browser:
        await browser.get("/put")
        cookies = browser.cookies
    async with browser_of(after(shared_server, Starsessions(client), keep=True), cookies) as browser:
        assert (await browser.get("/")).json() == CONTENT
        cookies = browser.cookies
    async with browser_of(old_app, cookies) as browser:
        assert (await browser.get("/")).json() == CONTENT


async def test_what_has_expired_or_ended_there_stays_so(client: redis.asyncio.Redis, shared_server: RawServer) -> None:
    for end in ("expired", "left"):
        async with browser_of(before(RedisStore(connection=client), lifetime=3600)) as browser:
            await browser.get("/put")
            cookies = dict(browser.cookies)
            if end == "left":
                await browser.get("/leave")
            else:
                await client.pexpireat("starsessions." + cookies["session"], 1)
        async with browser_of(after(shared_server, Starsessions(client)), cookies) as browser:
            response = await browser.get("/")
            assert (response.json(), response.headers.get_list("set-cookie")) == ({}, [])


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b"[1]", b'"text"', b"\x80\x04."])
async def test_what_is_no_session_is_nothing_and_said(
    client: redis.asyncio.Redis, shared_server: RawServer, raw: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """S-70, S-71."""
    await client.set("starsessions." + "ab" * 16, raw)
    with caplog.at_level(logging.WARNING, "wsgessions.takeover"):
        async with browser_of(after(shared_server, Starsessions(client)), {"session": "ab" * 16}) as browser:
            assert (await browser.get("/")).json() == {}


async def test_without_redis_the_answer_is_a_503(shared_server: RawServer) -> None:
    """F-00a."""
    async with redis.asyncio.Redis(unix_socket_path="/nowhere") as client:
        app = after(shared_server, Starsessions(client))
        async with browser_of(app, {"session": "ab" * 16}) as browser:
            response = await browser.get("/")
            assert (response.status_code, response.headers.get_list("set-cookie")) == (503, [])


@pytest.mark.parametrize("lifetime", [0, 3600])
async def test_a_session_in_a_signed_cookie_moves(shared_server: RawServer, lifetime: int) -> None:
    async with browser_of(before(CookieStore(KEY), lifetime=lifetime)) as browser:
        await browser.get("/put")
        cookies = browser.cookies
    old = cookies["session"]
    app = after(shared_server, StarsessionsCookies(KEY, lifetime=lifetime))
    async with browser_of(app, cookies) as browser:
        assert (await browser.get("/")).json() == CONTENT
        assert set(browser.cookies) == {"__Host-sid", "__Host-sid-v"}
        await browser.get("/leave")
        (await browser.get("/"))
    for key, cookie in ((KEY, old[:-2] + "xx"), ("another key, as long as the other", old)):
        app = after(shared_server, StarsessionsCookies(key, lifetime=lifetime), secret=KEY)
        async with browser_of(app, {"session": cookie}) as browser:
            assert (await browser.get("/")).json() == {}
