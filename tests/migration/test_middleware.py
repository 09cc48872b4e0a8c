"""Sessions of another library are taken over once, and until a date (S-75)."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, answering, logout, rotate, untouched, websocket_scope
from tests.migration.kept import KeptSessions
from tests.nodes import Node, Time, make_node, two_nodes
from wsgessions import Session, SessionMiddleware
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.migration import TakeoverMiddleware
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Receive, Scope, Send

SOON = datetime.now(UTC) + timedelta(days=1)
SECRET = "a secret that all the servers share"
OLD = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def node() -> Node:
    return make_node(MemoryStore())


@pytest.fixture
def source() -> KeptSessions:
    """One old session."""
    return KeptSessions(**{OLD: {"user": "ann", "cart": ["tea"]}})


def on(node: Node, source: KeptSessions, app: ASGIApp, **options: Any) -> SessionMiddleware:
    """The application as a project has it while it moves."""
    options = {"until": SOON, "secret": SECRET, **options}
    return SessionMiddleware(TakeoverMiddleware(app, source=source, **options), manager=node.manager)


def visitor() -> Browser:
    """Somebody who was here before the move."""
    return Browser(session=OLD)


read = answering(dict)
leave = answering(logout)


async def test_what_was_in_the_old_session_is_in_a_new_one_with_an_id_of_its_own(
    node: Node, source: KeptSessions
) -> None:
    """S-03."""
    browser = visitor()
    response = await browser.request(on(node, source, read))
    assert response.data == {"user": "ann", "cart": ["tea"]}
    assert set(browser.cookies) == {"__Host-sid", "__Host-sid-v"}
    assert OLD not in browser.cookies["__Host-sid"]
    assert response.header("cache-control") == ["no-store"]


async def test_the_old_session_and_its_cookie_are_removed(node: Node, source: KeptSessions) -> None:
    browser = visitor()
    response = await browser.request(on(node, source, read))
    assert source.sessions == {}
    assert response.set_cookies["session"] == "session=; Max-Age=0; Path=/; HttpOnly"


async def test_the_cookie_is_removed_where_it_was_set(node: Node, source: KeptSessions) -> None:
    options = {"cookie": "__Secure-shop", "cookie_path": "/shop", "cookie_domain": ".example.org"}
    browser = Browser(**{"__Secure-shop": OLD})
    response = await browser.request(on(node, source, read, **options))
    expected = "__Secure-shop=; Max-Age=0; Path=/shop; Domain=example.org; Secure; HttpOnly"
    assert response.set_cookies["__Secure-shop"] == expected


async def test_changes_are_changes_of_the_new_session(node: Node, source: KeptSessions) -> None:
    browser = visitor()
    await browser.request(on(node, source, answering(lambda session: session["cart"].append("milk"))))
    assert (await browser.request(on(node, source, read))).data == {"user": "ann", "cart": ["tea", "milk"]}
    assert source.reads == [OLD]


async def test_a_route_that_does_not_look_takes_over_too_and_loses_nothing(node: Node, source: KeptSessions) -> None:
    """R-30: one response tells the id, and it is the first."""
    browser = visitor()
    response = await browser.request(on(node, source, untouched))
    assert set(browser.cookies) == {"__Host-sid", "__Host-sid-v"}
    assert response.header("cache-control") == ["no-store"]
    assert (await browser.request(on(node, source, read))).data["user"] == "ann"
    assert node.manager.statistics.taken_over == 1


async def test_who_has_one_of_our_sessions_is_not_asked_for_an_old_one(node: Node, source: KeptSessions) -> None:
    browser = Browser()
    await browser.request(on(node, source, answering(lambda session: session.update(user="bob"))))
    browser.cookies["session"] = OLD
    assert (await browser.request(on(node, source, read))).data == {"user": "bob"}
    assert source.reads == []


@pytest.mark.parametrize("value", ["unknown-0123456789", "", "../../etc/passwd", "\xe4" * 32])
async def test_what_is_no_old_session_makes_none_of_ours(node: Node, source: KeptSessions, value: str) -> None:
    """S-50: nor are its cookies touched, which may be somebody else's."""
    browser = Browser(session=value)
    response = await browser.request(on(node, source, read))
    assert response.data == {}
    assert response.set_cookies == {}
    assert node.store.counts["create"] == 0


