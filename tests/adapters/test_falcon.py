"""The adapter suite over Falcon, by the bare middleware."""

from __future__ import annotations

from tests.adapters.any_framework import AnyFrameworkSuite
from tests.adapters.every_store import shared_server
from tests.adapters.falcon_app import make_app
from wsgessions import SessionManager
from wsgessions.web import AnyASGIApp

__all__ = ["shared_server"]


class TestFalcon(AnyFrameworkSuite):
    def make_app(self, manager: SessionManager) -> AnyASGIApp:
        return make_app(manager)
