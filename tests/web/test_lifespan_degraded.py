"""An application that starts before its store does (R-45), with a real server that comes late."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.asgi_driver import Browser, Call, answering
from tests.stores.valkey.raw_server import RawServer
from wsgessions.errors import StoreUnavailable
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.web import ASGIApp, Receive, Scope, Send


@pytest.fixture
def server() -> Iterator[RawServer]:
    """One that is not started yet."""
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        made = RawServer(Path(directory))
        yield made
        made.kill()


def application(manager: SessionManager) -> ASGIApp:
    count = answering(lambda session: session.update(n=session.get("n", 0) + 1))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await count(scope, receive, send)
            return
        while (stage := (await receive())["type"]) != "lifespan.shutdown":
            await send({"type": f"{stage}.complete"})
        await send({"type": "lifespan.shutdown.complete"})

    return SessionMiddleware(app, manager=manager)


async def test_an_application_starts_before_its_store_and_serves_when_that_comes(
    server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    manager = SessionManager(store_url=server.url, start_degraded=True, nonstop_timeout="300ms")
    app, browser = application(manager), Browser()
    async with Call(app, {"type": "lifespan"}) as life:
        life.give("lifespan.startup")
        await life.take("lifespan.startup.complete")
        assert "started_degraded" in [line.__dict__.get("event") for line in caplog.records]
        for _ in range(3):
            response = await browser.request(app)
            assert (response.status, response.header("retry-after"), response.set_cookies) == (503, ["1"], {})
        server.start()
        while (response := await browser.request(app)).status == 503:
            assert response.header("retry-after") == ["1"]  # each try waits for the link; pytest's limit bounds them
        for _ in range(3):
            assert (await browser.request(app)).status == 200
        life.give("lifespan.shutdown")
        await life.take("lifespan.shutdown.complete")
    with pytest.raises(StoreUnavailable):
        await manager.store.touch([])


async def test_with_a_given_secret_it_is_the_same(server: RawServer) -> None:
    """Then the first thing that the store is asked for is a session, not the key of watermarks."""
    manager = SessionManager(
        store_url=server.url, start_degraded=True, nonstop_timeout="300ms", secrets=[secrets.token_urlsafe(32)]
    )
    app, browser = application(manager), Browser()
    async with Call(app, {"type": "lifespan"}) as life:
        life.give("lifespan.startup")
        await life.take("lifespan.startup.complete")
        assert (await browser.request(app)).status == 503
        server.start()
        while (await browser.request(app)).status == 503:
            pass  # as above
        assert (await browser.request(app)).status == 200
        life.give("lifespan.shutdown")
        await life.take("lifespan.shutdown.complete")
