"""A WebSocket with its session (R-41 to R-43)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, answering, logout, websocket_scope
from tests.nodes import Node, make_node, on, two_nodes
from wsgessions import errors
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send


def connecting(node: Node, app: ASGIApp, browser: Browser, **scope: Any) -> Call:
    call = Call(on(node, app), websocket_scope(headers=browser.header, **scope))
    call.give("websocket.connect")
    return call


async def known_to(node: Node) -> Browser:
    """A browser with a session of ``{"n": 1}``."""
    browser = Browser()
    await browser.request(on(node, answering(lambda session: session.update(n=1))))
    node.store.calls.clear()
    return browser


async def stored(node: Node, browser: Browser) -> Any:
    return (await browser.copy().request(on(node, answering(dict)))).data


def socket(
    before: Callable[[Session], Any] = lambda session: None, on_text: Callable[[Session, str], Any] | None = None
) -> ASGIApp:
    """An application that works once before it accepts, and once for each message."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        await receive()
        before(session)
        await send({"type": "websocket.accept", "subprotocol": "chat", "headers": []})
        while (message := await receive())["type"] == "websocket.receive":
            result = on_text(session, message["text"]) if on_text else None
            if result is not None:
                await result
            await send({"type": "websocket.send", "text": "done"})

    return app


def denying(before: Callable[[Session], Any], status: int = 403) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        before(scope["session"])
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"denied"})

    return app


def set_two(session: Session, text: str = "") -> None:
    session["n"] = 2


# -- the handshake -----------------------------------------------------------------------------------------------------


async def test_a_session_can_be_made_before_the_accept(node: Node) -> None:
    """R-41: its cookies go out in the accept's headers; the subprotocol stays."""
    browser = Browser()
    async with connecting(node, socket(set_two), browser) as call:
        accept = await call.take("websocket.accept")
        browser.take(call.response)
        call.give("websocket.disconnect", code=1000)
    assert accept["subprotocol"] == "chat"
    assert set(call.response.set_cookies) == {"__Host-sid", "__Host-sid-v"}
    assert await stored(node, browser) == {"n": 2}


async def test_a_session_can_be_read_before_the_accept(node: Node) -> None:
    browser = await known_to(node)
    seen: list[Any] = []
    async with connecting(node, socket(lambda session: seen.append(session["n"])), browser) as call:
        await call.take("websocket.accept")
        call.give("websocket.disconnect", code=1000)
    assert seen == [1]
    assert call.response.set_cookies == {}
    assert call.response.header("vary") == ["Cookie"]


async def test_an_untouched_socket_gets_no_header(node: Node) -> None:
    browser = await known_to(node)
    async with connecting(node, socket(), browser) as call:
        accept = await call.take("websocket.accept")
        call.give("websocket.disconnect", code=1000)
    assert accept["headers"] == []
    assert node.store.calls == ["load"]


async def test_a_denial_makes_no_session(node: Node) -> None:
    """R-41."""
    async with connecting(node, denying(set_two), Browser()) as call:
        pass
    assert call.response.status == 403
    assert call.response.body == b"denied"
    assert call.response.set_cookies == {}
    assert node.store.calls == []


async def test_a_denial_keeps_what_it_changed_in_a_session_that_exists(node: Node) -> None:
    """R-41: its headers carry the watermark."""
    browser = await known_to(node)
    async with connecting(node, denying(set_two), browser) as call:
        pass
    assert set(call.response.set_cookies) == {"__Host-sid-v"}
    assert await stored(node, browser) == {"n": 2}


