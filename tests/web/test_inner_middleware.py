"""The session's headers for layers between the sessions and the application (S-40)."""

from __future__ import annotations

import asyncio

import pytest

from tests.asgi_driver import Browser, answering, http_scope, respond, websocket_scope
from tests.nodes import Node
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send
from wsgessions.web.inner_middleware import InnerSessionMiddleware

Fields = list[tuple[bytes, bytes]]


def remember(session: Session) -> None:
    session["visits"] = session.get("visits", 0) + 1


class Layered:
    """An application behind a layer that notes headers, and does something when they come by."""

    def __init__(self, node: Node, app: ASGIApp, *, then: object = None) -> None:
        self.seen: list[Fields] = []
        self._inside = InnerSessionMiddleware(app)
        self._then = then
        self.app = SessionMiddleware(self.layer, manager=node.manager)

    async def layer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if message["type"].endswith(".start"):
                self.seen.append([(name.lower(), value) for name, value in message.get("headers") or ()])
                if callable(self._then):
                    message = self._then(scope, message) or message
            await send(message)

        await self._inside(scope, receive, note)


def names(fields: Fields) -> list[bytes]:
    return sorted(value.partition(b"=")[0] if name == b"set-cookie" else name for name, value in fields)


ALL = [b"__Host-sid", b"__Host-sid-v", b"cache-control", b"vary"]


async def test_what_leaves_is_what_the_layer_saw(node: Node) -> None:
    layered, browser = Layered(node, answering(remember)), Browser()
    response = await browser.request(layered.app)
    assert names(layered.seen[0]) == names(response.start["headers"]) == ALL
    response = await browser.request(layered.app)
    assert names(layered.seen[1]) == names(response.start["headers"]) == ALL[1:]
    assert [node.store.counts[each] for each in ("create", "load", "apply")] == [1, 1, 1]


async def test_a_change_of_the_layer_is_told_in_place_of_what_was_told_before(node: Node) -> None:
    """C-11: one watermark, the later one."""
    layered = Layered(node, answering(remember), then=lambda scope, _: scope["session"].update(seen=True))
    browser = Browser()
    response = await browser.request(layered.app)
    assert names(response.start["headers"]) == ALL
    assert response.header("cache-control") == ["no-store"]
    assert (await browser.request(SessionMiddleware(answering(dict), manager=node.manager))).data == {
        "visits": 1,
        "seen": True,
    }
    told = {value for name, value in layered.seen[0] if name == b"set-cookie"}
    given = {value.encode() for value in response.header("set-cookie")}
    assert told & given == {response.header("set-cookie")[-1].encode()}  # the id; the watermark is another one
    assert response.header("set-cookie")[-1].startswith("__Host-sid=")


async def test_a_logout_by_the_layer_takes_back_what_was_told(node: Node) -> None:
    browser = Browser()
    await browser.request(Layered(node, answering(remember)).app)
    layered = Layered(node, answering(remember), then=lambda scope, _: scope["session"].invalidate() and None)
    response = await browser.request(layered.app)
    assert all("Max-Age=0" in value for value in response.header("set-cookie"))
    assert len(response.header("set-cookie")) == 2
    assert browser.cookies == {}


async def test_a_layer_cannot_open_to_caches_what_sets_cookies(node: Node) -> None:
    """S-41."""

    def open_up(_: Scope, message: Message) -> Message:
        kept = [field for field in message["headers"] if field[0] != b"cache-control"]
        return {**message, "headers": [*kept, (b"cache-control", b"public, max-age=60")]}

    layered, browser = Layered(node, answering(remember), then=open_up), Browser()
    assert (await browser.request(layered.app)).header("cache-control") == ["no-store"]
    assert (await browser.request(layered.app)).header("cache-control") == ["private, no-cache"]


async def test_an_error_that_the_layer_makes_a_page_of_drops_the_changes(node: Node) -> None:
    """R-33: the application's 5xx are told outside."""
    layered, browser = Layered(node, answering(remember, status=500)), Browser()
    response = await browser.request(layered.app)
    assert (response.status, response.set_cookies, layered.seen) == (500, {}, [[]])
    assert node.store.counts["create"] == 0


