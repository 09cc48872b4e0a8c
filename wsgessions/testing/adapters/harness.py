"""The base of the cases of `AdapterSuite`: servers that share a store, and browsers."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar, Final

import pytest

from ...manager import SessionManager
from ...manager.store_factory import open_store
from ...settings import SessionSettings
from ...web import ASGIApp, Receive, Scope, Send
from .actions import pauses, raised, retained
from .client import Browser
from .middleware import Layer
from .watched_store import WatchedStore

__all__ = ["AdapterHarness", "Node", "Nodes", "cookies_set"]

_PATIENCE: Final = "20s"
"""The default `nonstop_timeout` of the cases: a machine that is busy with tests must not look like a store failure."""


class Node:
    """One server: a manager of its own, and the framework's application with sessions installed."""

    def __init__(self, manager: SessionManager, store: WatchedStore, app: ASGIApp) -> None:
        self.manager = manager
        self.store = store
        self.errors: list[Exception] = []
        """Errors that the application passed on to the server."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application, as the server calls it."""
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            self.errors.append(error)
            raise

    def browser(self) -> Browser:
        """A new browser, without cookies."""
        return Browser(self, self.manager.settings.cookie.name)


Nodes = Callable[..., Node]


class AdapterHarness(ABC):
    """Provides the servers of the cases."""

    gone_status: ClassVar[int] = 409
    """The status of the response to a request that changed its session after the session had ended elsewhere. A
    framework with a response of its own has another one."""

    @abstractmethod
    def get_app(self, manager: SessionManager) -> ASGIApp:
        """The framework's test application, with sessions of this manager installed by the adapter.

        It has these routes; ``{action}`` is for `wsgessions.testing.adapters.suite.perform`; its result is answered as
        JSON:

        * ``/do/{action}``, of methods GET, HEAD, POST, OPTIONS;
        * ``/sync/{action}``: by a handler that is not a coroutine;
        * ``/session``: the session itself, given to the framework to be answered as JSON;
        * ``/untouched``: never reads the session;
        * ``/answer/{status}/{action}``: answers with that status;
        * ``/abort/{status}/{action}``: raises the framework's exception for that status;
        * ``/cached/{action}``: with ``Cache-Control: public, max-age=60`` and ``Vary: Accept``;
        * ``/raise/{action}``: performs, then raises RuntimeError("the handler failed");
        * ``/stream/{action}``: sends a part of the body, performs, sends the rest;
        * ``/break/{action}``: performs, sends a part of the body, raises RuntimeError("the handler failed");
        * ``/background/{action}``: answers, then performs in the framework's background task;
        * WebSocket ``/ws/{action}``: performs, accepts, and answers each text, an action, with JSON; the text ``close``
          closes with code 4001, ``raise`` raises RuntimeError("the handler failed");
        * WebSocket ``/deny/{action}``: performs and refuses the handshake.
        """

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp | None:
        """The same application, with an ASGI middleware between it and the sessions, as the framework adds one (R-51).

        Args:
            manager: as for `get_app`.
            layer: puts the middleware around an application.

        Returns:
            The application; None where the framework takes no such middleware, which leaves those cases out.
        """
        return None

    @pytest.fixture
    def store_url(self) -> str:
        """The URL of the store; override it to run the suite on another store."""
        return "memory:"

    @pytest.fixture
    async def nodes(self, store_url: str) -> AsyncIterator[Nodes]:
        """Makes servers that share their sessions, by settings; those of one test all share."""
        managers: list[SessionManager] = []
        namespace = f"t{secrets.token_hex(4)}"

        def make(*, inside: Layer | None = None, **overrides: Any) -> Node:
            given: dict[str, Any] = {"nonstop_timeout": _PATIENCE, **overrides}
            settings = SessionSettings(store_url=store_url, namespace=namespace, **given)
            # The memory of one process is one store; any other is opened by each server for itself.
            shared = managers and store_url.startswith("memory:")
            store = WatchedStore(managers[0].store.below if shared else open_store(settings))  # type: ignore[attr-defined]
            managers.append(SessionManager(settings, store=store))
            app = self.get_app(managers[-1]) if inside is None else self.get_app_around(managers[-1], inside)
            if app is None:
                pytest.skip("this framework takes no middleware of ASGI")
            return Node(managers[-1], store, app)

        yield make
        for manager in managers:
            manager.store.stopped = False  # type: ignore[attr-defined]  # a WatchedStore
            await manager.close()
        pauses.clear()
        retained.clear()
        raised.clear()

    @pytest.fixture
    def node(self, nodes: Nodes) -> Node:
        """One server with the default settings, except for a longer store timeout."""
        return nodes()

    @pytest.fixture
    def browser(self, node: Node) -> Browser:
        """A browser at that server, without cookies."""
        return node.browser()


def cookies_set(response: Any) -> dict[str, str]:
    """The cookies that a response sets: their names, with the rest of the header."""
    return dict(value.split("=", 1) for value in response.headers.get_list("set-cookie"))
