"""Several servers of one application in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Unpack

from ..asgi import ASGIApp, Receive, Scope, Send
from ..manager import SessionManager
from ..settings import SettingOverrides
from .app_life import AppLife
from .store_of_test import StoreOfTest

__all__ = ["Cluster", "Clusters"]

MakeApp = Callable[[SessionManager], ASGIApp]
"""Makes an application with sessions of the given manager installed."""


class Cluster:
    """Servers that share nothing but the store. Itself an application: a load balancer that gives each its turn.

    Attributes:
        managers: one for each server.
        servers: the applications, in the same order; none if the cluster has managers only.
    """

    def __init__(self, managers: list[SessionManager], servers: list[ASGIApp]) -> None:
        self.managers = managers
        self.servers = servers
        self._turns: Iterator[ASGIApp] = cycle(servers)

    @property
    def manager(self) -> SessionManager:
        """The first server's."""
        return self.managers[0]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the next server answer; the lifespan is that of all."""
        if not self.servers:
            raise TypeError("a cluster without applications answers no request: give wsgessions_cluster a make_app")
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await next(self._turns)(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with AsyncExitStack() as stack:
            for life in map(AppLife, self.servers):
                await life.enter()
                stack.push_async_callback(life.leave)
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class Clusters:
    """The fixture `wsgessions_cluster`.

    Args:
        store: the store of the servers.
    """

    def __init__(self, store: StoreOfTest) -> None:
        self._store = store

    def __call__(self, n: int, make_app: MakeApp | None = None, **settings: Unpack[SettingOverrides]) -> Cluster:
        """Servers of one application, each with a manager and links of its own.

        Args:
            n: how many.
            make_app: makes the application of one server; None for managers only.
            settings: by name.

        Raises:
            ConfigError: a setting is wrong.
        """
        managers = [self._store.manager(**settings) for _ in range(n)]
        return Cluster(managers, [] if make_app is None else [make_app(manager) for manager in managers])
