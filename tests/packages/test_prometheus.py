"""What prometheus-fastapi-instrumentator counts: the response that the client gets, wherever it was made."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI
from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator

from wsgessions import SessionManager
from wsgessions.testing.fixtures.store_of_test import StoreOfTest
from wsgessions_fastapi import FastAPIAdapter, SessionDep


class Shop:
    """A shop that is measured; by default each status is one of a class, such as "4xx"."""

    def __init__(self, manager: SessionManager) -> None:
        self.registry = CollectorRegistry()
        self.app = FastAPI()
        self.app.get("/buy")(self.buy)
        self.app.get("/logged-out-meanwhile")(self.logged_out_meanwhile)
        Instrumentator(should_group_status_codes=False, registry=self.registry).instrument(self.app)
        FastAPIAdapter(manager=manager).install(self.app)
        self.manager = manager

    async def buy(self, session: SessionDep) -> None:
        session["cart"] = ["tea"]

    async def logged_out_meanwhile(self, session: SessionDep) -> None:
        """As if in another tab."""
        session["cart"] = []
        async with self.manager.open(session.id) as other:
            other.invalidate()

    def counted(self, handler: str) -> dict[str, float]:
        """How many responses of a handler were counted, by their status."""
        return {
            sample.labels["status"]: sample.value
            for metric in self.registry.collect()
            for sample in metric.samples
            if sample.name == "http_requests_total" and sample.labels["handler"] == handler
        }


def test_a_409_in_place_of_the_response_is_counted_as_that(wsgessions_store: StoreOfTest) -> None:
    shop = Shop(wsgessions_store.manager())
    with TestClient(shop.app, base_url="https://testserver") as client:
        assert client.get("/buy").status_code == 200
        assert client.get("/logged-out-meanwhile").status_code == 409
    assert shop.counted("/buy") == {"200": 1}
    assert shop.counted("/logged-out-meanwhile") == {"409": 1}


def test_a_503_in_place_of_the_response_is_counted_as_that() -> None:
    shop = Shop(SessionManager(store_url="valkey://127.0.0.1:1", nonstop_timeout="300ms"))
    client = TestClient(shop.app, base_url="https://testserver")
    assert client.get("/buy").status_code == 503
    assert shop.counted("/buy") == {"503": 1}
    asyncio.run(shop.manager.close())
