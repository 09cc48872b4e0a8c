"""With `invalidate_barrier`, a logout is answered when no server can serve the session any more (C-13, C-15, C-26)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.caching_node import beating_on
from tests.stores.valkey.links import PATIENCE, soon
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import manager_at, valkey_of
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import ServedFrom, Session
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import Direction, FaultProxy

__all__ = ["shared_server"]

SHORT: dict[str, Any] = {"heartbeat": "100ms", "lease": "500ms", "invalidate_barrier": True}


class DeafNode(NamedTuple):
    """A server that hears nothing any more; its heartbeats still arrive."""

    other: SessionManager
    """The server beside it, with a link that works."""
    browser: Browser
    """With a session of Ada's, which the deaf server has a copy of."""
    proxy: FaultProxy
    store: ValkeyStore
    """The deaf server's."""

    async def is_heard_again(self) -> None:
        """Wait for a heartbeat of the deaf server, over the link that it cannot hear on."""
        began_ms = (await self._listed()).now_ms
        async with asyncio.timeout(PATIENCE):
            while max(member.beat_ms for member in (await self._listed()).members if self._is(member)) < began_ms:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def _is(self, member: Any) -> bool:
        assert self.store.heartbeat is not None
        return bool(member.node == self.store.heartbeat.node)

    async def _listed(self) -> Any:
        return await valkey_of(self.other).members.list(hint=False, deadline=soon())


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


@asynccontextmanager
async def with_a_deaf_node(server: RawServer) -> AsyncIterator[DeafNode]:
    async with FaultProxy(server.path) as proxy:
        other = manager_at(server.url, **SHORT)
        deaf = manager_at(f"valkey://{proxy.host}:{proxy.port}", other.settings.namespace, **SHORT)
        browser = Browser()
        try:
            await other.start()
            await deaf.start()
            store = valkey_of(deaf)
            store.link._stall_limit = 2 * PATIENCE  # it never gives its link up
            await browser.request(on(other, lambda session: session.bind_user("ada")))
            await served_from_memory(deaf, browser)
            proxy.drop(Direction.TO_CLIENT)
            async with beating_on(store):
                yield DeafNode(other, browser, proxy, store)
        finally:
            proxy.heal()
            proxy.end_connections()
            await deaf.close()
            await other.close()


async def served_from_memory(manager: SessionManager, browser: Browser) -> None:
    """Ask until it is."""
    where = on(manager, lambda session: session.served_from.value)
    async with asyncio.timeout(PATIENCE):
        while (await browser.copy().request(where)).data != ServedFrom.NEAR_CACHE.value:
            pass


@pytest.mark.parametrize("way", ["invalidate()", "end_sessions_of()"])
async def test_a_logout_does_not_wait_for_as_long_as_a_deaf_server_can_be_heard(
    shared_server: RawServer, way: str
) -> None:
    """C-26: it waits for the lease which that one had when the session ended, and is no 503."""
    async with with_a_deaf_node(shared_server) as deaf:
        connections = deaf.proxy.counts.connections

        async def log_out(session: Session) -> int:
            if way == "invalidate()":
                await session.invalidate()
                return 1
            return await deaf.other.end_sessions_of("ada")

        response = await deaf.browser.copy().request(on(deaf.other, log_out))
        assert (response.status, response.data) == (200, 1)
        assert deaf.store.link.connected
        assert deaf.proxy.counts.connections == connections
        await deaf.is_heard_again()
        assert (await deaf.browser.copy().request(on(deaf.other, lambda session: session.principal))).data is None