async def test_a_denial_with_a_server_error_changes_nothing(node: Node) -> None:
    browser = await known_to(node)
    async with connecting(node, denying(set_two, 500), browser) as call:
        pass
    assert call.response.status == 500
    assert await stored(node, browser) == {"n": 1}


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4403, "no"), (1008, None)])
async def test_a_close_before_the_accept_passes_as_it_is(node: Node, code: int, reason: str | None) -> None:
    """R-41: it has no headers, so no session begins; one that exists keeps the change."""
    close = {"type": "websocket.close", "code": code, "reason": reason}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        set_two(scope["session"])
        await send(close)

    browser = await known_to(node)
    for visitor in (browser, Browser()):
        async with connecting(node, app, visitor) as call:
            pass
        assert call.response.messages == [close]
    assert await stored(node, browser) == {"n": 2}
    assert node.store.counts["create"] == 0


# -- messages ----------------------------------------------------------------------------------------------------------


async def test_what_a_message_changed_is_stored_before_the_answer_leaves(node: Node) -> None:
    """R-42, C-13."""
    browser = await known_to(node)
    async with connecting(node, socket(on_text=lambda session, text: session.update(n=text)), browser) as call:
        await call.take("websocket.accept")
        for text in ("a", "b"):
            call.give("websocket.receive", text=text)
            await call.take("websocket.send")
            assert await stored(node, browser) == {"n": text}
        call.give("websocket.disconnect", code=1000)


