"""Rotations and renewals of which no answer came: no browser loses its session, and no planted id finds one (C-23)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from typing import Any

import pytest

from tests.asgi_driver import Browser, Response, answering, rotate
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, shared_server, started, store_at
from tests.two_managers import FarAndNear, far_and_near
from wsgessions.credentials.watermark import WATERMARK_LENGTH
from wsgessions.errors import StoreUnavailable
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.record import SessionRecord
from wsgessions.session import Session
from wsgessions.stores.valkey.sessions.principal_index import PrincipalIndex
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import Direction

__all__ = ["shared_server"]

ID, MARK = "__Host-sid", "__Host-sid-v"
MOVE_LENGTH = 24 + 43
"""By which a move is told from a watermark, in whose cookie it is."""
AMPLE = "1s"
"""For so long the far server waits: a busy store has carried out by then what it was sent."""
MINUTE = 60
BEYOND_GRACE = 60
"""Seconds: longer than an old id leads on by default once the new one is in use."""


@pytest.fixture
async def servers(shared_server: RawServer) -> AsyncIterator[FarAndNear]:
    async with far_and_near(shared_server, nonstop_timeout=AMPLE) as servers:
        yield servers


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


def fill(session: Session) -> None:
    session["cart"] = "pot"


def login(session: Session) -> None:
    session.bind_user("ada")


def fill_hers(session: Session) -> None:
    fill(session)
    login(session)


def unbind(session: Session) -> None:
    session.bind_user(None)


def add(session: Session) -> dict[str, Any]:
    session["note"] = 1
    return session.copy()


def show(session: Session) -> list[Any]:
    return [session.copy(), session.principal]


def tells_move(response: Response) -> bool:
    """Whether the client is told of a move, and of no new id."""
    told = response.set_cookies
    return set(told) == {MARK} and len(told[MARK].partition(";")[0]) == len(f"{MARK}=") + MOVE_LENGTH


Unsettled = Callable[[], Awaitable[Browser]]


@pytest.fixture(params=["a rotation", "a login", "a change of the user"])
def unsettled(servers: FarAndNear, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Unsettled:
    """Makes a browser that was answered 503 to a change of its id that was carried out, and is Ada's if it was a login.

    A login is announced to an index of principals before, and that was answered.
    """

    async def announce_then_hold(*arguments: Any) -> Any:
        due = await announce(*arguments)
        servers.proxy.hold(Direction.TO_CLIENT)
        return due

    def login_unheld_so_far(session: Session) -> None:
        servers.proxy.heal()
        monkeypatch.setattr(PrincipalIndex, "announce", announce_then_hold)
        login(session)

    announce = PrincipalIndex.announce
    begin, change = {
        "a rotation": (fill, rotate),
        "a login": (fill, login_unheld_so_far),
        "a change of the user": (fill_hers, unbind),
    }[request.param]

    async def make() -> Browser:
        browser = Browser()
        await browser.request(on(servers.near, begin))
        response = await servers.give_up(browser, change, Direction.TO_CLIENT)
        monkeypatch.setattr(PrincipalIndex, "announce", announce)
        assert response.status == 503
        assert tells_move(response)
        return browser

    return make


@pytest.fixture
def principal(request: pytest.FixtureRequest) -> str | None:
    """Whose session it is after that."""
    return "ada" if "a login" in request.node.callspec.id else None


@pytest.mark.parametrize("next_at", ["near", "far"])
async def test_the_next_request_finds_the_session_where_it_went_and_is_given_an_id_for_it(
    servers: FarAndNear, unsettled: Unsettled, principal: str | None, next_at: str
) -> None:
    """C-23: it brings the old id, and what it was told of the move."""
    browser = await unsettled()
    old = browser.copy()
    servers.proxy.heal()
    if next_at == "far":  # which may still be on its way back to the store
        await servers.see(Browser(**{ID: old.cookies[ID]}))
    server: SessionManager = getattr(servers, next_at)
    response = await browser.request(on(server, show))
    assert (response.status, response.data) == (200, [{"cart": "pot"}, principal])
    assert set(response.set_cookies) == {ID, MARK}
    assert browser.cookies[ID] != old.cookies[ID]
    assert len(browser.cookies[MARK]) == WATERMARK_LENGTH
    assert server.statistics.followed_moves == 1
    assert await servers.see(browser, show) == [[{"cart": "pot"}, principal]] * 2
    assert server.statistics.forged_watermarks == 0


async def test_a_request_that_follows_a_move_can_write(servers: FarAndNear, unsettled: Unsettled) -> None:
    browser = await unsettled()
    response = await browser.request(on(servers.near, add))
    assert (response.status, ID in response.set_cookies) == (200, True)
    servers.proxy.heal()
    assert await servers.see(browser) == [{"cart": "pot", "note": 1}] * 2


@pytest.mark.parametrize("use", [dict, add], ids=["reading", "writing"])
async def test_a_browser_that_was_not_reached_by_the_id_for_the_move_can_follow_it_again(
    servers: FarAndNear, unsettled: Unsettled, use: Any
) -> None:
    """C-23: the response was lost, or was one of two tabs'; what the first request was given serves as well."""
    browser = await unsettled()
    told = browser.copy()
    assert ID in (await told.request(on(servers.near, use))).set_cookies
    content = {"cart": "pot"} if use is dict else {"cart": "pot", "note": 1}
    again = await browser.request(on(servers.near, dict))
    assert (again.data, ID in again.set_cookies) == (content, True)
    servers.proxy.heal()
    for tab in (told, browser):
        assert await servers.see(tab) == [content] * 2


