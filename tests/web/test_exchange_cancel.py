"""A request that is cancelled, at every await of load and commit: all or nothing, and nothing is left behind (R-36)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering, http_scope, logout, rotate
from tests.cancellation import By, cancel_everywhere
from tests.nodes import make_node
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.store.capabilities import Countable
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.faults.proxies import FaultProxy

__all__ = ["shared_server"]

OLD: dict[str, Any] = {"a": 1, "b": [1], "gone": True}
NEW: dict[str, Any] = {"a": 2, "b": [1, 2], "new": True}


def change(session: Session) -> None:
    session["a"] = 2
    session["b"].append(2)
    session["new"] = True
    del session["gone"]


async def change_and_commit(session: Session) -> None:
    change(session)
    await session.commit()


async def count(session: Session) -> None:
    await session.increment("a")


async def swap(session: Session) -> None:
    await session.update("a", lambda a: a + 1)


class Gates:
    """A store in memory that suspends its caller before and after each call."""

    def __init__(self) -> None:
        node = make_node(MemoryStore())
        node.store.before = node.store.after = self._suspend
        self.manager = node.manager

    async def _suspend(self, name: str) -> None:
        await asyncio.sleep(0)


@pytest.fixture(params=["memory", "valkey"])
async def manager(request: pytest.FixtureRequest) -> AsyncIterator[SessionManager]:
    """A manager whose store takes its time: in memory by gates, on a real server by a proxy that delays."""
    if request.param == "memory":
        yield Gates().manager
        return
    server: RawServer = request.getfixturevalue("shared_server")
    async with FaultProxy(server.path) as proxy:
        namespace = f"c{secrets.token_hex(4)}"
        # Without a lease each request asks the server, so that there is a load to be cancelled.
        manager = SessionManager(store_url=f"valkey://{proxy.host}:{proxy.port}", namespace=namespace, lease="0s")
        await manager.start()
        proxy.delay(0.001)
        yield manager
        assert proxy.counts.connections == 1, "a cancelled request broke the link"
        await manager.close()


@pytest.fixture(params=By, ids=lambda by: by.value)
def by(request: pytest.FixtureRequest) -> By:
    cancelled_by: By = request.param
    return cancelled_by


def on(manager: SessionManager, handler: Callable[[Session], Any]) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


async def known_to(manager: SessionManager) -> Browser:
    browser = Browser()
    await browser.request(on(manager, lambda session: session.update({**OLD, "b": [1]})))
    return browser


async def stored(manager: SessionManager, browser: Browser) -> Any:
    return (await browser.copy().request(on(manager, dict))).data


async def live_sessions(manager: SessionManager) -> int:
    assert isinstance(manager.store, Countable)
    return await manager.store.count()


async def requested(manager: SessionManager, browser: Browser, handler: Callable[[Session], Any]) -> None:
    """One request whose response, cookies included, is lost on the way."""
    app, messages = on(manager, handler), []

    async def send(message: Any) -> None:
        await asyncio.sleep(0)
        messages.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await app(http_scope(headers=browser.header), receive, send)


async def cancelling(
    manager: SessionManager, by: By, handler: Callable[[Session], Any], check: Callable[[Browser], Awaitable[None]]
) -> int:
    """Cancel a request everywhere, with a new session for each run."""
    browsers: list[Browser] = [await known_to(manager)]

    async def check_and_renew() -> None:
        await check(browsers[-1])
        browsers.append(await known_to(manager))

    return await cancel_everywhere(lambda: requested(manager, browsers[-1], handler), check_and_renew, by)


@pytest.mark.parametrize("handler", [change, change_and_commit])
async def test_a_change_is_stored_whole_or_not_at_all(
    manager: SessionManager, by: By, handler: Callable[[Session], Any]
) -> None:
    states: list[Any] = []

    async def check(browser: Browser) -> None:
        states.append(await stored(manager, browser))
        assert states[-1] in (OLD, NEW)

    cancelled = await cancelling(manager, by, handler, check)
    assert cancelled >= 4
    assert states[0] == OLD
    assert states[-1] == NEW


@pytest.mark.parametrize("handler", [count, swap])
async def test_a_count_happens_once_or_not_at_all(
    manager: SessionManager, by: By, handler: Callable[[Session], Any]
) -> None:
    async def check(browser: Browser) -> None:
        assert await stored(manager, browser) in (OLD, {**OLD, "a": 2})

    assert await cancelling(manager, by, handler, check) >= 4


async def test_a_logout_ends_the_session_or_leaves_it_whole(manager: SessionManager, by: By) -> None:
    async def check(browser: Browser) -> None:
        assert await stored(manager, browser) in (OLD, {})

    assert await cancelling(manager, by, logout, check) >= 4


async def test_a_rotation_leaves_exactly_one_session(manager: SessionManager, by: By) -> None:
    """K-12: under the old id or the new one, whole in either case."""
    sessions = 0

    def change_and_rotate(session: Session) -> None:
        change(session)
        rotate(session)

    async def check(browser: Browser) -> None:
        nonlocal sessions
        sessions += 1
        assert await stored(manager, browser) in (OLD, {})
        assert await live_sessions(manager) == sessions

    assert await cancelling(manager, by, change_and_rotate, check) >= 4


async def test_a_creation_leaves_at_most_one_record(manager: SessionManager, by: By) -> None:
    before = 0

    async def create() -> None:
        await requested(manager, Browser(), lambda session: session.update(a=1))

    async def check() -> None:
        nonlocal before
        now = await live_sessions(manager)
        assert now - before in {0, 1}
        before = now

    assert await cancel_everywhere(create, check, by) >= 3


async def test_a_read_leaves_nothing_behind(manager: SessionManager, by: By) -> None:
    async def check(browser: Browser) -> None:
        assert await stored(manager, browser) == OLD

    assert await cancelling(manager, by, dict, check) >= 2


async def test_the_first_request_of_all_may_be_cancelled_while_the_store_is_started(
    by: By, shared_server: RawServer
) -> None:
    """R-44: the next one starts it."""
    managers: list[SessionManager] = []

    async def first() -> None:
        managers.append(SessionManager(store_url=shared_server.url, namespace=f"f{secrets.token_hex(4)}"))
        await requested(managers[-1], Browser(), lambda session: session.update(a=1))

    async def check() -> None:
        browser = await known_to(managers[-1])
        assert await stored(managers[-1], browser) == OLD
        await managers[-1].close()

    assert await cancel_everywhere(first, check, by) >= 3


async def test_cancellation_comes_out_as_it_is(manager: SessionManager) -> None:
    """R-36: never turned into an answer, nor into another error."""
    browser = await known_to(manager)
    arrived = asyncio.Event()

    async def handler(session: Session) -> None:
        session["a"] = 2
        arrived.set()
        await asyncio.Event().wait()

    request = asyncio.ensure_future(requested(manager, browser, handler))
    await arrived.wait()
    request.cancel("mine")
    with pytest.raises(asyncio.CancelledError, match="mine"):
        await request
    assert await stored(manager, browser) == OLD


async def test_a_timeout_of_the_application_is_its_own_affair(manager: SessionManager) -> None:
    """R-36: work that was given up inside of a handler leaves its session usable."""
    browser = await known_to(manager)

    async def handler(session: Session) -> None:
        session["a"] = 2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await session.commit()
        session["a"] = 3

    await browser.request(on(manager, handler))
    assert await stored(manager, browser) == {**OLD, "a": 3}
