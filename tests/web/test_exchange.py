"""One request with its session: what the client gets to see of it."""

from __future__ import annotations

import asyncio
import logging
import math
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering, http_scope, logout, respond, rotate, untouched
from tests.nodes import Time, make_node, two_nodes
from wsgessions import errors
from wsgessions.credentials.identity import new_session_id
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Receive, Scope, Send, id_resolver


def app_with(handler: Callable[[Session], Any], node: Any = None, **answer: Any) -> SessionMiddleware:
    """An application on a node, by default one of its own."""
    return SessionMiddleware(answering(handler, **answer), manager=(node or make_node(MemoryStore())).manager)


def remember(session: Session) -> None:
    session["visits"] = session.get("visits", 0) + 1


# -- cookies -----------------------------------------------------------------------------------------------------------


async def test_the_first_change_gives_the_client_an_id_and_a_watermark() -> None:
    """S-20, C-11."""
    browser = Browser()
    response = await browser.request(app_with(remember))
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}
    for header in response.set_cookies.values():
        assert re.fullmatch(r"[A-Za-z_-]+=[A-Za-z0-9_-]+; Path=/; Secure; HttpOnly; SameSite=Lax", header)
    assert response.header("cache-control") == ["no-store"]
    assert response.header("vary") == ["Cookie"]


async def test_the_session_is_there_on_the_next_request_to_any_node() -> None:
    one, other = two_nodes()
    browser = Browser()
    for node in (one, other, other, one):
        await browser.request(app_with(remember, node))
    response = await browser.request(app_with(lambda session: session["visits"], one))
    assert response.data == 4


async def test_fifty_reads_set_no_cookie_and_fifty_writes_only_watermarks() -> None:
    """S-33."""
    node = make_node(MemoryStore())
    write, read = app_with(remember, node), app_with(dict, node)
    browser = Browser()
    await browser.request(write)
    for _ in range(50):
        assert (await browser.request(read)).set_cookies == {}
    marks = set()
    for _ in range(50):
        cookies = (await browser.request(write)).set_cookies
        assert set(cookies) == {"__Host-sid-v"}
        marks.add(cookies["__Host-sid-v"])
    assert len(marks) == 50


async def test_a_read_that_sees_more_than_the_client_had_raises_its_watermark() -> None:
    """C-13: what a second tab wrote, this tab has seen from now on."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    tab = browser.copy()
    await tab.request(app_with(remember, node))
    response = await browser.request(app_with(dict, node))
    assert set(response.set_cookies) == {"__Host-sid-v"}
    assert response.header("cache-control") == ["private, no-cache"]
    assert (await browser.request(app_with(dict, node))).set_cookies == {}


@pytest.mark.parametrize("watermark", [None, "x", "m" * 48, "A" * 47 + "="])
async def test_a_good_id_with_a_bad_watermark_is_a_good_id(watermark: str | None) -> None:
    """S-01, C-11: unknown, not anonymous; the client gets a good one."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    del browser.cookies["__Host-sid-v"]
    if watermark is not None:
        browser.cookies["__Host-sid-v"] = watermark
    response = await browser.request(app_with(dict, node))
    assert response.data == {"visits": 1}
    assert set(response.set_cookies) == {"__Host-sid-v"}
    assert node.manager.statistics.forged_watermarks == (watermark is not None)


async def test_an_unknown_id_is_replaced_by_one_of_ours() -> None:
    """S-03."""
    node = make_node(MemoryStore())
    made_up = new_session_id()
    browser = Browser(**{"__Host-sid": made_up})
    response = await browser.request(app_with(remember, node))
    assert browser.cookies["__Host-sid"] != made_up
    assert response.status == 200
    assert node.manager.statistics.unknown_ids == 1
    assert await node.store.count() == 1


