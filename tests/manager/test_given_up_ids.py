"""Requests with an id that their browser has given up a moment ago, by a login or a logout in another tab (C-24)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.aging import Cluster, cluster
from tests.asgi_driver import Browser, answering, logout, rotate
from tests.stores.valkey.shared_server import shared_server
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.store.constants import REPLACED_MS

__all__ = ["cluster", "shared_server"]

ID = "__Host-sid"


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


def put(session: Session, value: str = "late") -> None:
    session["x"] = value


def login(session: Session, user: str = "ada") -> None:
    session.bind_user(user)


async def create(session: Session) -> None:
    put(session)
    await session.commit()


WRITES = {"a write": put, "a write that is awaited": create, "a login": partial(login, user="eve")}
GIVING_UP = {"login": login, "rotation": rotate, "logout": logout}


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
@pytest.mark.parametrize("giving_up", GIVING_UP.values(), ids=list(GIVING_UP))
async def test_a_late_request_neither_writes_nor_is_given_an_id_until_the_moment_is_over(
    cluster: Cluster, giving_up: Any, write: Any
) -> None:
    """C-24: afterwards the id is as unknown as any other, and a visitor with it can go on."""
    one, other = cluster.nodes()
    browser = Browser()
    await browser.request(on(one, put))
    late = browser.copy()
    assert (await browser.request(on(one, giving_up))).status == 200
    for manager in (one, other):
        read = await late.request(on(manager, dict))
        assert (read.status, read.data, read.set_cookies) == (200, {}, {})
        refused = await late.request(on(manager, write))
        assert (refused.status, refused.set_cookies) == (409, {})
        assert manager.statistics.late_ids == 1
    await cluster.pass_seconds(REPLACED_MS / 1000 + 1)
    served = await late.request(on(other, write))
    assert (served.status, ID in served.set_cookies) == (200, True)
    assert late.cookies[ID] != browser.cookies.get(ID)


@pytest.mark.parametrize("giving_up", GIVING_UP.values(), ids=list(GIVING_UP))
async def test_a_write_that_was_under_way_when_the_id_was_given_up_is_refused_and_gives_no_id(
    cluster: Cluster, giving_up: Any
) -> None:
    """C-24, S-62: it had its session, and lost it to the other tab before it was through."""
    one, other = cluster.nodes()
    browser = Browser()
    await browser.request(on(one, put))
    tab = browser.copy()

    async def overtaken(session: Session) -> None:
        assert session["x"] == "late"
        await tab.request(on(one, giving_up))
        put(session, "later")

    refused = await browser.request(on(other, overtaken))
    assert (refused.status, ID in refused.set_cookies) == (409, False)
    assert (await tab.request(on(one, dict))).data == ({} if giving_up is logout else {"x": "late"})


@pytest.mark.parametrize("known", [True, False], ids=["ended by the user elsewhere", "never known"])
async def test_an_id_that_its_browser_has_not_given_up_is_replaced_at_once(cluster: Cluster, known: bool) -> None:
    """S-03: a visitor who was logged out everywhere, or comes with what some other site has set, is let in."""
    one, other = cluster.nodes()
    browser = Browser(**{ID: "A" * 43})
    if known:
        await browser.request(on(one, login))
        assert await other.end_sessions_of("ada") == 1
    before = browser.cookies[ID]
    served = await browser.request(on(other, put))
    assert (served.status, ID in served.set_cookies) == (200, True)
    assert browser.cookies[ID] != before
