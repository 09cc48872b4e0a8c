"""The adapter suite over Quart, and what is Quart's own."""

from __future__ import annotations

from typing import cast

from tests.adapters.every_store import EveryStore, shared_server
from tests.adapters.quart_app import make_app
from wsgessions import SessionManager
from wsgessions.asgi import ASGIApp
from wsgessions.testing.adapter_middleware import Layer
from wsgessions.testing.adapter_suite import AdapterSuite
from wsgessions_quart import QuartAdapter

__all__ = ["shared_server"]


class TestQuart(EveryStore, AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return cast("ASGIApp", QuartAdapter(manager=manager).install(make_app()))

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        app = make_app()
        app.asgi_app = layer(cast("ASGIApp", app.asgi_app))  # type: ignore[method-assign,assignment]
        return cast("ASGIApp", QuartAdapter(manager=manager).install(app))
