"""From Flask-Session: written by the library itself, read through our middleware."""

from __future__ import annotations

import logging
import pickle
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import flask
import msgspec
import pytest
import redis.asyncio
from flask_session import Session as FlaskSessionExtension
from quart import Quart, session

from tests.migration.moving import browser_of, moving, old_client, removed
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions.errors import ConfigError
from wsgessions.migration import FlaskSessions, TakeoverMiddleware
from wsgessions_quart import QuartAdapter

__all__ = ["shared_server"]

KEY = "the application's secret key"
ID = "0123456789abcdef0123456789abcdef"
CONTENT: dict[str, Any] = {"user": "ann", "cart": {"lines": ["tea", 2, 1.5, None, True]}}


@pytest.fixture
async def client(shared_server: RawServer) -> AsyncIterator[redis.asyncio.Redis]:
    async with old_client(shared_server) as made:
        yield made


def written(server: RawServer, **config: Any) -> str:
    """A session of the library: the value of its cookie."""
    app = flask.Flask(__name__)
    app.secret_key = KEY
    with redis.Redis(unix_socket_path=server.path) as old:
        app.config.update(SESSION_TYPE="redis", SESSION_REDIS=old, **config)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the library's, of its own signer
            FlaskSessionExtension(app)  # type: ignore[no-untyped-call]

        @app.get("/put")
        def put() -> str:
            flask.session.update(CONTENT)
            flask.session["raw"] = b"\x00\xff"
            return "done"

        browser = app.test_client()
        assert browser.get("/put").status_code == 200
        cookie = browser.get_cookie("session")
    assert cookie is not None
    return str(cookie.value)


def after(server: RawServer, source: FlaskSessions, **options: Any) -> Quart:
    app = Quart(__name__)

    @app.get("/")
    async def show() -> Any:
        return repr(sorted(session.items()))

    app.asgi_app = TakeoverMiddleware(app.asgi_app, **moving(source, **options))  # type: ignore[method-assign, assignment]
    return QuartAdapter(store_url=server.url).install(app)


FORMATS = {"msgpack": b"\x00\xff", "json": "AP8="}  # each with what becomes of bytes


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("form", FORMATS)
async def test_a_session_moves_in_either_format(
    client: redis.asyncio.Redis, shared_server: RawServer, form: str, signed: bool
) -> None:
    """What JSON cannot say the library has changed already."""
    prefix = "session:" if signed else "shop."
    old = written(
        shared_server, SESSION_SERIALIZATION_FORMAT=form, SESSION_USE_SIGNER=signed, SESSION_KEY_PREFIX=prefix
    )
    assert len(await client.keys(f"{prefix}*")) == 1
    source = FlaskSessions(client, prefix=prefix, signed_with=KEY if signed else None)
    expected = repr(sorted({**CONTENT, "raw": FORMATS[form], "_permanent": True}.items()))
    async with browser_of(after(shared_server, source), {"session": old}) as browser:
        response = await browser.get("/")
        assert (response.text, removed(response)) == (expected, ["session"])
        assert {"__Host-sid", "__Host-sid-v"} <= set(browser.cookies)
        assert (await browser.get("/")).text == expected
    assert await client.keys(f"{prefix}*") == []


class Bomb:
    def __init__(self, path: Path) -> None:
        self._path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self._path, "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
async def test_a_pickle_is_refused_with_the_reason_and_never_read(
    client: redis.asyncio.Redis,
    shared_server: RawServer,
    tmp_path: Path,
    protocol: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """S-70."""
    await client.set(f"session:{ID}", pickle.dumps({"user": "ann", "bomb": Bomb(tmp_path / "open")}, protocol))
    with caplog.at_level(logging.WARNING, "wsgessions.takeover"):
        async with browser_of(after(shared_server, FlaskSessions(client)), {"session": ID}) as browser:
            response = await browser.get("/")
            assert (response.text, response.headers.get_list("set-cookie")) == ("[]", [])
    assert not (tmp_path / "open").exists()
    assert ("a pickle is never read" if protocol >= 2 else "neither MessagePack nor JSON") in caplog.text
    assert await client.exists(f"session:{ID}"), "it is still there for a library that may read it"


@pytest.mark.parametrize("raw", [b"{", b"\xc1", msgspec.msgpack.encode([1]), msgspec.msgpack.encode({1: 2})])
async def test_what_is_no_session_is_nothing(client: redis.asyncio.Redis, shared_server: RawServer, raw: bytes) -> None:
    await client.set(f"session:{ID}", raw)
    async with browser_of(after(shared_server, FlaskSessions(client)), {"session": ID}) as browser:
        assert (await browser.get("/")).text == "[]"


async def test_an_id_that_nobody_signed_is_none(client: redis.asyncio.Redis, shared_server: RawServer) -> None:
    old = written(shared_server, SESSION_USE_SIGNER=True)
    source = FlaskSessions(client, signed_with=KEY)
    for value in (old[:-2] + "xx", old.partition(".")[0]):
        async with browser_of(after(shared_server, source), {"session": value}) as browser:
            assert (await browser.get("/")).text == "[]"


async def test_a_client_that_makes_text_of_everything_is_named(shared_server: RawServer, caplog: Any) -> None:
    async with old_client(shared_server, decode_responses=True) as client:
        old = written(shared_server)
        async with browser_of(after(shared_server, FlaskSessions(client)), {"session": old}) as browser:
            assert (await browser.get("/")).status_code == 503


def test_without_itsdangerous_it_is_said_what_to_install(
    client: redis.asyncio.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "itsdangerous", None)
    monkeypatch.delitem(sys.modules, "wsgessions.migration.signed_ids", raising=False)
    with pytest.raises(ConfigError, match="pip install itsdangerous"):
        FlaskSessions(client, signed_with=KEY)
    FlaskSessions(client)