async def test_among_more_cookies_than_are_read_nothing_is_taken_over(node: Node, source: KeptSessions) -> None:
    """S-31: one of ours may be among them."""
    many = "; ".join([f"session={OLD}", *(f"f{index}=x" for index in range(300))])
    response = await Browser().request(on(node, source, read), headers=[(b"cookie", many.encode())])
    assert (response.status, response.data, response.set_cookies) == (200, {}, {})
    assert list(source.sessions) == [OLD]


async def test_several_different_cookies_are_none(node: Node, source: KeptSessions) -> None:
    """S-29."""
    browser = visitor()
    more = [(b"cookie", b"session=another-0123456789")]
    assert (await browser.request(on(node, source, read), headers=more)).data == {}
    same = [(b"Cookie", f'session="{OLD}"'.encode())]
    assert (await browser.request(on(node, source, read), headers=same)).data["user"] == "ann"


async def test_whose_the_session_is_can_be_told(node: Node, source: KeptSessions) -> None:
    """S-55: so that it is among the user's sessions before the next login."""
    browser = visitor()
    app = on(node, source, answering(lambda session: session.principal), user_of=lambda values: values.get("user"))
    assert (await browser.request(app)).data == "ann"
    other = KeptSessions(**{OLD: {"cart": []}})
    app = on(make_node(MemoryStore()), other, answering(lambda session: session.principal))
    assert (await visitor().request(app)).data is None


# -- once --------------------------------------------------------------------------------------------------------------


async def test_requests_at_the_same_time_on_two_servers_get_one_session(source: KeptSessions) -> None:
    """All of them have read the old session before the first one makes a new one of it."""
    nodes = two_nodes()
    barrier = asyncio.Barrier(20)
    source.after = barrier.wait
    browsers = [visitor() for _ in range(20)]
    apps = [on(node, source, read) for node in nodes]
    answers = await asyncio.gather(*(each.request(apps[index % 2]) for index, each in enumerate(browsers)))
    assert [answer.data["user"] for answer in answers] == ["ann"] * 20
    assert sum("__Host-sid" in browser.cookies for browser in browsers) == 1
    assert sum(node.manager.statistics.taken_over for node in nodes) == 1


async def test_who_comes_when_the_old_session_is_removed_already_joins(source: KeptSessions) -> None:
    one, other = two_nodes()
    first, second = visitor(), visitor()
    await first.request(on(one, source, answering(lambda session: session.update(size=1))))
    assert source.sessions == {}
    assert (await second.request(on(other, source, read))).data == {"user": "ann", "cart": ["tea"], "size": 1}
    assert "__Host-sid" not in second.cookies
    assert second.cookies["session"] == OLD


@pytest.mark.parametrize("keep", [True, False])
async def test_a_logout_is_not_undone_by_the_old_cookie(source: KeptSessions, keep: bool) -> None:
    """S-62, S-75: even if the old session could not be removed, and long after nothing else remembers ours."""
    time = Time()
    node = make_node(MemoryStore(clock=time.clock()))
    source.holds = True
    browser, thief = visitor(), visitor()
    await browser.request(on(node, source, read, keep=keep))
    await browser.request(on(node, source, leave, keep=keep))
    assert OLD in source.sessions
    time.pass_seconds(12 * 60 * 60)
    response = await thief.request(on(node, source, read, keep=keep))
    assert (response.data, response.set_cookies) == ({}, {})


async def test_a_logout_as_the_first_request_ends_both(node: Node, source: KeptSessions) -> None:
    browser, thief = visitor(), visitor()
    response = await browser.request(on(node, source, leave))
    assert "Max-Age=0" in response.set_cookies["session"]
    assert source.sessions == {}
    assert (await thief.request(on(node, source, read))).data == {}


