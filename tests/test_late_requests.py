"""What a browser was told to have failed is never done later: two servers, one of which the store hears too late."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering, logout, rotate
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import FarAndNear, far_and_near
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.testing.faults.proxies import Direction

__all__ = ["shared_server"]


@pytest.fixture
async def servers(shared_server: RawServer) -> AsyncIterator[FarAndNear]:
    async with far_and_near(shared_server, nonstop_timeout="400ms") as servers:
        yield servers


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


def writing(value: str) -> Any:
    return lambda session: session.update(x=value)


async def increment(session: Session) -> None:
    await session.increment("n")


def login(session: Session) -> None:
    session["x"] = "old"
    session.bind_user("ada")


def bind(session: Session, user: str | None) -> None:
    session.bind_user(user)


def unbind(session: Session) -> None:
    session.bind_user(None)


def forget(session: Session) -> None:
    session.clear()


def show(session: Session) -> list[Any]:
    return [session.copy(), session.principal]


CHANGES = {
    "a write": writing("old"),
    "a removal": forget,
    "an increment": increment,
    "a rotation": rotate,
    "a login": login,
    "a logout of the user": unbind,
    "a logout": logout,
}


@pytest.mark.parametrize("user", [None, "eve"])
@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
async def test_what_was_answered_503_undoes_nothing_that_was_acknowledged_afterwards(
    servers: FarAndNear, change: Any, user: str | None
) -> None:
    """C-20: the network heals after both answers, and the newer one is what every server shows."""
    browser = Browser()
    await browser.request(on(servers.near, partial(bind, user=user)))
    await browser.request(on(servers.near, writing("first")))
    assert (await servers.give_up(browser.copy(), change, Direction.TO_SERVER)).status == 503
    assert (await browser.request(on(servers.near, writing("new")))).status == 200
    await servers.release()
    for _ in range(2):
        assert await servers.see(browser, show) == [[{"x": "new"}, user]] * 2
    assert await servers.near.sessions_of("ada") == []


async def test_a_session_that_could_not_be_created_is_never_made(servers: FarAndNear) -> None:
    """C-20: neither is a login, of whose browser no session would be known."""
    await Browser().request(on(servers.near, login))  # the server knows the scripts
    [known] = await servers.near.sessions_of("ada")
    for change in (writing("old"), login):
        browser = Browser()
        response = await servers.give_up(browser, change, Direction.TO_SERVER)
        assert (response.status, browser.cookies) == (503, {})
        await servers.release()
        assert await servers.see(browser) == [{}, {}]
    assert [each.ref for each in await servers.near.sessions_of("ada")] == [known.ref]
    assert await servers.near.store.count() == 1  # type: ignore[attr-defined]  # a real store can


async def test_what_was_done_before_its_deadline_without_an_answer_is_overwritten_by_what_comes_after(
    servers: FarAndNear,
) -> None:
    """C-20: a 503 leaves open whether it was done, and says that it will not be done from then on."""
    browser = Browser()
    await browser.request(on(servers.near, writing("first")))
    assert (await servers.give_up(browser.copy(), writing("old"), Direction.TO_CLIENT)).status == 503
    assert servers.far.statistics.unknown_outcomes == 1
    [seen] = {(await browser.request(on(servers.near, dict))).data["x"]}
    assert seen in {"first", "old"}
    assert (await browser.request(on(servers.near, writing("new")))).status == 200
    servers.proxy.heal()
    assert await servers.see(browser) == [{"x": "new"}] * 2
