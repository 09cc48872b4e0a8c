"""The adapter suite over frameworks that have no adapter: the bare middleware is enough."""

from __future__ import annotations

import asyncio
from abc import abstractmethod

from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.every_store import OnValkey
from wsgessions import SessionManager, SessionMiddleware
from wsgessions.testing.adapters.client import Browser
from wsgessions.testing.adapters.harness import Nodes
from wsgessions.testing.adapters.middleware import Layer
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.web import AnyASGIApp, ASGIApp
from wsgessions.web.inner_middleware import InnerSessionMiddleware

__all__ = ["AnyFrameworkSuite"]


class AnyFrameworkSuite(OnValkey, DiagnosisCases, AdapterSuite):
    """What holds for any ASGI application."""

    @abstractmethod
    def make_app(self, manager: SessionManager) -> AnyASGIApp:
        """The framework's test application. The manager is for its background work alone."""

    def get_app(self, manager: SessionManager) -> ASGIApp:
        return SessionMiddleware(self.make_app(manager), manager=manager)

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        return SessionMiddleware(layer(InnerSessionMiddleware(self.make_app(manager))), manager=manager)

    async def test_a_background_task_may_change_a_session_that_the_client_knows(
        self, browser: Browser, nodes: Nodes
    ) -> None:
        """R-39: these frameworks run it beside the request, so it opens the session by its id, and nobody waits."""
        await browser.do("set-color")
        await browser.get("/background/set-size")
        async with asyncio.timeout(30):
            while await browser.at(nodes()).do("names") != ["color", "size"]:  # noqa: ASYNC110 - a condition at a server
                await asyncio.sleep(0.01)