@pytest.mark.parametrize("held", Direction)
async def test_a_move_that_was_followed_is_kept_until_there_is_an_id_for_it(
    servers: FarAndNear, unsettled: Unsettled, held: Direction
) -> None:
    """C-23: the request that followed it was answered, and the new id that it was to bring came to nothing."""
    browser = await unsettled()
    move = browser.cookies[MARK]
    servers.proxy.heal()
    response = await servers.give_up(browser, dict, held)
    assert (response.status, response.data) == (200, None)
    assert browser.cookies[MARK] == move
    await servers.release()
    assert await servers.see(browser) == [{"cart": "pot"}] * 2


async def test_an_id_without_the_move_leads_nowhere(servers: FarAndNear, unsettled: Unsettled) -> None:
    """S-06: it may have been planted before the login, by one who knows it and never was answered."""
    browser = await unsettled()
    planted = Browser(**{ID: browser.cookies[ID]})
    response = await planted.request(on(servers.near, show))
    assert (response.data, response.set_cookies) == ([{}, None], {})
    refused = await planted.request(on(servers.near, add))
    assert (refused.status, refused.set_cookies) == (409, {})  # C-24


async def test_a_move_leads_nowhere_with_another_id(servers: FarAndNear, unsettled: Unsettled) -> None:
    """S-06: be that of a session of its own, or of none."""
    browser, other = await unsettled(), Browser()
    servers.proxy.heal()
    await other.request(on(servers.near, add))
    made_up = browser.cookies[ID][:10] + "A" * 33  # of the same segment
    for session_id, expected in ((other.cookies[ID], {"note": 1}), (made_up, {})):
        thief = Browser(**{ID: session_id, MARK: browser.cookies[MARK]})
        assert (await thief.request(on(servers.near, show))).data == [expected, None]


@pytest.mark.parametrize("change", [rotate, login])
async def test_a_rotation_that_never_arrived_leaves_the_session_under_the_id_that_the_browser_has(
    servers: FarAndNear, change: Any
) -> None:
    """C-20, C-23: told of a move nevertheless, it asks for the old id first. A login was not even begun."""
    browser = Browser()
    await browser.request(on(servers.near, fill))
    old = browser.cookies[ID]
    response = await servers.give_up(browser, change, Direction.TO_SERVER)
    assert response.status == 503
    assert tells_move(response) == (change is rotate)
    await servers.release()
    found = await browser.request(on(servers.near, show))
    assert (found.data, ID in found.set_cookies) == ([{"cart": "pot"}, None], False)
    assert browser.cookies[ID] == old
    assert len(browser.cookies[MARK]) == WATERMARK_LENGTH
    assert await servers.see(browser, show) == [[{"cart": "pot"}, None]] * 2


async def test_a_rotation_that_is_asked_for_again_is_settled_and_not_done_twice(servers: FarAndNear) -> None:
    """C-23: by its commit id, in the request that was in doubt."""
    browser = Browser()
    await browser.request(on(servers.near, fill))
    old = browser.copy()

    async def insist(session: Session) -> None:
        with pytest.raises(StoreUnavailable):
            await session.rotate_id()
        servers.proxy.heal()
        await session.rotate_id()

    response = await servers.give_up(browser, insist, Direction.TO_CLIENT)
    assert (response.status, ID in response.set_cookies) == (200, True)
    assert servers.far.statistics.rotated == 1
    assert await servers.see(browser) == [{"cart": "pot"}] * 2
    assert await servers.see(old) == [{}, {}]


@pytest.mark.parametrize("own", [None, ValueError("mine")], ids=["no error", "an error of its own"])
async def test_an_application_that_hides_the_doubt_hides_it_not_from_the_browser(
    servers: FarAndNear, own: ValueError | None
) -> None:
    """C-23, F-00a: what it answers in place of the error is not said, since it cannot be true."""
    browser = Browser()
    await browser.request(on(servers.near, fill))

    async def hide(session: Session) -> None:
        with suppress(StoreUnavailable):
            await session.rotate_id()
        if own is not None:
            raise own

    with nullcontext() if own is None else pytest.raises(ValueError, match="mine"):
        assert (await servers.give_up(browser, hide, Direction.TO_CLIENT)).status == 503
    assert len(browser.cookies[MARK]) == MOVE_LENGTH
    servers.proxy.heal()
    assert await servers.see(browser) == [{"cart": "pot"}] * 2


