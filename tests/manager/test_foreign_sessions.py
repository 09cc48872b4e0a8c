"""Applications with the same cookie on one host are found by the sessions that they cannot know."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.asgi_driver import Browser
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import manager_at, valkey_of
from wsgessions import SessionMiddleware
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.manager import SessionManager, foreign_sessions
from wsgessions.record import SessionKey
from wsgessions.web import Receive, Scope, Send

__all__ = ["shared_server"]


@pytest.fixture(autouse=True)
def unthrottled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign_sessions, "_log", LogThrottle(logging.getLogger("wsgessions.suspicion")))


async def act(scope: Scope, receive: Receive, send: Send) -> None:
    session = scope["session"]
    if scope["path"] == "/logout":
        session.invalidate()
    else:
        session["visits"] = session.get("visits", 0) + 1
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def applications(*managers: SessionManager) -> AsyncIterator[list[SessionMiddleware]]:
    try:
        for manager in managers:
            await manager.start()
        yield [SessionMiddleware(act, manager=manager) for manager in managers]
    finally:
        for manager in managers:
            await manager.close()


def two_at(url: str, *contexts: str, **settings: Any) -> list[SessionManager]:
    first = manager_at(url, context_path=contexts[0], **settings)
    others = [manager_at(url, first.settings.namespace, context_path=each, **settings) for each in contexts[1:]]
    return [first, *others]


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if getattr(each, "event", "") == "foreign_session"]


async def test_two_applications_with_one_cookie_are_told(
    shared_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    managers = two_at(shared_server.url, "/shop", "/blog", cookie={"name": "__Host-sid"})
    async with applications(*managers) as (shop, blog):
        browser = Browser()
        for number in range(5):
            assert len(told(caplog)) == (number > 2)
            for app in (shop, blog):
                await browser.request(app)
    (line,) = told(caplog)
    assert "in the cookie __Host-sid that the application /blog has never had" in line
    assert "cookie.name" in line


async def test_applications_with_a_cookie_each_are_fine(
    shared_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with applications(*two_at(shared_server.url, "/shop", "/blog")) as (shop, blog):
        browser = Browser()
        for _ in range(5):
            for app in (shop, blog):
                await browser.request(app)
    assert not told(caplog)


async def test_a_session_that_was_ended_elsewhere_is_not_foreign(
    shared_server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Another tab, another server or an operator has ended it: a tombstone tells."""
    async with applications(*two_at(shared_server.url, "/", "/")) as (one, other):
        for _ in range(5):
            browser = Browser()
            await browser.request(one)
            await browser.copy().request(other, "/logout")
            await browser.request(one)
    assert not told(caplog)


async def test_a_store_with_another_history_knows_nothing_of_the_time_before(shared_server: RawServer) -> None:
    """One that was emptied, or that a failover has promoted."""
    (manager,) = two_at(shared_server.url, "/")
    async with applications(manager):
        store = valkey_of(manager)
        key = SessionKey(1, b"k" * 16)
        origin_us = store.members.origin * 1000
        assert not await store.never_had(key, since_us=origin_us)
        assert await store.never_had(key, since_us=origin_us + 1000)


async def test_a_store_that_drops_data_knows_nothing_for_sure(shared_server: RawServer) -> None:
    (manager,) = two_at(shared_server.url, "/", allow_eviction=True, concurrency=64)
    async with applications(manager):
        store = valkey_of(manager)
        assert not await store.never_had(SessionKey(1, b"k" * 16), since_us=store.members.origin * 1000 + 1000)


async def test_an_old_watermark_asks_the_store_nothing(
    shared_server: RawServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its session may have expired, without a trace."""
    monkeypatch.setattr(foreign_sessions, "_RECENT_US", -1_000_000)
    managers = two_at(shared_server.url, "/shop", "/blog", cookie={"name": "__Host-sid"})
    async with applications(*managers) as (shop, blog):
        browser = Browser()
        for _ in range(5):
            for app in (shop, blog):
                await browser.request(app)
    assert not told(caplog)
