"""The adapter suite over Django."""

from __future__ import annotations

from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.django_app import make_app, telling
from tests.adapters.every_store import EveryStore, WithoutNearCache, shared_server
from wsgessions import SessionManager
from wsgessions.testing.adapters.middleware import Layer
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.web import ASGIApp
from wsgessions_django import DjangoAdapter

__all__ = ["shared_server"]


class TestDjango(EveryStore, DiagnosisCases, AdapterSuite):
    gone_status = 400  # Django's SessionInterrupted

    def get_app(self, manager: SessionManager) -> ASGIApp:
        return telling(DjangoAdapter(manager=manager).install(make_app()))

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        return telling(DjangoAdapter(manager=manager).install(layer(make_app())))


class TestDjangoWithoutNearCache(WithoutNearCache, TestDjango):
    """Every read asks the store."""
