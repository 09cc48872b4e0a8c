"""The stores that the adapter suite runs over: in memory, and on a real server."""

from __future__ import annotations

import os
from typing import Final

import pytest

from tests.valkey.raw_server import RawServer
from tests.valkey.shared_server import shared_server

__all__ = ["EveryStore", "WithoutNearCache", "shared_server"]


STORES: Final = os.environ.get("ADAPTER_STORES", "memory,valkey").split(",")
"""``./dev build`` is content with the real one."""


class EveryStore:
    """Gives `AdapterSuite` its stores, one after the other."""

    @pytest.fixture(params=STORES)
    def store_url(self, request: pytest.FixtureRequest, shared_server: RawServer) -> str:
        return "memory:" if request.param == "memory" else shared_server.url


class WithoutNearCache:
    """Goes before a suite of `EveryStore`: every read asks the real store."""

    @pytest.fixture
    def store_url(self, shared_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("WSGESSIONS_MAX_BYTES_ON_HEAP", "0")
        return shared_server.url
