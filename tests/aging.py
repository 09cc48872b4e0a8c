"""Two servers on one store, in memory or real, whose time can be let pass."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.nodes import Time, make_node
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, started, store_at
from wsgessions.manager import SessionManager
from wsgessions.stores.memory.store import MemoryStore

_namespaces = itertools.count()


@dataclass
class Cluster:
    """Two nodes, of which new ones can be had, on one store whose time can be let pass."""

    nodes: Callable[..., tuple[SessionManager, SessionManager]]
    pass_seconds: Callable[[float], Awaitable[None]]


@pytest.fixture(params=["memory", "valkey"])
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """Needs the fixture `shared_server`."""
    if request.param == "memory":
        time = Time()
        shared = MemoryStore(clock=time.clock())

        def memory_nodes(**settings: Any) -> tuple[SessionManager, SessionManager]:
            return make_node(shared, **settings).manager, make_node(shared, **settings).manager

        async def pass_seconds(seconds: float) -> None:
            time.pass_seconds(seconds)

        yield Cluster(memory_nodes, pass_seconds)
        return
    server: RawServer = request.getfixturevalue("shared_server")
    namespace = f"aging{next(_namespaces)}"
    opened: list[SessionManager] = []

    def nodes(**settings: Any) -> tuple[SessionManager, SessionManager]:
        both = tuple(SessionManager(store_url=server.url, namespace=namespace, **settings) for _ in range(2))
        opened.extend(both)
        return both[0], both[1]

    async with started(store_at(server.url, namespace=namespace)) as store:
        yield Cluster(nodes, lambda seconds: age(store, seconds))
    for manager in opened:
        await manager.close()
