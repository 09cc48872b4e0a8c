"""The header transport (S-05): what a request presents by header and cookies together, and what it is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.asgi_driver import Browser, Call, Response, answering, logout, rotate, websocket_scope
from tests.nodes import Node, make_node
from wsgessions.credentials.identity import new_session_id
from wsgessions.credentials.presented import CredentialChannel, CredentialStatus, PresentedCredentials
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.middleware import SessionMiddleware
from wsgessions.settings import SessionSettings
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import Receive, Scope, Send
from wsgessions.web.id_resolver import SessionIdResolver

ONE, OTHER = new_session_id(), new_session_id()
ABSENT, PRESENT = CredentialStatus.ABSENT, CredentialStatus.PRESENT
MALFORMED, CONFLICTING, OVERSIZED = CredentialStatus.MALFORMED, CredentialStatus.CONFLICTING, CredentialStatus.OVERSIZED
BY_COOKIE, BY_HEADER = CredentialChannel.COOKIE, CredentialChannel.HEADER

transport = SessionIdResolver(SessionSettings(store_url="memory:", header="X-Session-Id"))


def cookie(value: str) -> tuple[bytes, bytes]:
    return b"cookie", f"__Host-sid={value}".encode()


def header(value: str, name: str = "X-Session-Id") -> tuple[bytes, bytes]:
    return name.encode(), value.encode("latin-1")


@pytest.mark.parametrize(
    ("headers", "presented"),
    [
        ([], PresentedCredentials()),
        ([cookie(ONE)], PresentedCredentials(ONE, None, PRESENT)),
        ([header(ONE)], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        ([header(ONE, "x-session-id")], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        ([header(f" {ONE}\t")], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        ([header(ONE), header(ONE)], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        (
            [header(ONE), header("mark", "X-Session-Id-Watermark")],
            PresentedCredentials(ONE, "mark", PRESENT, BY_HEADER),
        ),
        ([header("mark", "X-Session-Id-Watermark")], PresentedCredentials()),
        ([header("")], PresentedCredentials(carrier=BY_HEADER)),
        ([header("none")], PresentedCredentials(carrier=BY_HEADER)),
        ([header(ONE), header(OTHER)], PresentedCredentials(finding=CONFLICTING, carrier=BY_HEADER)),
        ([header(ONE), header("")], PresentedCredentials(finding=CONFLICTING, carrier=BY_HEADER)),
        ([header(f"{ONE}, {ONE}")], PresentedCredentials(finding=MALFORMED, carrier=BY_HEADER)),
        ([header("null")], PresentedCredentials(finding=MALFORMED, carrier=BY_HEADER)),
        ([cookie(ONE), header(ONE)], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        ([cookie(ONE), header(OTHER)], PresentedCredentials(finding=CONFLICTING, carrier=BY_HEADER)),
        ([cookie(ONE), header("x")], PresentedCredentials(finding=MALFORMED, carrier=BY_HEADER)),
        ([cookie("x"), header(ONE)], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        ([cookie("x"), header("none")], PresentedCredentials(carrier=BY_HEADER)),
        ([cookie(ONE), cookie("x"), header(ONE)], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
        ([cookie("x"), header("x")], PresentedCredentials(finding=MALFORMED, carrier=BY_HEADER)),
        ([cookie(ONE), cookie(OTHER), header(ONE)], PresentedCredentials(finding=CONFLICTING, carrier=BY_HEADER)),
        ([(b"cookie", b"a" * 20_000), header(ONE)], PresentedCredentials(finding=OVERSIZED)),
        ([(b"cookie", b"foreign=1"), header(ONE)], PresentedCredentials(ONE, None, PRESENT, BY_HEADER)),
    ],
)
def test_what_cookies_and_header_say_together(headers: Any, presented: PresentedCredentials) -> None:
    """S-05, S-29: two ids are none."""
    assert transport.read(headers) == presented
    assert transport.read(iter(headers)) == presented


@pytest.mark.parametrize("asking", ["", "none"])
def test_who_has_a_cookie_gets_no_id_that_scripts_can_read(asking: str) -> None:
    """S-20: else HttpOnly would keep the id from nobody."""
    assert transport.read([cookie(ONE), header(asking)]) == PresentedCredentials(ONE, None, PRESENT, BY_COOKIE)


@given(st.binary(max_size=100))
def test_no_value_makes_an_error(value: bytes) -> None:
    """S-04: what is not an id is none."""
    presented = transport.read([(b"x-session-id", value)])
    assert presented.carrier is BY_HEADER
    assert (presented.id is not None) == (presented.finding is PRESENT)


def test_without_the_setting_only_cookies_are_read() -> None:
    off = SessionIdResolver(SessionSettings(store_url="memory:"))
    assert off.read([header(ONE)]) == PresentedCredentials()
    assert off.vary == (b"vary", b"Cookie")


# -- the setting -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["X-Session-Id", "session", "X_Cart.Session"])
def test_a_name_of_ones_own_is_taken(name: str) -> None:
    assert SessionSettings(header=name).header == name


@pytest.mark.parametrize("nothing", [None, "off", "None"])
def test_it_can_be_turned_off_by_a_word(nothing: str | None) -> None:
    assert SessionSettings(header=nothing).header is None


@pytest.mark.parametrize(
    "name",
    [
        *("", "X Session", "X-Séance", "X-Session:", "X-Session\r\nX", "X-Session\n", "x" * 101),
        *("Authorization", "COOKIE", "Set-Cookie", "host", "Content-Length", "Vary", "Cache-Control"),
        *("Proxy-Authorization", "Sec-Fetch-Site", "X-Forwarded-For", "If-None-Match", "Accept"),
    ],
)
def test_other_names_are_refused_at_the_start(name: str) -> None:
    """S-05, S-28."""
    with pytest.raises(ConfigError, match="header"):
        SessionSettings(header=name)


# -- what a client is told ---------------------------------------------------------------------------------------------


@pytest.fixture
def node() -> Node:
    return make_node(MemoryStore(), header="X-Session-Id")


async def ask(node: Node, handler: Any, *headers: tuple[bytes, bytes], browser: Browser | None = None) -> Response:
    app = SessionMiddleware(answering(handler, headers=[(b"x-session-id", b"echo")]), manager=node.manager)
    return await (browser or Browser()).request(app, headers=headers)


def put(session: Any) -> None:
    session["color"] = "red"


async def given_id(node: Node) -> str:
    (session_id,) = (await ask(node, put, header(""))).header("x-session-id")
    return session_id


async def test_the_answer_has_one_such_header_whatever_the_application_sends(node: Node) -> None:
    response = await ask(node, put, header(""))
    assert len(response.header("x-session-id")) == len(response.header("x-session-id-watermark")) == 1
    assert response.header("x-session-id") != ["echo"]
    assert response.header("cache-control") == ["no-store"]
    assert not response.set_cookies


async def test_who_does_not_ask_gets_a_cookie(node: Node) -> None:
    """The header is for those who say that they know it."""
    response = await ask(node, put)
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}
    assert response.header("vary") == ["Cookie, X-Session-Id"]


async def test_a_change_raises_the_watermark_alone_and_a_read_says_nothing(node: Node) -> None:
    """S-33, C-13."""
    session_id = await given_id(node)
    changed = await ask(node, put, header(session_id))
    (mark,) = changed.header("x-session-id-watermark")
    assert changed.header("x-session-id") == ["echo"]
    assert changed.header("cache-control") == ["private, no-cache"]
    read = await ask(node, dict, header(session_id), header(mark, "X-Session-Id-Watermark"))
    assert read.data == {"color": "red"}
    assert not read.header("x-session-id-watermark")
    assert not read.header("cache-control")


async def test_a_rotation_tells_the_new_id_and_ends_the_old_one(node: Node) -> None:
    """S-06."""
    session_id = await given_id(node)
    (moved,) = (await ask(node, rotate, header(session_id))).header("x-session-id")
    assert (await ask(node, dict, header(moved))).data == {"color": "red"}
    assert (await ask(node, dict, header(session_id))).data == {}


async def test_a_rotation_in_doubt_is_told_and_followed_by_header(node: Node) -> None:
    """C-23."""
    session_id, answer = await given_id(node), node.store.after

    async def lose(name: str) -> None:
        if name == "rotate":
            raise StoreUnavailable("the answer is lost", unknown=True)

    node.store.after = lose
    refused = await ask(node, rotate, header(session_id))
    assert (refused.status, refused.header("x-session-id"), refused.set_cookies) == (503, [], {})
    (move,) = refused.header("x-session-id-watermark")
    node.store.after = answer
    assert (await ask(node, dict, header(session_id))).data == {}
    found = await ask(node, dict, header(session_id), header(move, "X-Session-Id-Watermark"))
    assert (found.data, found.set_cookies) == ({"color": "red"}, {})
    (moved,) = found.header("x-session-id")
    assert moved not in {session_id, "echo"}
    assert (await ask(node, dict, header(moved))).data == {"color": "red"}


async def test_a_logout_is_told_and_nothing_is_asked_of_who_had_nothing(node: Node) -> None:
    """S-32."""
    session_id = await given_id(node)
    assert (await ask(node, logout, header(session_id))).header("x-session-id") == ["none"]
    assert (await ask(node, logout, header("none"))).header("x-session-id") == ["echo"]
    node.store.calls.clear()
    assert (await ask(node, put, header("none"))).header("x-session-id") != ["none"]


@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_a_header_and_a_cookie_with_another_id_are_no_session(node: Node, scheme: str) -> None:
    """In development over plain http too, where the cookie has another name."""
    browser = Browser()
    app = SessionMiddleware(answering(put), manager=node.manager)
    await browser.request(app, scheme=scheme)
    other = await given_id(node)
    reader = SessionMiddleware(answering(dict), manager=node.manager)
    assert (await browser.request(reader, headers=(header(other),), scheme=scheme)).data == {}
    assert node.manager.statistics.conflicting_ids == 1


async def test_a_malformed_header_asks_no_store_and_is_counted(node: Node) -> None:
    """S-04, S-11."""
    response = await ask(node, dict, header("x" * 43 + "\n"), header("../etc"))
    assert (response.status, response.data) == (200, {})
    assert node.manager.statistics.conflicting_ids == 1
    await ask(node, dict, header("../etc"))
    assert node.manager.statistics.malformed_ids == 1
    assert not node.store.calls


async def test_cookie_and_header_of_one_session_are_answered_by_header(node: Node) -> None:
    session_id = await given_id(node)
    browser = Browser(**{"__Host-sid": session_id})
    response = await ask(node, rotate, header(session_id), browser=browser)
    assert len(response.header("x-session-id")[0]) == 43
    assert not response.set_cookies


async def test_a_persistent_cookie_does_not_make_the_header_repeat_itself() -> None:
    """S-27 is for browsers."""
    node = make_node(MemoryStore(), header="X-Session-Id", cookie={"max_age": "1h"})
    session_id = await given_id(node)
    assert (await ask(node, put, header(session_id))).header("x-session-id") == ["echo"]


async def test_a_refused_request_tells_the_id_to_which_its_session_has_moved(node: Node) -> None:
    """R-34: by the header, too."""
    session_id = await given_id(node)

    async def rotate_and_fail(session: Any) -> None:
        await session.rotate_id()
        raise StoreUnavailable("away")

    response = await ask(node, rotate_and_fail, header(session_id))
    assert response.status == 503
    (moved,) = response.header("x-session-id")
    assert (await ask(node, dict, header(moved))).data == {"color": "red"}


@pytest.mark.parametrize("asking", ["", None])
async def test_a_websocket_is_told_with_its_acceptance(node: Node, asking: str | None) -> None:
    """R-41."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["color"] = "red"
        await send({"type": "websocket.accept"})

    headers = [] if asking is None else [header(asking)]
    async with Call(SessionMiddleware(app, manager=node.manager), websocket_scope(headers=headers)) as call:
        await call.take("websocket.accept")
    assert bool(call.response.header("x-session-id")) == (asking is not None)
    assert bool(call.response.set_cookies) == (asking is None)
