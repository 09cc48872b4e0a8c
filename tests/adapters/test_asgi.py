"""The adapter suite over the bare middleware."""

from __future__ import annotations

from tests.adapters.bare_app import app
from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.every_store import EveryStore, WithoutNearCache, shared_server
from wsgessions import SessionManager, SessionMiddleware
from wsgessions.testing.adapters.middleware import Layer
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.web import ASGIApp
from wsgessions.web.inner_middleware import InnerSessionMiddleware

__all__ = ["shared_server"]


class TestBareMiddleware(EveryStore, DiagnosisCases, AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return SessionMiddleware(app, manager=manager)

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        return SessionMiddleware(layer(InnerSessionMiddleware(app)), manager=manager)


class TestBareMiddlewareWithoutNearCache(WithoutNearCache, TestBareMiddleware):
    """Every read asks the store."""
