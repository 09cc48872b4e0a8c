"""Two servers with all that belongs to them, on a store in memory and on a real one."""

from __future__ import annotations

import asyncio
import inspect
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from tests.asgi_driver import PATIENCE, Browser, Response, answering
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import ServedFrom, Session
from wsgessions.store.capabilities import SecretKeeping, find_capability
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import Direction, FaultProxy

Managers = tuple[SessionManager, SessionManager]
AskUser = Callable[[], Awaitable[str | None]]

_namespaces = itertools.count()


def manager_at(url: str, namespace: str | None = None, **settings: Any) -> SessionManager:
    """A manager of its own link, in a namespace of its own unless one is given.

    It reports uses of sessions seldom, and waits for the store for as long as a busy machine may need.
    """
    namespace = namespace or f"two{next(_namespaces)}"
    usual = {"touch_interval": "5m", "nonstop_timeout": "20s"}
    return SessionManager(store_url=url, namespace=namespace, **{**usual, **settings})


def valkey_of(manager: SessionManager) -> ValkeyStore:
    """What is behind the layers of the store of a manager on Valkey."""
    store = find_capability(manager.store._store, SecretKeeping)  # type: ignore[attr-defined]  # of the `LoopBoundStore`
    assert isinstance(store, ValkeyStore)
    return store


@pytest.fixture(params=["memory", "valkey"])
async def managers(request: pytest.FixtureRequest) -> AsyncIterator[Managers]:
    """Those on Valkey have near caches, and hear of each other soon. Needs the fixture `shared_server`."""
    if request.param == "memory":
        shared = MemoryStore()
        yield SessionManager(store_url="memory:", store=shared), SessionManager(store_url="memory:", store=shared)
        return
    server: RawServer = request.getfixturevalue("shared_server")
    one = manager_at(server.url, heartbeat="100ms")
    other = manager_at(server.url, one.settings.namespace, heartbeat="100ms")
    await one.start()
    await other.start()
    yield one, other
    await one.close()
    await other.close()


class FarAndNear(NamedTuple):
    """Two servers, of which one has its store behind a proxy."""

    proxy: FaultProxy
    far: SessionManager
    """It waits for the store no longer than it was told."""
    near: SessionManager

    async def give_up(self, browser: Browser, change: Any, *held: Direction) -> Response:
        """A request at the far server that has its session when the bytes begin to be held, and changes it then."""
        reached = False

        async def handler(session: Session) -> None:
            nonlocal reached
            len(session)  # fails if the machine is so busy that even this takes too long; then once more
            self.proxy.hold(*held)
            reached = True
            result = change(session)
            if inspect.isawaitable(result):
                await result

        async with asyncio.timeout(PATIENCE):
            while True:
                response = await browser.request(SessionMiddleware(answering(handler), manager=self.far))
                if reached:
                    return response

    async def release(self) -> None:
        """Let what was held arrive, and wait until something has arrived at the store: a heartbeat at the least."""
        arrived = self.proxy.counts.bytes_to_server
        self.proxy.heal()
        await until(lambda: self.proxy.counts.bytes_to_server > arrived)

    async def see(self, browser: Browser, handler: Any = dict) -> list[Any]:
        """What the two make of one browser's session: the far one, as soon as its link is well again, then the near."""
        async with asyncio.timeout(PATIENCE):
            while (far := await browser.request(SessionMiddleware(answering(handler), manager=self.far))).status == 503:
                pass
        near = await browser.request(SessionMiddleware(answering(handler), manager=self.near))
        return [far.data, near.data]


@asynccontextmanager
async def far_and_near(server: RawServer, *, nonstop_timeout: str, **settings: Any) -> AsyncIterator[FarAndNear]:
    """The far server waits for the store for ``nonstop_timeout``; both have the other settings."""
    async with FaultProxy(server.path) as proxy:
        near = manager_at(server.url, **settings)
        there = {**settings, "nonstop_timeout": nonstop_timeout}
        far = manager_at(f"valkey://{proxy.host}:{proxy.port}", near.settings.namespace, **there)
        try:
            await near.start()
            await far.start(deadline=time.monotonic() + PATIENCE)
            yield FarAndNear(proxy, far, near)
        finally:
            proxy.heal()
            await near.close()
            await far.close()


@asynccontextmanager
async def heard_late(server: RawServer, late: float = 0.25) -> AsyncIterator[tuple[SessionManager, str, AskUser]]:
    """A manager, the ref of a session of Ada's, and whom another one takes its browser for, answering from memory.

    That one hears all that the store says, pushes included, so many seconds late.
    """
    async with FaultProxy(server.path) as proxy:
        one = manager_at(server.url, heartbeat="100ms")
        other = manager_at(f"valkey://{proxy.host}:{proxy.port}", one.settings.namespace, heartbeat="100ms")
        browser = Browser()

        async def ask(handler: Any) -> Any:
            return (await browser.copy().request(SessionMiddleware(answering(handler), manager=other))).data

        try:
            await one.start()
            await other.start()
            await browser.request(SessionMiddleware(answering(_ada), manager=one))
            while await ask(lambda session: session.served_from.value) != ServedFrom.NEAR_CACHE.value:
                pass
            proxy.delay(late, Direction.TO_CLIENT)
            yield one, await ask(lambda session: session.ref), lambda: ask(lambda session: session.principal)
        finally:
            proxy.heal()
            await one.close()
            await other.close()


def _ada(session: Session) -> None:
    session.bind_user("ada")
