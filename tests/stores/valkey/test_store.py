"""The store in Valkey keeps the contract of all stores, on a real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from wsgessions.store.contract import Store
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.suite import CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite, StoreSuite

__all__ = ["shared_server"]


class TestValkeyStore(StoreSuite, CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite):
    @pytest.fixture(autouse=True)
    def _on_the_shared_server(self, shared_server: RawServer) -> None:
        self.url = shared_server.url

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ValkeyStore]:
        async with started(store_at(self.url)) as store:
            yield store

    async def advance(self, store: Store, seconds: float) -> None:
        assert isinstance(store, ValkeyStore)
        await age(store, seconds)
