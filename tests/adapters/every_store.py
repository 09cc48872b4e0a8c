"""The stores that the adapter suite runs over: in memory, and on a real server."""

from __future__ import annotations

import pytest

from tests.valkey.raw_server import RawServer
from tests.valkey.shared_server import shared_server

__all__ = ["EveryStore", "shared_server"]


class EveryStore:
    """Gives `AdapterSuite` its stores, one after the other."""

    @pytest.fixture(params=["memory", "valkey"])
    def store_url(self, request: pytest.FixtureRequest, shared_server: RawServer) -> str:
        return "memory:" if request.param == "memory" else shared_server.url
