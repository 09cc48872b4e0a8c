"""The stores that the adapter suite runs over: in memory, and on a real server."""

from __future__ import annotations

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server

__all__ = ["EveryStore", "WithoutNearCache", "shared_server"]


class EveryStore:
    """Gives `AdapterSuite` its stores, one after the other."""

    @pytest.fixture(params=["memory", "valkey"])
    def store_url(self, request: pytest.FixtureRequest, shared_server: RawServer) -> str:
        return "memory:" if request.param == "memory" else shared_server.url


class WithoutNearCache:
    """Goes before a suite of `EveryStore`: every read asks the real store."""

    @pytest.fixture
    def store_url(self, shared_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("WSGESSIONS_MAX_BYTES_ON_HEAP", "0")
        return shared_server.url
