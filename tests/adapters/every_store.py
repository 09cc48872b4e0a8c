"""The stores that the adapter suite runs over.

Not each framework runs over each store. The middleware stands between the two: what it does with each store is tested
without a framework, and what a framework can notice of a store is whether a call waits. Over Valkey both occur in every
case: the first read of a session waits, and the near cache answers the next one at once. So frameworks run over Valkey,
and over all stores run the bare middleware, and Django, which reaches the store on ways of its own too, from threads.
"""

from __future__ import annotations

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server

__all__ = ["EveryStore", "OnValkey", "WithoutNearCache", "shared_server"]


class EveryStore:
    """Gives `AdapterSuite` its stores, one after the other."""

    @pytest.fixture(params=["memory", "valkey"])
    def store_url(self, request: pytest.FixtureRequest, shared_server: RawServer) -> str:
        return "memory:" if request.param == "memory" else shared_server.url


class OnValkey:
    """Gives `AdapterSuite` a real store, with the near cache in front."""

    @pytest.fixture
    def store_url(self, shared_server: RawServer) -> str:
        return shared_server.url


class WithoutNearCache:
    """Goes before a suite of `EveryStore`: every read asks the real store."""

    @pytest.fixture
    def store_url(self, shared_server: RawServer, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setenv("WSGESSIONS_MAX_BYTES_ON_HEAP", "0")
        return shared_server.url
