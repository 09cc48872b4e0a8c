"""Ids that are renewed from time to time: on two nodes, as browsers see it (S-07, K-12)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.aging import Cluster, cluster
from tests.asgi_driver import Browser, Call, Response, answering, logout, rotate, untouched, websocket_scope
from tests.nodes import Time, make_node
from tests.spy_store import SpyStore
from tests.stores.valkey.shared_server import shared_server
from wsgessions.errors import StoreUnavailable
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import Receive, Scope, Send

__all__ = ["cluster", "shared_server"]

MINUTE = 60
GRACE = 10
PARALLEL = 20
ID = "__Host-sid"


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


async def of_age(cluster: Cluster, **attributes: Any) -> Browser:
    """A browser whose id is due for renewal."""
    browser = Browser()
    await browser.request(on(cluster.nodes()[0], lambda session: session.update(attributes)))
    await cluster.pass_seconds(MINUTE + 1)
    return browser


async def at_once(
    browser: Browser, managers: tuple[SessionManager, SessionManager], use: Callable[[Session, int], object]
) -> list[tuple[Browser, Response]]:
    """Many requests of one browser, of which each has loaded the session before any is answered."""
    ready = asyncio.Barrier(PARALLEL)

    async def request(number: int) -> tuple[Browser, Response]:
        async def handler(session: Session) -> None:
            len(session)
            await ready.wait()
            use(session, number)

        tab = browser.copy()
        return tab, await tab.request(on(managers[number % 2], handler))

    return await asyncio.gather(*map(request, range(PARALLEL)))


def change(session: Session, number: int) -> None:
    session["n"] = number


async def stored(manager: SessionManager, browser: Browser) -> Any:
    return (await browser.copy().request(on(manager, dict))).data


@pytest.mark.parametrize("writes", [True, False], ids=["writing", "reading"])
async def test_parallel_requests_with_the_old_id_get_one_new_id_and_none_is_logged_out(
    cluster: Cluster, writes: bool
) -> None:
    """S-07, K-12: the one new id serves on, the old one until the grace is over that begins with its first use."""
    browser = await of_age(cluster, user="ada")
    managers = cluster.nodes(renew_interval="1m")

    def use(session: Session, number: int) -> None:
        assert session["user"] == "ada"
        if writes:
            session[f"a{number}"] = number

    tabs = await at_once(browser, managers, use)
    assert [response.status for _, response in tabs] == [200] * PARALLEL
    renewed = [tab for tab, response in tabs if ID in response.set_cookies]
    assert len(renewed) == 1
    expected = {"user": "ada", **({f"a{number}": number for number in range(PARALLEL)} if writes else {})}
    for manager in managers:
        late = await browser.copy().request(on(manager, dict))
        assert (late.data, ID in late.set_cookies) == (expected, False)
        assert await stored(manager, renewed[0]) == expected
    for manager in managers:
        await manager.close()  # which tells the store that the new id was presented, unless it has been told
        await manager.start()
    await cluster.pass_seconds(GRACE + 1)
    for manager in cluster.nodes(renew_interval="1m"):
        assert await stored(manager, browser) == {}
        assert await stored(manager, renewed[0]) == expected
    assert sum(manager.statistics.rotated for manager in managers) == 1
    assert await managers[0].store.count() == 1  # type: ignore[attr-defined]  # both kinds can


async def test_two_ids_of_one_session_are_no_conflict(cluster: Cluster) -> None:
    """S-07, S-29: an old one, in a cookie with other attributes, and the one that it was renewed by."""
    browser = await of_age(cluster, user="ada")
    one, other = cluster.nodes(renew_interval="1m")
    old = browser.cookies[ID]
    assert ID in (await browser.request(on(one, dict))).set_cookies
    for pair in ((old, browser.cookies[ID]), (browser.cookies[ID], old)):
        both = [(b"cookie", f"{ID}={each}".encode()) for each in pair]
        response = await Browser().request(on(other, dict), headers=both)
        assert (response.data, ID in response.set_cookies) == ({"user": "ada"}, False)


async def test_what_the_old_id_changes_during_the_grace_is_kept(cluster: Cluster) -> None:
    """S-07: also the watermark of such a response is right for who holds the new id."""
    browser = await of_age(cluster, n=1)
    one, other = cluster.nodes(renew_interval="1m")
    tab = browser.copy()
    await tab.request(on(one, dict))
    assert tab.cookies[ID] != browser.cookies[ID]
    late = await browser.copy().request(on(other, lambda session: session.update(n=2)))
    assert set(late.set_cookies) == {f"{ID}-v"}
    tab.take(late)
    assert await stored(one, tab) == {"n": 2}


async def test_a_renewed_id_is_renewed_again_when_its_time_comes(cluster: Cluster) -> None:
    browser = await of_age(cluster, n=1)
    ids = {browser.cookies[ID]}
    for renewals in range(1, 3):
        one, other = cluster.nodes(renew_interval="1m")
        for manager in (one, other, one):
            await browser.request(on(manager, dict))
            ids.add(browser.cookies[ID])
        assert len(ids) == 1 + renewals
        await cluster.pass_seconds(MINUTE + 1)


async def test_a_client_that_was_not_reached_by_its_new_id_keeps_its_session(cluster: Cluster) -> None:
    """C-23: the response that told it was lost, and the old id goes on for as long as it is used."""
    browser = await of_age(cluster, n=1)
    manager, other = cluster.nodes(renew_interval="1m", max_inactive_interval="10m")
    await browser.copy().request(on(manager, dict))
    assert manager.statistics.rotated == 1
    for number in range(2, 5):
        await cluster.pass_seconds(GRACE + 60)
        response = await browser.request(on(other, partial(change, number=number)))
        assert (response.status, ID in response.set_cookies) == (200, False)
        assert await stored(manager, browser) == {"n": number}


async def test_ids_are_not_renewed_unless_that_is_set(cluster: Cluster) -> None:
    browser = await of_age(cluster, n=1)
    response = await browser.request(on(cluster.nodes()[0], lambda session: session.update(n=2)))
    assert ID not in response.set_cookies


async def test_a_young_id_is_not_renewed(cluster: Cluster) -> None:
    browser = await of_age(cluster, n=1)
    response = await browser.request(on(cluster.nodes(renew_interval="5m")[0], dict))
    assert ID not in response.set_cookies


async def test_who_does_not_look_at_the_session_keeps_the_id(cluster: Cluster) -> None:
    browser = await of_age(cluster, n=1)
    manager = cluster.nodes(renew_interval="1m")[0]
    response = await browser.request(SessionMiddleware(untouched, manager=manager))
    assert response.set_cookies == {}


@pytest.mark.parametrize("knows", [True, False], ids=["renewed", "not yet"])
async def test_a_change_of_privilege_leaves_no_grace(cluster: Cluster, knows: bool) -> None:
    """S-06, S-07: be the id due for renewal, or renewed a moment ago by another request."""
    browser = await of_age(cluster, n=1)
    manager, other = cluster.nodes(renew_interval="1m")
    renewed = browser.copy()
    if knows:
        await renewed.request(on(manager, dict))
    tab = browser.copy()
    assert (await tab.request(on(other, rotate))).status == 200
    assert await stored(manager, tab) == {"n": 1}
    for old in (browser, renewed):
        assert await stored(other, old) == {}


async def test_a_logout_with_the_old_id_is_a_logout(cluster: Cluster) -> None:
    """S-54."""
    browser = await of_age(cluster, n=1)
    manager, other = cluster.nodes(renew_interval="1m")
    renewed = browser.copy()
    await renewed.request(on(manager, dict))
    await browser.copy().request(on(other, logout))
    for tab in (browser, renewed):
        assert await stored(manager, tab) == {}


async def test_a_logout_that_began_before_the_renewal_is_a_logout(cluster: Cluster) -> None:
    """S-54, S-62: however slow it is."""
    browser = await of_age(cluster, n=1)
    manager, other = cluster.nodes(renew_interval="1m")
    renewed = browser.copy()

    async def slow_logout(session: Session) -> None:
        assert session["n"] == 1
        await renewed.request(on(manager, dict))
        await cluster.pass_seconds(GRACE + 1)
        logout(session)

    assert (await browser.copy().request(on(other, slow_logout))).status == 200
    assert await stored(cluster.nodes()[0], renewed) == {}


async def test_a_socket_keeps_the_id(cluster: Cluster) -> None:
    """Not every client takes cookies from a handshake."""
    browser = await of_age(cluster, n=1)
    manager = cluster.nodes(renew_interval="1m")[0]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        assert scope["session"]["n"] == 1
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 1000})

    async with Call(SessionMiddleware(app, manager=manager), websocket_scope(headers=browser.header)) as call:
        call.give("websocket.connect")
        await call.take("websocket.accept")
    assert ID not in call.response.set_cookies


async def test_a_renewal_that_fails_disturbs_no_request_that_only_reads() -> None:
    """S-07, F-00a: the id stays what it is."""
    time = Time()
    shared = MemoryStore(clock=time.clock())
    node = make_node(shared, renew_interval="1m")
    browser = Browser()
    await browser.request(on(node.manager, lambda session: session.update(n=1)))
    time.pass_seconds(MINUTE + 1)
    _refuse_rotations(node.store)
    response = await browser.request(on(node.manager, dict))
    assert (response.status, response.data, response.set_cookies) == (200, {"n": 1}, {})
    response = await browser.request(on(node.manager, lambda session: session.update(n=2)))
    assert (response.status, response.set_cookies) == (503, {})


def _refuse_rotations(store: SpyStore) -> None:
    async def refuse(name: str) -> None:
        if name == "rotate":
            raise StoreUnavailable("not now")

    store.before = refuse


async def test_a_session_that_ends_meanwhile_disturbs_no_request_that_only_reads(cluster: Cluster) -> None:
    """As without renewals: what was read was true when it was read."""
    browser = await of_age(cluster, n=1)
    manager, other = cluster.nodes(renew_interval="1m")

    async def handler(session: Session) -> int:
        value: int = session["n"]
        await browser.copy().request(on(other, logout))
        return value

    response = await browser.copy().request(on(manager, handler))
    assert (response.status, response.data, ID in response.set_cookies) == (200, 1, False)