async def test_the_layer_sees_the_503_of_a_store_that_is_down(node: Node) -> None:
    """F-00a, R-34."""
    layered, browser = Layered(node, answering(remember)), Browser()
    node.store.down = True
    response = await browser.request(layered.app)
    assert response.status == 503
    assert layered.seen == [response.start["headers"]]


async def test_a_stream_depends_on_the_visitor_before_it_looks(node: Node) -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"-", "more_body": True})
        len(scope["session"])
        await send({"type": "http.response.body", "body": b"-"})

    layered = Layered(node, stream)
    response = await Browser(**{"__Host-sid": "A" * 43}).request(layered.app)
    expected = [(b"vary", b"Cookie"), (b"cache-control", b"private")]
    assert layered.seen == [expected]
    assert response.start["headers"] == expected


@pytest.mark.parametrize("fails_by", ["the session", "the application", "a cancellation"])
async def test_headers_that_wait_for_a_body_are_not_sent_after_an_error(node: Node, fails_by: str) -> None:
    """R-34, S-40: the layer sees one response, the error's; and none if the error is not answered inside."""

    async def begin(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if fails_by == "the session":
            len(scope["session"])
        raise RuntimeError("the application") if fails_by == "the application" else asyncio.CancelledError

    browser, layered = Browser(), Layered(node, begin)
    await browser.request(SessionMiddleware(answering(remember), manager=node.manager))
    if fails_by == "the session":
        node.store.down = True
        response = await browser.request(layered.app)
        assert response.status == 503
        assert layered.seen == [response.start["headers"]]
    else:
        with pytest.raises((RuntimeError, asyncio.CancelledError)):
            await browser.request(layered.app)
        for _ in range(3):  # turns of the loop, in one of which the headers would leave
            await asyncio.sleep(0)
        assert layered.seen == []


async def test_a_layer_that_calls_the_application_again_gets_no_second_response(node: Node) -> None:
    """R-34: a 200 would be for changes that were not stored."""
    inside = InnerSessionMiddleware(answering(remember))
    statuses: list[int] = []

    async def again(scope: Scope, receive: Receive, send: Send) -> None:
        async def note(message: Message) -> None:
            if "status" in message:
                statuses.append(message["status"])
            await send(message)

        await inside(scope, receive, note)
        await inside(scope, receive, note)

    node.store.down = True
    response = await Browser().request(SessionMiddleware(again, manager=node.manager))
    assert (response.status, statuses) == (503, [503])


async def test_an_error_response_passes_two_inner_parts(node: Node) -> None:
    """R-49: the inner part of a mounted application stands inside of that of the whole."""
    mounted = Layered(node, answering(remember))
    whole = Layered(node, mounted.layer)
    node.store.down = True
    response = await Browser().request(whole.app)
    assert response.status == 503
    assert mounted.seen == whole.seen == [response.start["headers"]]


async def test_what_the_framework_puts_in_the_place_of_the_session_is_left_to_the_outside(node: Node) -> None:
    async def replacing(scope: Scope, receive: Receive, send: Send) -> None:
        remember(scope["session"])
        scope["session"] = {"other": True}
        await respond(send)

    layered = Layered(node, replacing)
    response = await Browser().request(layered.app)
    assert layered.seen == [[(b"vary", b"Cookie")]]
    assert names(response.start["headers"]) == ALL


async def test_a_second_response_is_not_told_of_the_session(node: Node) -> None:
    """What comes after the headers have left is no business of the session's; a server refuses it."""

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        remember(scope["session"])
        await respond(send)
        await respond(send)

    layered = Layered(node, twice)
    await Browser().request(layered.app)
    assert [names(fields) for fields in layered.seen] == [ALL, []]


@pytest.mark.parametrize(
    "scope", [http_scope(), websocket_scope(), {"type": "lifespan"}], ids=["http", "ws", "lifespan"]
)
async def test_without_sessions_around_it_nothing_happens(scope: Scope) -> None:
    calls: list[Send] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        calls.append(send)

    async def send(message: Message) -> None:
        raise AssertionError(message)

    await InnerSessionMiddleware(app)(scope, None, send)  # type: ignore[arg-type]  # nothing is received
    assert calls == [send]