BAD = {
    "empty": "",
    "short": "A" * 42,
    "long": "A" * 44,
    "huge": "A" * 10_000,
    "path": "../" + "A" * 40,
    "escaped": "%41" + "A" * 40,
    "nul": "A" * 42 + "\0",
    "newline": "A" * 42 + "\n",
    "trailing newline": "A" * 43 + "\n",
    "latin": "A" * 42 + "\xe9",
    "protocol": "\r\n*1\r\n$8\r\nFLUSHALL\r\n",
    "quoted": '"' + "A" * 43 + '"',
}


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
async def test_a_malformed_id_is_anonymous_and_asks_no_store(value: str) -> None:
    """S-04."""
    node = make_node(MemoryStore())
    response = await Browser(**{"__Host-sid": value}).request(app_with(dict, node))
    assert (response.status, response.data) == (200, {})
    assert node.store.calls == []
    assert node.manager.statistics.malformed_ids == 1


async def test_of_several_ids_the_one_that_the_store_knows_counts() -> None:
    """S-29: whichever comes first, in one header field or two; the store is asked once for each."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    good, other = browser.cookies["__Host-sid"], new_session_id()
    node.store.calls.clear()
    for pair in [(good, other), (other, good)]:
        one = [(b"cookie", f"__Host-sid={pair[0]}; __Host-sid={pair[1]}".encode())]
        two = [(b"cookie", f"__Host-sid={each}".encode()) for each in pair]
        for headers in (one, two):
            response = await Browser().request(app_with(dict, node), headers=headers)
            assert (response.status, response.data) == (200, {"visits": 1})
            assert response.set_cookies.keys() == {"__Host-sid-v"}
            assert node.store.counts["load"] == 2
            node.store.calls.clear()
    assert node.manager.statistics.conflicting_ids == 4


async def test_of_more_ids_than_are_looked_at_none_counts_and_the_store_is_not_asked() -> None:
    """S-29."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    node.store.calls.clear()
    ids = [browser.cookies["__Host-sid"], *(new_session_id() for _ in range(4))]
    headers = [(b"cookie", f"__Host-sid={each}".encode()) for each in ids]
    response = await Browser().request(app_with(dict, node), headers=headers)
    assert (response.status, response.data) == (200, {})
    assert node.store.calls == []


async def test_oversized_cookies_are_anonymous() -> None:
    """S-31."""
    node = make_node(MemoryStore())
    browser = Browser(**{"__Host-sid": new_session_id(), "a": "b" * 2**20})
    response = await browser.request(app_with(dict, node))
    assert (response.status, response.data) == (200, {})
    assert node.store.calls == []
    assert node.manager.statistics.oversized_cookies == 1


async def test_an_id_counts_in_the_cookie_only() -> None:
    """S-05."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    session_id = browser.cookies["__Host-sid"]
    response = await Browser().request(
        app_with(dict, node),
        f"/;jsessionid={session_id}",
        query_string=f"sid={session_id}&__Host-sid={session_id}".encode(),
        headers=[(b"authorization", f"Bearer {session_id}".encode()), (b"x-session", session_id.encode())],
    )
    assert response.data == {}


async def test_cookies_split_over_header_fields_are_one_cookie_header() -> None:
    """R-52."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    crumbs = [(b"cookie", f"{name}={value}".encode()) for name, value in browser.cookies.items()]
    response = await Browser().request(app_with(dict, node), headers=crumbs, http_version="2")
    assert response.data == {"visits": 1}
    assert response.set_cookies == {}


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("forwarded", [None, b"http", b"https"])
async def test_secure_does_not_depend_on_what_is_seen(scheme: str, forwarded: bytes | None) -> None:
    """S-25, where `cookie.secure` is set; and in production, which has one cookie."""
    headers = [] if forwarded is None else [(b"x-forwarded-proto", forwarded)]
    node = make_node(MemoryStore(), cookie={"secure": True})
    response = await Browser().request(app_with(remember, node), scheme=scheme, headers=headers)
    assert all("; Secure" in header for header in response.set_cookies.values())


async def test_in_development_plain_http_has_a_cookie_that_browsers_return_there() -> None:
    """S-24: without Secure, and of another name than the one that they return over TLS only."""
    node, browser = make_node(MemoryStore()), Browser()
    response = await browser.request(app_with(remember, node), scheme="http")
    assert set(response.set_cookies) == {"sid", "sid-v"}
    for header in response.set_cookies.values():
        assert re.fullmatch(r"sid(-v)?=[\w-]+; Path=/; HttpOnly; SameSite=Lax", header, re.ASCII)
    assert (await browser.request(app_with(dict, node), scheme="http")).data == {"visits": 1}
    assert set((await browser.request(app_with(rotate, node), scheme="http")).set_cookies) == {"sid", "sid-v"}
    await browser.request(app_with(logout, node), scheme="http")
    assert browser.cookies == {}