async def test_a_login_leaves_nothing_to_the_old_cookie(node: Node, source: KeptSessions) -> None:
    """S-06: the id that was made of it is dead, and so is it."""
    browser, thief = visitor(), visitor()
    await browser.request(on(node, source, read, keep=True))
    await browser.request(on(node, source, answering(rotate), keep=True))
    assert (await thief.request(on(node, source, read, keep=True))).data == {}
    assert (await browser.request(on(node, source, read, keep=True))).data["user"] == "ann"


async def test_a_server_that_fails_half_way_leaves_nothing_open(source: KeptSessions) -> None:
    """The session is made, and its marker not: whoever comes next makes it, and a logout is one for good."""
    time = Time()
    node = make_node(MemoryStore(clock=time.clock()))

    async def fail_the_second(name: str) -> None:
        if name == "create" and node.store.counts["create"] == 2:
            raise StoreUnavailable("the store has gone")

    node.store.before = fail_the_second
    browser, thief = visitor(), visitor()
    assert (await browser.request(on(node, source, read, keep=True))).status == 503
    assert (await browser.request(on(node, source, read, keep=True))).data["user"] == "ann"
    await browser.request(on(node, source, leave, keep=True))
    source.sessions[OLD] = {"user": "ann"}
    time.pass_seconds(12 * 60 * 60)
    assert (await thief.request(on(node, source, read, keep=True))).data == {}


# -- kept for the way back ---------------------------------------------------------------------------------------------


async def test_kept_the_old_session_and_its_cookie_stay(node: Node, source: KeptSessions) -> None:
    browser = visitor()
    response = await browser.request(on(node, source, answering(lambda session: session.update(size=1)), keep=True))
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}
    assert source.sessions == {OLD: {"user": "ann", "cart": ["tea"]}}
    assert (await browser.request(on(node, source, read, keep=True))).data["size"] == 1
    assert source.reads == [OLD]


async def test_kept_they_go_with_the_logout(node: Node, source: KeptSessions) -> None:
    browser = visitor()
    await browser.request(on(node, source, read, keep=True))
    response = await browser.request(on(node, source, leave, keep=True))
    assert source.sessions == {}
    assert "Max-Age=0" in response.set_cookies["session"]
    assert browser.cookies == {}


# -- until when, and where ---------------------------------------------------------------------------------------------


async def test_after_the_date_nothing_is_read(node: Node, source: KeptSessions) -> None:
    over = datetime.now(UTC) - timedelta(seconds=1)
    assert (await visitor().request(on(node, source, read, until=over))).data == {}
    assert source.reads == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"until": datetime(2030, 1, 1)}, "no time zone"),  # noqa: DTZ001 - that is the case
        ({"secret": "x" * 31}, "shorter than 32 bytes"),
        ({"secret": b"x" * 31}, "shorter than 32 bytes"),
        ({"cookie": "session; Domain=evil.example"}, "'cookie': expected a cookie name"),
        ({"cookie": "séance"}, "'cookie': expected a cookie name"),
        ({"cookie": ""}, "'cookie': expected a cookie name"),
        ({"cookie_path": "/\r\nset-cookie: a=b"}, "'cookie_path': expected a path"),
        ({"cookie_path": "shop"}, "'cookie_path': expected a path"),
        ({"cookie_domain": "example.org; Secure"}, "'cookie_domain': expected a host name"),
        ({"cookie": "__Host-shop", "cookie_domain": "example.org"}, "'cookie_domain': a __Host- cookie has no domain"),
        ({"cookie": "__Host-shop", "cookie_path": "/shop"}, "'cookie_path': a __Host- cookie has the path /"),
    ],
)
def test_what_cannot_be_meant_is_refused(node: Node, source: KeptSessions, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        on(node, source, read, **options)


async def test_an_empty_domain_is_none(node: Node, source: KeptSessions) -> None:
    browser = visitor()
    await browser.request(on(node, source, read, keep=True, cookie_domain=""))
    response = await browser.request(on(node, source, leave, keep=True, cookie_domain=""))
    assert "Domain" not in response.set_cookies["session"]


async def test_the_old_cookie_cannot_have_the_name_of_ours(node: Node, source: KeptSessions) -> None:
    with pytest.raises(ConfigError, match="another name"):
        await visitor().request(on(node, source, read, cookie="__Host-sid"))


async def test_outside_of_the_sessions_it_is_refused(node: Node, source: KeptSessions) -> None:
    outside = TakeoverMiddleware(
        SessionMiddleware(read, manager=node.manager), source=source, until=SOON, secret=SECRET
    )
    with pytest.raises(ConfigError, match="outside"):
        await visitor().request(outside)


async def test_other_scopes_pass(node: Node, source: KeptSessions) -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope)

    scope: Scope = {"type": "lifespan"}
    await TakeoverMiddleware(app, source=source, until=SOON, secret=SECRET)(scope, None, None)  # type: ignore[arg-type]
    assert seen == [scope]