@pytest.mark.parametrize("held", Direction)
async def test_a_logout_after_a_rotation_in_doubt_ends_the_session_wherever_it_is(
    servers: FarAndNear, held: Direction
) -> None:
    """S-62, C-23."""
    browser = Browser()
    await browser.request(on(servers.near, fill))
    late = browser.copy()

    async def leave(session: Session) -> None:
        with pytest.raises(StoreUnavailable):
            await session.rotate_id()
        servers.proxy.heal()
        session.invalidate()

    response = await servers.give_up(browser, leave, held)
    assert (response.status, browser.cookies) == (200, {})
    assert await servers.see(late) == [{}, {}]
    assert await servers.near.store.count() == 0  # type: ignore[attr-defined]  # a real store can


# -- renewals ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def renewing(server: RawServer) -> AsyncIterator[tuple[FarAndNear, ValkeyStore]]:
    """Two servers that renew ids every minute, and their store."""
    async with (
        far_and_near(server, nonstop_timeout=AMPLE, renew_interval="1m") as servers,
        started(store_at(server.url, namespace=servers.near.settings.namespace)) as store,
    ):
        yield servers, store


async def renewed_at(manager: SessionManager, browser: Browser) -> None:
    """Have a browser given a new id by a server that has no copy, whose age it could not know."""
    await manager.close()
    await manager.start()
    assert ID in (await browser.request(on(manager, dict))).set_cookies


Trouble = Callable[[FarAndNear, RawServer], None]
TROUBLES: dict[str, Trouble] = {
    "the request is held": lambda servers, _: servers.proxy.hold(Direction.TO_SERVER),
    "the answer is held": lambda servers, _: servers.proxy.hold(Direction.TO_CLIENT),
    "both are held": lambda servers, _: servers.proxy.hold(),
    "the store stands still": lambda _, server: server.pause(),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_a_renewal_without_an_answer_costs_no_session(shared_server: RawServer, trouble: str) -> None:
    """C-20, C-23: the request only reads, so it is answered; whether its id was renewed is known to neither side."""
    async with renewing(shared_server) as (servers, store):
        browser = Browser()
        await browser.request(on(servers.near, fill))
        await age(store, MINUTE + 1)

        def begin(_: Session) -> None:
            servers.proxy.heal()
            TROUBLES[trouble](servers, shared_server)

        try:
            response = await servers.give_up(browser, begin)
        finally:
            shared_server.resume()
        assert (response.status, ID in response.set_cookies) == (200, False)
        assert servers.far.statistics.rotated == 0
        await servers.release()
        found = await store.load(key := servers.near.requests.repository.identity.key(browser.cookies[ID]))
        assert isinstance(found, SessionRecord)
        assert (found.key != key) == (trouble == "the answer is held")
        assert await servers.see(browser.copy()) == [{"cart": "pot"}] * 2
        await age(store, BEYOND_GRACE)
        assert await servers.see(browser) == [{"cart": "pot"}] * 2


async def test_an_old_id_leads_on_until_the_new_one_was_presented_and_a_while_more(shared_server: RawServer) -> None:
    """C-23: a response that was lost on its way to the browser costs no session, however late it asks again."""
    async with renewing(shared_server) as (servers, store):
        browser = Browser()
        await browser.request(on(servers.near, fill))
        await age(store, MINUTE + 1)
        told = browser.copy()
        await renewed_at(servers.near, told)
        for _ in range(2):
            await age(store, BEYOND_GRACE)
            assert await servers.see(browser.copy()) == [{"cart": "pot"}] * 2
        assert await servers.see(told) == [{"cart": "pot"}] * 2
        for manager in (servers.far, servers.near):
            await manager.close()  # which tells the store that the new id was presented
            await manager.start()
        await age(store, BEYOND_GRACE)
        assert await servers.see(told) == [{"cart": "pot"}] * 2
        assert await servers.see(browser) == [{}, {}]


async def test_a_rotation_in_doubt_is_followed_from_an_id_that_was_renewed_by_another_tab(
    shared_server: RawServer,
) -> None:
    """C-23: the browser is told how to get on from the id that it has, which is not the session's any more."""
    async with renewing(shared_server) as (servers, store):
        browser = Browser()
        await browser.request(on(servers.near, fill))
        await age(store, MINUTE + 1)
        await renewed_at(servers.near, browser.copy())
        response = await servers.give_up(browser, rotate, Direction.TO_CLIENT)
        assert response.status == 503
        assert tells_move(response)
        servers.proxy.heal()
        assert await servers.see(browser) == [{"cart": "pot"}] * 2


async def test_a_rotation_in_doubt_after_another_one_is_followed_from_the_id_that_the_browser_has(
    servers: FarAndNear, unsettled: Unsettled
) -> None:
    """C-23: the first was followed by the request that asked for the second."""
    browser = await unsettled()
    servers.proxy.heal()
    response = await servers.give_up(browser, rotate, Direction.TO_CLIENT)
    assert response.status == 503
    assert len(browser.cookies[MARK]) == MOVE_LENGTH
    servers.proxy.heal()
    assert await servers.see(browser) == [{"cart": "pot"}] * 2