async def test_over_https_a_cookie_of_plain_http_does_not_count() -> None:
    """S-24: an attacker on the network can plant one."""
    node, attacker = make_node(MemoryStore()), Browser()
    await attacker.request(app_with(remember, node), scheme="http")
    node.store.calls.clear()
    planted = attacker.copy()
    assert (await planted.request(app_with(dict, node))).data == {}
    assert node.store.calls == []
    await planted.request(app_with(remember, node))
    assert planted.cookies["__Host-sid"] != attacker.cookies["sid"]
    assert (await planted.request(app_with(dict, node))).data == {"visits": 1}


async def test_the_safe_cookie_counts_over_plain_http_too_and_stays_safe() -> None:
    """S-25: the connection behind a proxy with TLS is a plain one."""
    node, browser = make_node(MemoryStore()), Browser()
    await browser.request(app_with(remember, node))
    response = await browser.request(app_with(rotate, node), scheme="http")
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}
    assert all("; Secure" in header for header in response.set_cookies.values())


async def test_a_name_without_prefix_is_the_same_over_plain_http() -> None:
    """S-24."""
    node, browser = make_node(MemoryStore(), cookie={"name": "shop", "samesite": "none"}), Browser()
    for handler in (remember, rotate):
        response = await browser.request(app_with(handler, node), scheme="http")
        assert set(response.set_cookies) == {"shop", "shop-v"}
        assert all("Secure" not in each and "SameSite=Lax" in each for each in response.set_cookies.values())
    assert all("; Secure" in each for each in (await browser.request(app_with(rotate, node))).set_cookies.values())


@pytest.mark.parametrize("cookie", [{}, {"secure": True}], ids=["development", "strict"])
async def test_plain_http_is_warned_of_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, cookie: dict[str, Any]
) -> None:
    """S-24."""
    once = LogThrottle(logging.getLogger("wsgessions.request"), interval=math.inf)
    monkeypatch.setattr(id_resolver, "_log_once", once)
    app = app_with(remember, make_node(MemoryStore(), cookie=cookie))
    for _ in range(3):
        await Browser().request(app, scheme="http")
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.__dict__["event"] for record in warnings] == ["plain_http"]


