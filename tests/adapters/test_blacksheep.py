"""The adapter suite over BlackSheep, by the bare middleware."""

from __future__ import annotations

from tests.adapters.any_framework import AnyFrameworkSuite
from tests.adapters.blacksheep_app import make_app
from tests.adapters.every_store import shared_server
from wsgessions import SessionManager
from wsgessions.web import AnyASGIApp

__all__ = ["shared_server"]


class TestBlackSheep(AnyFrameworkSuite):
    def make_app(self, manager: SessionManager) -> AnyASGIApp:
        return make_app(manager)
