"""Two servers with all that belongs to them, on a store in memory and on a real one."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.valkey.raw_server import RawServer
from wsgessions.manager import SessionManager
from wsgessions.stores.memory import MemoryStore

Managers = tuple[SessionManager, SessionManager]

_namespaces = itertools.count()


def manager_at(url: str, namespace: str | None = None, **settings: Any) -> SessionManager:
    """A manager of its own link, in a namespace of its own unless one is given. It reports uses of sessions seldom."""
    namespace = namespace or f"two{next(_namespaces)}"
    return SessionManager(store_url=url, namespace=namespace, **{"touch_interval": "5m", **settings})


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
