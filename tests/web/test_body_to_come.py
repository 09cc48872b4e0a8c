"""Bodies that may look at the session after their headers are ready (S-40)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, Response, answering, http_scope
from tests.nodes import Node, on
from wsgessions import errors
from wsgessions.web import ASGIApp, Receive, Scope, Send

Headers = list[tuple[bytes, bytes]]


@pytest.fixture
async def browser(node: Node) -> Browser:
    """With a session."""
    browser = Browser()
    await browser.request(on(node, answering(lambda session: session.update(user="ann"))))
    return browser


def in_parts(*headers: tuple[bytes, bytes], looks: bool = True, parts: int = 2) -> ASGIApp:
    """An application whose body looks before its last part, if it does."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": iter(headers)})
        for _ in range(parts - 1):
            await send({"type": "http.response.body", "body": b"-", "more_body": True})
        user = scope["session"].get("user", "nobody") if looks else "untold"
        await send({"type": "http.response.body", "body": user.encode()})

    return app


def caching(response: Response) -> tuple[list[str], list[str]]:
    return response.header("vary"), response.header("cache-control")


async def test_what_is_made_on_the_way_depends_on_the_visitor(node: Node, browser: Browser) -> None:
    for looks in (True, False):
        response = await browser.request(on(node, in_parts(looks=looks)))
        assert caching(response) == (["Cookie"], ["private"])
    assert response.body == b"-untold"


async def test_without_an_id_it_is_the_page_of_no_session(node: Node) -> None:
    response = await Browser().request(on(node, in_parts((b"cache-control", b"max-age=60"))))
    assert caching(response) == (["Cookie"], ["max-age=60"])
    assert response.body == b"-nobody"


async def test_what_is_complete_at_once_and_does_not_look_has_no_header(node: Node, browser: Browser) -> None:
    """R-30."""
    response = await browser.request(on(node, in_parts(looks=False, parts=1)))
    assert response.start["headers"] == []


@pytest.mark.parametrize(
    ("message", "marked"),
    [
        ({"type": "http.response.push", "path": "/style.css", "headers": []}, True),
        ({"type": "http.response.pathsend", "path": "/srv/page"}, False),
        ({"type": "http.response.zerocopysend", "file": 7, "more_body": True}, True),
    ],
    ids=lambda case: case["type"] if isinstance(case, dict) else "",
)
async def test_other_messages_than_bodies_are_known_too(
    node: Node, browser: Browser, message: dict[str, Any], marked: bool
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send(message)

    response = await browser.request(on(node, app))
    assert response.messages[1] == message
    assert caching(response) == ((["Cookie"], ["private"]) if marked else ([], []))


async def test_a_look_between_headers_and_body_is_in_time(node: Node, browser: Browser) -> None:
    response = await browser.request(on(node, in_parts(parts=1)))
    assert (response.body, caching(response)) == (b"ann", (["Cookie"], ["private"]))


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["public, max-age=60"], ["private, max-age=60"]),
        (["S-MaxAge=60", "max-age=5"], ["private, max-age=5"]),
        (["no-store"], ["no-store"]),
        (["private, max-age=5"], ["private, max-age=5"]),
        ([""], ["private"]),
    ],
)
async def test_what_the_application_says_of_the_browsers_cache_stays(
    node: Node, browser: Browser, said: Iterable[str], kept: list[str]
) -> None:
    fields = [(b"Cache-Control", each.encode()) for each in said]
    response = await browser.request(on(node, in_parts(*fields, (b"CDN-Cache-Control", b"max-age=9"))))
    assert response.header("cache-control") == kept
    assert response.header("cdn-cache-control") == []


@pytest.mark.parametrize("name", [b"content-length", b"Content-Length", b"etag", b"Last-Modified"])
async def test_a_thing_that_is_there_already_stays_for_all(node: Node, browser: Browser, name: bytes) -> None:
    """Such as a file, which any cache may keep: its body must not begin to look."""
    fields = [(b"cache-control", b"public"), (name, b"7")]
    response = await browser.request(on(node, in_parts(*fields, looks=False)))
    assert response.start["headers"] == fields
    for visitor in (browser, Browser()):
        response = Response()
        with pytest.raises(errors.SessionClosed, match="its headers do not declare"):
            await _into(response, on(node, in_parts(*fields, parts=3)), visitor)
        assert response.body == b"--"


async def test_a_log_may_look_when_the_headers_of_a_thing_have_left(node: Node, browser: Browser) -> None:
    """What it sees is not in the body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        assert scope["session"]["user"] == "ann"
        for more in (True, False):
            await send({"type": "http.response.body", "body": b"-", "more_body": more})

    response = await browser.request(on(node, app))
    assert (response.body, caching(response)) == (b"--", ([], []))


async def test_headers_do_not_wait_for_a_body_that_waits(node: Node, browser: Browser) -> None:
    """An event stream is open before its first event."""
    event = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await event.wait()
        await send({"type": "http.response.body", "body": scope["session"]["user"].encode()})

    async with Call(on(node, app), http_scope(headers=browser.header)) as call:
        start = await call.take("http.response.start")
        assert start["headers"] == [(b"vary", b"Cookie"), (b"cache-control", b"private")]
        event.set()
        assert (await call.take())["body"] == b"ann"


async def test_a_body_waits_for_headers_that_are_leaving(node: Node, browser: Browser) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)  # in which the headers begin to leave, which takes the server a turn
        await send({"type": "http.response.body", "body": b"x"})

    async with Call(on(node, app), http_scope(headers=browser.header)) as call:
        await call.end()
        assert [message["type"] for message in call.response.messages] == [
            "http.response.start",
            "http.response.body",
        ]


async def test_a_client_that_is_gone_is_told_to_the_body(node: Node, browser: Browser) -> None:
    """R-35."""
    seen: list[type] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await asyncio.sleep(0)
        try:
            await send({"type": "http.response.body", "body": b"x"})
        except OSError as error:
            seen.append(type(error))

    async with Call(on(node, app), http_scope(headers=browser.header)) as call:
        call.break_connection()
    assert seen == [OSError]


async def test_headers_without_a_body_leave_room_for_the_answer_of_an_error(node: Node, browser: Browser) -> None:
    """F-00a: nothing has left yet, so that a store in trouble is a 503, and a bug what the server makes of it."""

    async def troubled(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise errors.StoreUnavailable("away")

    async def faulty(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("a bug")

    assert (await browser.request(on(node, troubled))).status == 503
    response = Response()
    with pytest.raises(RuntimeError, match="a bug"):
        await _into(response, on(node, faulty), browser)
    await asyncio.sleep(0)
    assert response.messages == []


async def test_a_cancelled_call_sends_nothing_more(node: Node, browser: Browser) -> None:
    """R-35."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    response = Response()
    with pytest.raises(asyncio.CancelledError):
        await _into(response, on(node, app), browser)
    await asyncio.sleep(0)
    assert response.messages == []


async def _into(response: Response, app: ASGIApp, browser: Browser) -> None:
    async def send(message: Any) -> None:
        response.messages.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await app(http_scope(headers=browser.header), receive, send)
