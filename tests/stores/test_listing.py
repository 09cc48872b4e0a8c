"""Stores that name their live sessions."""

from __future__ import annotations

import secrets

import pytest

from tests.valkey.raw_server import RawServer
from tests.valkey.shared_server import shared_server
from wsgessions import SessionManager
from wsgessions.stores.base import Listing, find_power

__all__ = ["shared_server"]


@pytest.fixture(params=["memory", "valkey"])
def store_url(request: pytest.FixtureRequest, shared_server: RawServer) -> str:
    return "memory:" if request.param == "memory" else shared_server.url


async def fill(manager: SessionManager, count: int) -> None:
    for number in range(count):
        async with manager.open() as session:
            session["number"] = number


async def test_each_live_session_is_named_once_up_to_the_limit(store_url: str) -> None:
    manager = SessionManager(store_url=store_url, namespace=f"t{secrets.token_hex(4)}")
    listing = find_power(manager.store, Listing)
    assert listing is not None
    await manager.start()
    assert await listing.some_keys(10) == []
    await fill(manager, 7)
    assert len(set(await listing.some_keys(10))) == 7
    assert len(set(await listing.some_keys(5))) == 5
    await manager.close()


async def test_what_is_named_can_be_ended_and_is_named_no_more(store_url: str) -> None:
    manager = SessionManager(store_url=store_url, namespace=f"t{secrets.token_hex(4)}")
    listing = find_power(manager.store, Listing)
    assert listing is not None
    await fill(manager, 7)
    ended = 0
    while keys := await listing.some_keys(3):
        for key in keys:
            ended += await manager.store.delete(key)
    assert ended == 7
    await manager.close()


async def test_sessions_of_another_application_are_not_named(store_url: str) -> None:
    namespace = f"t{secrets.token_hex(4)}"
    here = SessionManager(store_url=store_url, namespace=namespace)
    there = SessionManager(store_url=store_url, namespace=namespace, context_path="/other")
    listing = find_power(there.store, Listing)
    assert listing is not None
    await fill(here, 2)
    await there.start()
    assert await listing.some_keys(10) == []
    await here.close()
    await there.close()