async def test_a_websocket_has_what_was_in_the_old_session(node: Node, source: KeptSessions) -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        seen.append(dict(scope["session"]))
        await send({"type": "websocket.accept"})

    browser = visitor()
    async with Call(on(node, source, app), websocket_scope(headers=browser.header)) as call:
        call.give("websocket.connect")
        await call.take("websocket.accept")
    browser.take(call.response)
    assert seen == [{"user": "ann", "cart": ["tea"]}]
    assert set(browser.cookies) == {"__Host-sid", "__Host-sid-v"}


# -- trouble -----------------------------------------------------------------------------------------------------------


async def test_an_old_store_that_is_down_is_a_503_where_the_session_is_used(node: Node, source: KeptSessions) -> None:
    """F-00a: not to know is not to be nobody."""
    browser = visitor()
    source.down = True
    response = await browser.request(on(node, source, read))
    assert (response.status, response.set_cookies) == (503, {})
    assert (await browser.request(on(node, source, untouched))).status == 200
    source.down = False
    assert (await browser.request(on(node, source, read))).data["user"] == "ann"


async def test_our_store_out_of_reach_is_a_503_and_the_old_session_stays(node: Node, source: KeptSessions) -> None:
    browser = visitor()
    node.store.down = True
    assert (await browser.request(on(node, source, read))).status == 503
    node.store.down = False
    assert OLD in source.sessions
    assert (await browser.request(on(node, source, read))).data["user"] == "ann"


async def test_an_old_store_that_does_not_answer_is_given_up(source: KeptSessions) -> None:
    """F-00b."""
    node = make_node(MemoryStore(), nonstop_timeout="20ms")
    source.after = asyncio.Event().wait
    assert (await visitor().request(on(node, source, read))).status == 503


async def test_without_a_limit_it_is_waited_for(source: KeptSessions) -> None:
    node = make_node(MemoryStore(), nonstop_timeout=-1)
    assert (await visitor().request(on(node, source, read))).data["user"] == "ann"


async def test_what_cannot_be_stored_is_left_out_and_said(
    node: Node, source: KeptSessions, caplog: pytest.LogCaptureFixture
) -> None:
    source.sessions[OLD] = {"user": "ann", "": 1, "lock": object(), "big": "x" * 300_000}
    with caplog.at_level(logging.WARNING, "wsgessions.takeover"):
        assert (await visitor().request(on(node, source, read))).data == {"user": "ann"}
    assert [record.__dict__["event"] for record in caplog.records if record.name == "wsgessions.takeover"] == [
        "left_out"
    ]


@pytest.mark.parametrize("action", [read, leave, untouched], ids=["read", "leave", "untouched"])
async def test_no_id_is_ever_logged(
    node: Node, source: KeptSessions, caplog: pytest.LogCaptureFixture, action: ASGIApp
) -> None:
    """S-80."""
    caplog.set_level(logging.DEBUG)
    browser = visitor()
    source.holds = True
    await browser.request(on(node, source, action))
    ids = {OLD, *browser.cookies.values()}
    assert not [each for each in ids if each in caplog.text]


def test_a_session_made_by_hand_is_left_as_it_is() -> None:
    """Nothing to do for a test that has no store."""
    from wsgessions.migration import SessionImporter

    session = Session(user="ann")
    bringing = SessionImporter(SECRET.encode()).bring(session, b"x", {"user": "eve"}, remembered=timedelta(days=1))
    assert asyncio.run(bringing) is False
    assert session == {"user": "ann"}