async def test_the_insecure_mode_works_over_plain_http_and_is_not_warned_of_there(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """S-24."""
    once = LogThrottle(logging.getLogger("wsgessions.request"), interval=math.inf)
    monkeypatch.setattr(id_resolver, "_log_once", once)
    node = make_node(MemoryStore(), cookie={"insecure": True})
    browser = Browser()
    response = await browser.request(app_with(remember, node), scheme="http")
    assert set(response.set_cookies) == {"sid", "sid-v"}
    assert "Secure" not in response.set_cookies["sid"]
    assert (await browser.request(app_with(dict, node), scheme="http")).data == {"visits": 1}
    assert [record for record in caplog.records if record.__dict__.get("event") == "plain_http"] == []


async def test_a_persistent_cookie_never_outlives_the_session() -> None:
    """S-27."""
    time = Time()
    node = two_nodes(time, cookie={"max_age": "10h"}, absolute_timeout="10h", max_inactive_interval="10h")[0]
    write = app_with(remember, node)
    browser = Browser()
    first = await browser.request(write)
    assert "; Max-Age=36000" in first.set_cookies["__Host-sid"]
    time.pass_seconds(3600)
    later = await browser.request(write)
    assert "; Max-Age=32400" in later.set_cookies["__Host-sid"]
    assert "; Max-Age=32400" in later.set_cookies["__Host-sid-v"]


PERSISTENT = {"cookie": {"max_age": "30h"}, "max_inactive_interval": "30h", "absolute_timeout": "100d"}
"""A cookie that is due to be sent again after an hour."""


async def test_a_persistent_cookie_is_renewed_for_a_visitor_who_only_reads() -> None:
    """S-27, S-33: now and then, since a response that is late could undo a login in another tab (S-209)."""
    time = Time()
    node = two_nodes(time, **PERSISTENT)[0]
    read, browser = app_with(dict, node), Browser()
    await browser.request(app_with(remember, node))
    for _ in range(3):
        time.pass_seconds(20 * 3600)
        again = await browser.request(read)
        assert again.data == {"visits": 1}
        assert [each.partition("=")[0] for each in again.header("set-cookie")] == ["__Host-sid-v", "__Host-sid"]
        assert "; Max-Age=108000" in again.set_cookies["__Host-sid"]
        assert again.header("cache-control") == ["private, no-cache"]
        time.pass_seconds(3599)
        assert (await browser.request(read)).set_cookies == {}


@pytest.mark.parametrize("request_", [{"handler": untouched}, {"method": "OPTIONS"}], ids=["untouched", "OPTIONS"])
async def test_what_is_no_use_of_the_session_renews_no_cookie(request_: dict[str, Any]) -> None:
    time = Time()
    node = two_nodes(time, **PERSISTENT)[0]
    browser = Browser()
    await browser.request(app_with(remember, node))
    time.pass_seconds(20 * 3600)
    app = request_.get("handler") or answering(dict)
    response = await browser.request(SessionMiddleware(app, manager=node.manager), method=request_.get("method", "GET"))
    assert response.set_cookies == {}


async def test_a_read_does_not_fail_with_the_renewal_of_its_cookie() -> None:
    """R-30: neither if the store is lost after the load nor if the session ends meanwhile."""
    time = Time()
    node = two_nodes(time, **PERSISTENT)[0]
    browser = Browser()
    await browser.request(app_with(remember, node))
    other = browser.copy()

    async def lose_the_store(session: Session) -> int:
        node.store.down = True
        return len(session)

    async def log_out_elsewhere(session: Session) -> int:
        await other.request(app_with(logout, node))
        return len(session)

    time.pass_seconds(2 * 3600)
    for handler in (lose_the_store, log_out_elsewhere):
        response = await browser.request(app_with(handler, node))
        assert (response.status, response.data, response.set_cookies) == (200, 1, {})
        node.store.down = False


async def test_an_id_that_another_response_has_replaced_is_not_sent_again() -> None:
    """S-07, S-209: its cookie would take the place of the new one."""
    time = Time()
    node = two_nodes(time, renew_interval="10h", **PERSISTENT)[0]
    tab = Browser()
    await tab.request(app_with(remember, node))
    time.pass_seconds(11 * 3600)
    new = tab.copy()
    await new.request(app_with(dict, node))
    assert new.cookies["__Host-sid"] != tab.cookies["__Host-sid"]
    for handler in (dict, remember, dict):
        assert "__Host-sid" not in (await tab.request(app_with(handler, node))).set_cookies


# -- logout (S-32, S-54) -----------------------------------------------------------------------------------------------


async def test_logout_removes_the_session_and_both_cookies() -> None:
    """S-32, S-54: the id is useless on every node afterwards."""
    one, other = two_nodes()
    browser = Browser()
    await browser.request(app_with(remember, one))
    thief = browser.copy()
    response = await browser.request(app_with(logout, one))
    assert browser.cookies == {}
    for header in response.set_cookies.values():
        assert re.fullmatch(r"[A-Za-z_-]+=; Max-Age=0; Path=/; Secure; HttpOnly; SameSite=Lax", header)
    assert response.header("cache-control") == ["no-store"]
    for node in (one, other):
        assert (await thief.copy().request(app_with(dict, node))).data == {}


async def test_an_anonymous_logout_sets_no_cookie() -> None:
    """S-32, S-50."""
    response = await Browser().request(app_with(logout))
    assert response.set_cookies == {}
    assert response.header("vary") == ["Cookie"]


async def test_a_logout_with_a_dead_id_clears_the_cookies_too() -> None:
    """S-32: the client sent them, and asks to be rid of them."""
    node = make_node(MemoryStore())
    browser = Browser(**{"__Host-sid": new_session_id()})
    await browser.request(app_with(logout, node))
    assert browser.cookies == {}
    assert "delete" not in node.store.calls


async def test_login_gives_a_new_id_and_kills_the_old_one() -> None:
    """S-06."""
    one, other = two_nodes()
    browser = Browser()
    await browser.request(app_with(remember, one))
    before = browser.copy()

    def login(session: Session) -> None:
        session["user"] = "Ann"
        session.rotate_id()

    await browser.request(app_with(login, one))
    assert browser.cookies["__Host-sid"] != before.cookies["__Host-sid"]
    assert (await browser.request(app_with(dict, other))).data == {"visits": 1, "user": "Ann"}
    for node in (one, other):
        assert (await before.copy().request(app_with(dict, node))).data == {}


async def test_a_late_response_of_the_old_id_leaves_the_new_login_alone() -> None:
    """S-209: it may bring its own watermark, which means nothing to the new session."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    tab = browser.copy()
    late = await tab.request(app_with(remember, node))
    await browser.request(app_with(rotate, node))
    browser.take(late)
    response = await browser.request(app_with(dict, node))
    assert response.data == {"visits": 2}


# -- what is put in or not (S-40, S-41, S-42, S-50) --------------------------------------------------------------------


async def test_an_untouched_route_gets_no_header_and_asks_no_store() -> None:
    """R-30: without an id."""
    node = make_node(MemoryStore())
    response = await Browser().request(SessionMiddleware(untouched, manager=node.manager))
    assert response.start["headers"] == []
    assert node.store.calls == []


async def test_an_untouched_route_costs_at_most_the_load() -> None:
    """R-30: with an id. No touch and no write, and no header."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    node.store.calls.clear()
    response = await browser.request(SessionMiddleware(untouched, manager=node.manager))
    assert response.start["headers"] == []
    assert node.store.calls == ["load"]


async def test_a_read_is_one_load_and_one_touch_in_the_batch() -> None:
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    node.store.calls.clear()
    await browser.request(app_with(dict, node))
    assert node.store.calls == ["load", "touch"]


async def test_a_write_is_one_call() -> None:
    """And an access in itself, so no touch follows."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    node.store.calls.clear()
    await browser.request(app_with(remember, node))
    assert node.store.calls == ["load", "apply"]


@pytest.mark.parametrize(
    "look",
    [
        lambda session: session.get("a"),
        lambda session: "a" in session,
        len,
        bool,
        list,
        lambda session: session.is_new,
        lambda session: session.id is None,
        lambda session: session.update(a=1),
        logout,
        rotate,
        lambda session: session.mark_accessed(),
    ],
)
async def test_any_look_adds_vary(look: Callable[[Session], Any]) -> None:
    """S-40."""
    node = make_node(MemoryStore())
    browser = Browser()
    for visitor in (browser, browser):
        response = await visitor.request(app_with(look, node), headers=[])
        assert response.header("vary") == ["Cookie"]


async def test_a_handlers_shared_caching_is_overruled_where_a_cookie_is_set() -> None:
    """S-41: also on 304 and 206."""
    for status in (200, 206, 304):
        app = app_with(remember, status=status, headers=[(b"cache-control", b"public, max-age=60")])
        response = await Browser().request(app)
        assert response.header("cache-control") == ["no-store"]


async def test_a_handlers_shared_caching_stays_where_no_cookie_is_set() -> None:
    app = app_with(len, headers=[(b"cache-control", b"public, max-age=60")])
    response = await Browser().request(app)
    assert response.header("cache-control") == ["public, max-age=60"]
    assert response.header("vary") == ["Cookie"]


async def test_a_route_can_forbid_caching() -> None:
    """S-42."""
    app = app_with(lambda session: session.forbid_caching(), headers=[(b"cache-control", b"max-age=60")])
    response = await Browser().request(app)
    assert response.header("cache-control") == ["no-store"]
    assert response.header("vary") == ["Cookie"]
    assert response.set_cookies == {}


async def test_bogus_ids_and_logouts_store_nothing() -> None:
    """S-50."""
    node = make_node(MemoryStore())
    read, end = app_with(dict, node), app_with(logout, node)
    for _ in range(500):
        await Browser(**{"__Host-sid": new_session_id()}).request(read)
        await Browser(**{"__Host-sid": new_session_id()}).request(end)
    assert await node.store.count() == 0
    assert node.store.below._entries == {}  # type: ignore[attr-defined]  # no tombstone either
    assert node.manager.statistics.unknown_ids == 1000


# -- life (S-52, S-53, S-63) -------------------------------------------------------------------------------------------


async def test_an_idle_session_ends_on_time_on_every_node() -> None:
    """S-52: by the store's clock, whatever the cookie says."""
    time = Time()
    one, other = two_nodes(time)
    browser = Browser()
    await browser.request(app_with(remember, one))
    time.pass_seconds(30 * 60 - 1)
    assert (await browser.copy().request(app_with(dict, other))).data == {"visits": 1}
    time.pass_seconds(30 * 60 - 1)
    assert (await browser.copy().request(app_with(dict, one))).data == {"visits": 1}
    time.pass_seconds(30 * 60 + 1)
    for node in (one, other):
        assert (await browser.copy().request(app_with(dict, node))).data == {}


async def test_an_untouched_route_does_not_keep_a_session_alive() -> None:
    """R-30."""
    time = Time()
    node = two_nodes(time)[0]
    browser = Browser()
    await browser.request(app_with(remember, node))
    time.pass_seconds(29 * 60)
    await browser.request(SessionMiddleware(untouched, manager=node.manager))
    time.pass_seconds(2 * 60)
    assert (await browser.request(app_with(dict, node))).data == {}


async def test_no_activity_extends_the_absolute_timeout() -> None:
    """S-53."""
    time = Time()
    node = two_nodes(time, absolute_timeout="1h")[0]
    write = app_with(remember, node)
    browser = Browser()
    await browser.request(write)
    for _ in range(59):
        time.pass_seconds(60)
        assert (await browser.request(write)).set_cookies.keys() == {"__Host-sid-v"}
    time.pass_seconds(61)
    assert (await browser.request(app_with(dict, node))).data == {}


async def test_the_idle_timeout_of_one_session_can_be_set() -> None:
    time = Time()
    node = two_nodes(time)[0]

    def stay_longer(session: Session) -> None:
        session["a"] = 1
        session.max_inactive_interval = timedelta(hours=2)

    browser = Browser()
    await browser.request(app_with(stay_longer, node))
    time.pass_seconds(7000)
    assert (await browser.request(app_with(dict, node))).data == {"a": 1}


async def test_a_session_that_came_back_older_is_told_to_the_application_and_the_client() -> None:
    """C-12: the store has lost a commit that the client had seen; it is taken as it is."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    before = node.store.below._entries  # type: ignore[attr-defined]
    (entry,) = before.values()
    lost, attributes = entry.version, dict(entry.attributes)
    await browser.request(app_with(remember, node))
    entry.version, entry.attributes = lost, attributes
    response = await browser.request(app_with(lambda session: [session.rolled_back, session["visits"]], node))
    assert response.data == [True, 1]
    assert set(response.set_cookies) == {"__Host-sid-v"}
    assert node.manager.statistics.lost_commits_detected == 1
    response = await browser.request(app_with(lambda session: session.rolled_back, node))
    assert response.data is False
    assert response.set_cookies == {}


# -- methods and odd peers (R-47, R-54) --------------------------------------------------------------------------------


@pytest.mark.parametrize("late", ["allow", "refuse"])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_head_and_options_create_no_session(method: str, late: str) -> None:
    """R-47."""
    node = make_node(MemoryStore(), late_commit=late)
    response = await Browser().request(app_with(remember, node), method=method)
    assert response.status == 200
    assert response.set_cookies == {}
    assert node.store.counts["create"] == 0


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
async def test_head_and_options_change_a_session_that_exists(method: str) -> None:
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    await browser.request(app_with(remember, node), method=method)
    assert (await browser.request(app_with(dict, node))).data == {"visits": 2}


async def test_a_preflight_counts_as_no_access() -> None:
    """R-47."""
    node = make_node(MemoryStore())
    browser = Browser()
    await browser.request(app_with(remember, node))
    node.store.calls.clear()
    await browser.request(app_with(dict, node), method="OPTIONS")
    assert node.store.calls == ["load"]


@pytest.mark.parametrize("status", [204, 206, 304, 404])
async def test_every_status_below_500_can_carry_a_new_session(status: int) -> None:
    """R-33, S-41: a login may well answer 204."""
    response = await Browser().request(app_with(remember, status=status))
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}


@pytest.mark.parametrize(
    "odd",
    [
        {"client": None},
        {"headers": ()},
        {"extensions": None},
        {"server": None},
        {"http_version": "2"},
        {"scheme": None},
    ],
)
async def test_odd_scopes_are_served(odd: dict[str, Any]) -> None:
    """R-54."""
    response = await Browser().request(app_with(remember), **odd)
    assert response.status == 200
    assert len(response.set_cookies) == 2


@pytest.mark.parametrize("missing", ["headers", "client", "extensions", "root_path", "scheme", "state", "method"])
async def test_scopes_may_lack_what_is_optional(missing: str) -> None:
    """R-54."""
    scope = http_scope()
    del scope[missing]
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    await app_with(remember)(scope, receive, send)
    assert sent[0]["status"] == 200


async def test_the_applications_messages_and_headers_are_never_changed() -> None:
    """R-54, S-229."""
    mine = [(b"x-mine", b"1")]
    start = {"type": "http.response.start", "status": 200, "headers": mine}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["a"] = 1
        await send(start)
        await send({"type": "http.response.body", "body": b""})

    await Browser().request(SessionMiddleware(app, manager=make_node(MemoryStore()).manager))
    assert start == {"type": "http.response.start", "status": 200, "headers": mine}
    assert mine == [(b"x-mine", b"1")]


async def test_messages_of_any_type_pass_in_order_and_untouched() -> None:
    """R-46: early hints carry no cookie, other bodies are none of our business."""
    messages: list[dict[str, Any]] = [
        {"type": "http.response.debug", "info": {}},
        {"type": "http.response.early_hint", "links": [b"</a.css>"]},
        {"type": "http.response.push", "path": "/a", "headers": []},
        {"type": "http.response.start", "status": 200, "headers": [], "trailers": True},
        {"type": "http.response.zerocopysend", "file": 3},
        {"type": "http.response.pathsend", "path": "/etc/hostname"},
        {"type": "http.response.body", "body": b"x", "more_body": False},
        {"type": "http.response.trailers", "headers": [(b"x", b"y")]},
        {"type": "some.later.type"},
    ]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["a"] = 1
        for message in messages:
            await send(message)

    response = await Browser().request(SessionMiddleware(app, manager=make_node(MemoryStore()).manager))
    assert [message["type"] for message in response.messages] == [message["type"] for message in messages]
    for sent, given in zip(response.messages, messages, strict=True):
        if given["type"] == "http.response.start":
            assert sent["trailers"] is True
            assert any(name == b"set-cookie" for name, _ in sent["headers"])
        else:
            assert sent is given


async def test_two_hundred_requests_at_once_see_their_own_sessions_only() -> None:
    """R-40, R-53: nothing is carried over in context variables or connections, in coroutines nor in threads."""
    node = make_node(MemoryStore())

    async def own(scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        token = scope["path"]

        def check() -> None:
            assert session.setdefault("token", token) == token

        for _ in range(3):
            await asyncio.sleep(0)
            check()
            if token.endswith(("1", "5")):
                await asyncio.to_thread(check)
        await respond(send, session["token"].encode())

    app: ASGIApp = SessionMiddleware(own, manager=node.manager)
    browsers = [Browser() for _ in range(200)]
    for _ in range(2):
        paths = [f"/{number}" for number in range(200)]
        responses = await asyncio.gather(
            *(browser.request(app, path) for browser, path in zip(browsers, paths, strict=True))
        )
        assert [response.body.decode() for response in responses] == paths
    assert len({browser.cookies["__Host-sid"] for browser in browsers}) == 200


async def test_errors_have_stable_codes_and_pages() -> None:
    """What a program or an operator goes by."""
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "WsgessionsError"]
    assert all(kind.code.replace("_", "").isalpha() and kind.docs.endswith("/") for kind in kinds)
    assert len({kind.code for kind in kinds}) == len(kinds)