async def test_what_a_message_changed_is_stored_without_an_answer_when_the_next_is_asked_for(node: Node) -> None:
    """R-42."""
    browser = await known_to(node)
    seen: list[Any] = []

    async def silent(scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            seen.append(await stored(node, browser))
            session["n"] = message["text"]

    async with connecting(node, silent, browser) as call:
        await call.take("websocket.accept")
        for text in ("a", "b", "c"):
            call.give("websocket.receive", text=text)
        call.give("websocket.disconnect", code=1000)
    assert seen == [{"n": 1}, {"n": "a"}, {"n": "b"}]
    assert await stored(node, browser) == {"n": "c"}


async def test_two_tasks_that_send_at_once_commit_once(node: Node) -> None:
    browser = await known_to(node)

    async def twice(scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        await receive()
        await send({"type": "websocket.accept"})
        session["n"] = 2
        node.store.calls.clear()
        await asyncio.gather(*(send({"type": "websocket.send", "text": text}) for text in "ab"))

    async with connecting(node, twice, browser) as call:
        await call.take("websocket.accept")
    assert node.store.counts["apply"] == 1


async def test_messages_that_change_nothing_are_not_committed(node: Node) -> None:
    """R-42: nor is a value that was only looked at."""
    browser = Browser()
    await browser.request(on(node, answering(lambda session: session.update(cart=["tea"]))))

    async with connecting(node, socket(on_text=lambda session, text: session.get("cart") and None), browser) as call:
        await call.take("websocket.accept")
        for _ in range(3):
            call.give("websocket.receive", text="x")
            await call.take("websocket.send")
        call.give("websocket.disconnect", code=1000)
    assert node.store.counts["apply"] == 0


async def test_where_late_changes_wait_for_the_barrier_each_message_does() -> None:
    """C-13: once for each commit, and not for messages that change nothing."""
    node = make_node(MemoryStore(), late_commit="barrier")
    browser = await known_to(node)
    waits: list[float] = []

    async def note(deadline: float) -> None:
        waits.append(deadline)

    node.manager.requests.repository.barrier = note  # type: ignore[method-assign]
    async with connecting(node, socket(on_text=lambda session, text: session.update(n=text)), browser) as call:
        await call.take("websocket.accept")
        for text in ("a", "b", "b", "b"):
            call.give("websocket.receive", text=text)
            await call.take("websocket.send")
        call.give("websocket.disconnect", code=1000)
    assert len(waits) == 2


async def test_a_commit_is_kept_at_once(node: Node) -> None:
    """R-42."""
    browser = await known_to(node)

    def commit(session: Session, text: str) -> Any:
        session["n"] = text
        return session.commit()

    async with connecting(node, socket(on_text=commit), browser) as call:
        await call.take("websocket.accept")
        for text in ("a", "b"):
            call.give("websocket.receive", text=text)
            await call.take("websocket.send")
            assert await stored(node, browser) == {"n": text}
        call.give("websocket.disconnect", code=1000)


async def test_an_old_socket_overwrites_nothing_that_it_did_not_change() -> None:
    """R-43, K-02: after an hour of requests, its commit sends one attribute."""
    one, other = two_nodes()
    browser = await known_to(one)

    def commit(session: Session, text: str) -> Any:
        session["socket"] = text
        return session.commit()

    async with connecting(other, socket(on_text=commit), browser.copy()) as call:
        await call.take("websocket.accept")
        for number in range(20):
            change = partial(Session.update, **{f"a{number}": number})
            await browser.request(on(one, answering(change)))
        call.give("websocket.receive", text="x")
        await call.take("websocket.send")
        call.give("websocket.disconnect", code=1000)
    assert await stored(one, browser) == {"n": 1, "socket": "x", **{f"a{n}": n for n in range(20)}}


async def test_no_session_begins_once_the_socket_is_open(node: Node) -> None:
    """R-38."""
    with pytest.raises(errors.SessionClosed):
        async with connecting(node, socket(on_text=set_two), Browser()) as call:
            await call.take("websocket.accept")
            call.give("websocket.receive", text="x")
    assert node.store.calls == []


async def test_a_handler_that_raises_changes_nothing(node: Node) -> None:
    """R-31."""

    def fail(session: Session, text: str) -> None:
        set_two(session)
        raise RuntimeError("mine")

    browser = await known_to(node)
    with pytest.raises(RuntimeError, match="mine"):
        async with connecting(node, socket(on_text=fail), browser) as call:
            await call.take("websocket.accept")
            call.give("websocket.receive", text="x")
    assert await stored(node, browser) == {"n": 1}


# -- trouble -----------------------------------------------------------------------------------------------------------


def read(session: Session, text: str = "") -> None:
    assert session["n"]


@pytest.mark.parametrize("handler", [read, set_two, logout])
async def test_a_stopped_store_denies_the_handshake_with_a_503(node: Node, handler: Callable[[Session], Any]) -> None:
    """F-00a."""
    browser = await known_to(node)
    node.store.down = True
    async with connecting(node, socket(handler), browser) as call:
        pass
    assert call.response.status == 503
    assert call.response.header("retry-after") == ["1"]
    assert call.response.set_cookies == {}
    assert [message["type"] for message in call.response.messages] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]


@pytest.mark.parametrize("extensions", [None, {}, {"other": {}}])
async def test_without_the_denial_extension_the_handshake_is_closed(node: Node, extensions: Any) -> None:
    """R-41, R-54: 1013 says try again later."""
    browser = await known_to(node)
    node.store.down = True
    async with connecting(node, socket(set_two), browser, extensions=extensions) as call:
        pass
    (close,) = call.response.messages
    assert (close["type"], close["code"]) == ("websocket.close", 1013)


async def test_a_stopped_store_closes_an_open_socket(node: Node) -> None:
    browser = await known_to(node)

    async def refresh(session: Session, text: str) -> None:
        node.store.down = True
        await session.refresh()

    async with connecting(node, socket(on_text=refresh), browser) as call:
        await call.take("websocket.accept")
        call.give("websocket.receive", text="x")
        close = await call.take("websocket.close")
    assert close["code"] == 1013


async def test_a_session_that_ended_elsewhere_closes_the_socket() -> None:
    """R-42, S-54: at its next use of the store."""
    one, other = two_nodes()
    browser = await known_to(one)
    async with connecting(other, socket(on_text=lambda session, text: session.refresh()), browser.copy()) as call:
        await call.take("websocket.accept")
        await browser.request(on(one, answering(logout)))
        call.give("websocket.receive", text="x")
        close = await call.take("websocket.close")
    assert close["code"] == 1008
    assert "session has ended" in close["reason"]


async def test_what_cannot_be_stored_denies_the_handshake_with_a_500(node: Node) -> None:
    call = connecting(node, socket(lambda session: session.update(bad=object())), Browser())
    with pytest.raises(errors.CodecError, match="'bad'"):
        async with call:
            pass
    assert call.response.status == 500


async def test_a_client_that_goes_away_leaves_what_was_done(node: Node) -> None:
    """R-35: a finished handler's changes are kept although nobody could be told."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        set_two(scope["session"])
        with suppress(OSError):
            await send({"type": "websocket.send", "text": "x"})

    browser = await known_to(node)
    async with connecting(node, app, browser) as call:
        await call.take("websocket.accept")
        call.break_connection()
    assert await stored(node, browser) == {"n": 2}


# -- frameworks that make a close of an error themselves ---------------------------------------------------------------


def closing(code: int, before: Callable[[Session], Any], *, accepts: bool = True) -> ASGIApp:
    """An application whose framework catches what its handler raises, and closes with this code."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if accepts:
            await send({"type": "websocket.accept"})
        with suppress(errors.WsgessionsError):
            result = before(scope["session"])
            if result is not None:
                await result
        await send({"type": "websocket.close", "code": code, "reason": "the text of the error"})

    return app


async def close_of(node: Node, app: ASGIApp, browser: Browser) -> Message:
    """How a socket that was accepted is closed."""
    async with connecting(node, app, browser) as call:
        await call.take("websocket.accept")
        return await call.take("websocket.close")


async def refreshing(node: Node, session: Session) -> None:
    """Changes the session, and then meets a store that is down."""
    set_two(session)
    node.store.down = True
    try:
        await session.refresh()
    finally:
        node.store.down = False


@pytest.mark.parametrize(("code", "kept"), [(1011, 1), (1000, 2), (1003, 2), (4500, 2)])
async def test_a_close_that_says_internal_error_keeps_no_changes(node: Node, code: int, kept: int) -> None:
    """R-32, R-33: it is what a 500 is to a request."""
    browser = await known_to(node)
    close = await close_of(node, closing(code, set_two), browser)
    assert (close["code"], close["reason"]) == (code, "the text of the error")
    assert await stored(node, browser) == {"n": kept}


async def test_a_close_that_says_internal_error_keeps_them_where_that_is_set() -> None:
    node = make_node(MemoryStore(), save_on_error=True)
    browser = await known_to(node)
    await close_of(node, closing(1011, set_two), browser)
    assert await stored(node, browser) == {"n": 2}


async def test_a_logout_stays_in_force_with_a_close_that_says_internal_error(node: Node) -> None:
    """R-31."""
    browser = await known_to(node)
    await close_of(node, closing(1011, logout), browser)
    assert await stored(node, browser) == {}


async def test_a_close_made_of_an_error_of_the_store_says_to_try_again_later(node: Node) -> None:
    """F-00a."""
    browser = await known_to(node)
    close = await close_of(node, closing(1011, partial(refreshing, node)), browser)
    assert (close["code"], "the text" in close["reason"]) == (1013, False)
    assert await stored(node, browser) == {"n": 1}


async def test_a_close_of_the_applications_own_stays_although_the_store_has_failed(node: Node) -> None:
    browser = await known_to(node)
    close = await close_of(node, closing(4001, partial(refreshing, node)), browser)
    assert close["code"] == 4001
    assert await stored(node, browser) == {"n": 2}


@pytest.mark.parametrize("code", [1000, 1011])
async def test_a_refused_handshake_is_a_503_if_the_store_is_the_reason(node: Node, code: int) -> None:
    """F-00a: to the client a close before the accept is a 403, whatever its code."""
    browser = await known_to(node)
    node.store.down = True
    async with connecting(node, closing(code, read, accepts=False), browser) as call:
        pass
    assert call.response.status == 503
    assert call.response.header("retry-after") == ["1"]
