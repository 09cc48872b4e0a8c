"""Ids of another length than the default (S-01)."""

from __future__ import annotations

import pytest

from tests.asgi_driver import Browser, answering, rotate
from tests.nodes import make_node
from wsgessions.credentials.identity import new_session_id
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.settings import CookieSettings
from wsgessions.stores.memory.store import MemoryStore


def remember(session: Session) -> int:
    session["visits"] = session.get("visits", 0) + 1
    return int(session["visits"])


@pytest.mark.parametrize("length", [24, 64, 86])
async def test_a_session_lives_under_ids_of_the_configured_length(length: int) -> None:
    """Creating, reading, rotating: every id has this length."""
    manager = make_node(MemoryStore(), id_length=length).manager
    browser = Browser()
    assert (await browser.request(SessionMiddleware(answering(remember), manager=manager))).data == 1
    first = browser.cookies["__Host-sid"]
    await browser.request(SessionMiddleware(answering(rotate), manager=manager))
    second = browser.cookies["__Host-sid"]
    assert (await browser.request(SessionMiddleware(answering(remember), manager=manager))).data == 2
    assert first != second
    assert len(first) == len(second) == length
    async with manager.open(second) as session:
        assert session == {"visits": 2}


async def test_an_id_of_another_length_is_no_id() -> None:
    """S-04: not even one of the default length, and the store is not asked."""
    node = make_node(MemoryStore(), id_length=64)
    app = SessionMiddleware(answering(dict), manager=node.manager)
    assert (await Browser(**{"__Host-sid": new_session_id()}).request(app)).data == {}
    assert node.store.calls == []
    assert node.manager.statistics.malformed_ids == 1


async def test_the_longest_id_under_the_longest_name_stays_within_the_limit() -> None:
    """S-26: name and value under 200 bytes."""
    manager = make_node(MemoryStore(), id_length=86, cookie=CookieSettings(name="n" * 100)).manager
    browser = Browser()
    await browser.request(SessionMiddleware(answering(remember), manager=manager))
    assert all(len(f"{name}={value}") < 200 for name, value in browser.cookies.items())
