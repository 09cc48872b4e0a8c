"""Two servers with all that belongs to them, on a store in memory and on a real one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering
from tests.valkey.raw_server import RawServer
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import ServedFrom, Session
from wsgessions.stores.base import SecretKeeping, find_power
from wsgessions.stores.memory import MemoryStore
from wsgessions.testing.faults import Direction, FaultProxy
from wsgessions.valkey.store import ValkeyStore

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
    store = find_power(manager.store._store, SecretKeeping)  # type: ignore[attr-defined]  # of the `HomedStore`
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
