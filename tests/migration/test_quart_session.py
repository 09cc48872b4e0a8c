"""From Quart-Session: written by the library itself, read through our middleware."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import redis.asyncio
from markupsafe import Markup
from quart import Quart, flash, get_flashed_messages, session
from quart_session import Session as QuartSessionExtension

from tests.migration.moving import browser_of, moving, old_client, removed
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions.migration import QuartSessions, TakeoverMiddleware
from wsgessions_quart import QuartAdapter

__all__ = ["shared_server"]

pytestmark = pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning")  # by the library

KEY = "the application's secret key"
NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
CONTENT: dict[str, Any] = {
    "user": "ann",
    "pair": (1, "two"),
    "raw": b"\x00\xff",
    "uuid": UUID(int=7),
    "at": NOW,
    "cart": {"lines": [("tea", 2)], " t": {" t": [1]}},
    "tag": {" t": "not a tuple"},
    "escaped": {" t__": 1},
}


@pytest.fixture
async def client(shared_server: RawServer) -> AsyncIterator[redis.asyncio.Redis]:
    async with old_client(shared_server) as made:
        yield made


def app_with_routes() -> Quart:
    app = Quart(__name__)
    app.secret_key = KEY

    @app.get("/put")
    async def put() -> str:
        session.update(CONTENT, bio=Markup("<b>me</b>"))
        await flash("hello", "greeting")
        await flash(Markup("<b>bye</b>"))
        return "done"

    @app.get("/")
    async def show() -> str:
        return repr(sorted((name, value) for name, value in session.items() if name != "_flashes"))

    @app.get("/flashes")
    async def flashes() -> str:
        return repr(get_flashed_messages(with_categories=True))

    return app


def before(client: redis.asyncio.Redis, **config: Any) -> Quart:
    app = app_with_routes()
    app.config.update(SESSION_TYPE="redis", SESSION_REDIS=client, **config)
    QuartSessionExtension(app)
    return app


def after(server: RawServer, source: QuartSessions, **options: Any) -> Quart:
    app = app_with_routes()
    app.asgi_app = TakeoverMiddleware(app.asgi_app, **moving(source, **options))  # type: ignore[method-assign, assignment]
    return QuartAdapter(store_url=server.url).install(app)


async def written(client: redis.asyncio.Redis, *, signed: bool = False, **config: Any) -> str:
    """A session of the library with all kinds of values: the value of its cookie."""
    app = before(client, **config)
    async with browser_of(app) as browser:
        assert (await browser.get("/put")).status_code == 200
        cookie = str(browser.cookies["session"])
    if signed:  # by its signer; its own way fails with a Werkzeug of today
        interface: Any = app.session_interface
        cookie = interface._get_signer(app).sign(cookie).decode()
    return cookie


EXPECTED = repr(sorted({**CONTENT, "bio": "<b>me</b>", "_permanent": True}.items()))


@pytest.mark.parametrize("config", [{}, {"SESSION_KEY_PREFIX": "shop."}], ids=["prefix by default", "prefix"])
@pytest.mark.parametrize("signed", [False, True])
async def test_a_session_moves_with_values_of_every_type(
    client: redis.asyncio.Redis, shared_server: RawServer, config: dict[str, Any], signed: bool
) -> None:
    old = await written(client, signed=signed, **config)
    assert len(await client.keys("*")) == 1
    source = QuartSessions(
        client, prefix=config.get("SESSION_KEY_PREFIX", "session:"), signed_with=KEY if signed else None
    )
    async with browser_of(after(shared_server, source), {"session": old}) as browser:
        response = await browser.get("/")
        assert (response.text, removed(response)) == (EXPECTED, ["session"])
        assert {"__Host-sid", "__Host-sid-v"} <= set(browser.cookies)
        assert (await browser.get("/")).text == EXPECTED
    assert not await client.exists(source._prefix + old.partition(".")[0])


async def test_messages_that_were_not_shown_are_shown(client: redis.asyncio.Redis, shared_server: RawServer) -> None:
    old = await written(client)
    async with browser_of(after(shared_server, QuartSessions(client)), {"session": old}) as browser:
        assert (await browser.get("/flashes")).text == repr([("greeting", "hello"), ("message", Markup("<b>bye</b>"))])
        assert (await browser.get("/flashes")).text == "[]"


async def test_an_id_that_nobody_signed_is_none(client: redis.asyncio.Redis, shared_server: RawServer) -> None:
    old = await written(client, signed=True)
    source = QuartSessions(client, signed_with=KEY)
    for value in (old[:-2] + "xx", old.partition(".")[0], "no.signature"):
        async with browser_of(after(shared_server, source), {"session": value}) as browser:
            assert (await browser.get("/")).text == "[]"


@pytest.mark.parametrize(("address", "found"), [("127.0.0.1", True), ("192.0.2.7", False)])
async def test_protected_it_is_for_the_address_that_began_it(
    client: redis.asyncio.Redis, shared_server: RawServer, address: str, found: bool
) -> None:
    """``SESSION_PROTECTION``: a stolen cookie was good for nothing before, and is not now."""
    old = await written(client, SESSION_PROTECTION=True)
    app: Any = after(shared_server, QuartSessions(client, same_address=True))

    async def from_there(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "client": (address, 1)}, receive, send)

    async with browser_of(from_there, {"session": old}) as browser:
        assert ("'ann'" in (await browser.get("/")).text) is found
    await app.extensions["wsgessions"].close()


@pytest.mark.parametrize("raw", ["{", '["list"]', '{"a": {" u": 5}}', '{"a": {" d": "x"}}', '{"a": {" b": "A"}}'])
async def test_what_is_no_session_is_nothing_and_said(
    client: redis.asyncio.Redis, shared_server: RawServer, raw: str, caplog: pytest.LogCaptureFixture
) -> None:
    """S-70."""
    old = str(UUID(int=9))
    await client.set(f"session:{old}", raw)
    with caplog.at_level(logging.WARNING, "wsgessions.takeover"):
        async with browser_of(after(shared_server, QuartSessions(client)), {"session": old}) as browser:
            assert (await browser.get("/")).text == "[]"
