"""WebSockets and streams that outlive their session (C-17, S-54)."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from tests.asgi_driver import PATIENCE, Browser, Call, answering, http_scope, logout, rotate, websocket_scope
from tests.nodes import Node, Time, on, two_nodes
from tests.spy_store import SpyStore
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions.manager import SessionManager
from wsgessions.manager.store_factory import open_store
from wsgessions.session import Session
from wsgessions.settings import SessionSettings
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send

__all__ = ["shared_server"]

SHORT: dict[str, Any] = {"lease": "300ms", "heartbeat": "100ms"}
_namespaces = itertools.count()


class Pair(NamedTuple):
    """Two nodes on one store. The connection is at `here`, what ends its session happens at `there`."""

    here: Node
    there: Node


@pytest.fixture(params=["memory", "valkey", "valkey without copies"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    if request.param == "memory":
        yield Pair(*two_nodes(**SHORT))
        return
    server: RawServer = request.getfixturevalue("shared_server")
    namespace = f"long{next(_namespaces)}"
    lease = SHORT if request.param == "valkey" else {"lease": "0s"}
    made = Pair(*(node_at(server.url, namespace, **lease) for _ in range(2)))
    yield made
    for node in made:
        await node.manager.close()


def node_at(url: str, namespace: str, **settings: Any) -> Node:
    chosen = SessionSettings(store_url=url, namespace=namespace, **settings)
    store = SpyStore(open_store(chosen))
    return Node(SessionManager(chosen, store=store), store)


async def known_to(node: Node) -> Browser:
    browser = Browser()
    await browser.request(on(node, answering(lambda session: session.update(n=1))))
    return browser


async def at(node: Node, browser: Browser, handler: Callable[[Session], Any]) -> Any:
    return (await browser.request(on(node, answering(handler)))).data


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


def watchers() -> list[str]:
    names = [task.get_name() for task in asyncio.all_tasks()]
    timers = [str(timer) for timer in asyncio.get_running_loop()._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
    return [
        name
        for name in names + timers
        if "session watch" in name or "ConnectionWatch" in name or name == "wsgessions close"
    ]


class Chat:
    """A WebSocket application that answers each text by what its session has, and notes what it was told."""

    def __init__(self, on_text: Callable[[Session, str], Awaitable[Any] | None] = lambda session, text: None) -> None:
        self.on_text = on_text
        self.session: Session | None = None
        self.left: Message | None = None
        self.texts: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.session = session = scope["session"]
        await receive()
        assert session.get("n") in {1, None}
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            self.texts.append(message["text"])
            done = self.on_text(session, message["text"])
            if done is not None:
                await done
            await send({"type": "websocket.send", "text": str(session.get("n"))})
        self.left = message


def connect(node: Node, app: ASGIApp, browser: Browser) -> Call:
    call = Call(on(node, app), websocket_scope(headers=browser.header))
    call.give("websocket.connect")
    return call


async def say(call: Call, text: str = "x") -> Message:
    call.give("websocket.receive", text=text)
    return await call.take()


# -- WebSockets --------------------------------------------------------------------------------------------------------


async def test_a_logout_elsewhere_closes_an_idle_socket_and_its_application_is_told(pair: Pair) -> None:
    browser = await known_to(pair.there)
    chat = Chat()
    async with connect(pair.here, chat, browser.copy()) as call:
        await call.take("websocket.accept")
        await at(pair.there, browser, logout)
        close = await call.take("websocket.close")
    assert (close["code"], close["reason"]) == (1008, "Your session has ended in the meantime. Nothing was changed.")
    assert chat.left is not None
    assert (chat.left["type"], chat.left["code"]) == ("websocket.disconnect", 1008)
    assert watchers() == []


async def test_a_socket_that_was_accepted_before_its_connect_was_read_is_closed_as_well(pair: Pair) -> None:
    """Quart 0.23 begins with the handler, and reads messages beside it."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["session"]["n"] == 1
        await send({"type": "websocket.accept"})
        while not seen or seen[-1] != "websocket.disconnect":
            seen.append((await receive())["type"])

    browser = await known_to(pair.there)
    async with connect(pair.here, app, browser.copy()) as call:
        await call.take("websocket.accept")
        await at(pair.there, browser, logout)
        assert (await call.take("websocket.close"))["code"] == 1008
    assert seen == ["websocket.connect", "websocket.disconnect"]
    assert watchers() == []


async def test_a_message_does_not_reach_the_handler_when_the_session_is_known_to_be_over(pair: Pair) -> None:
    browser = await known_to(pair.there)
    chat = Chat()
    async with connect(pair.here, chat, browser.copy()) as call:
        await call.take("websocket.accept")
        assert (await say(call))["text"] == "1"
        await at(pair.there, browser, logout)
        sent = 1
        while (message := await say(call))["type"] == "websocket.send":
            sent += 1  # until the push is here, the copy is fresh
    assert message["code"] == 1008
    assert len(chat.texts) <= sent + 1
    assert chat.left is not None


async def test_a_socket_that_only_sends_is_stopped_by_an_error_like_that_of_a_lost_client(pair: Pair) -> None:
    browser = await known_to(pair.there)
    errors: list[OSError] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["session"]["n"] == 1
        await send({"type": "websocket.accept"})
        try:
            while True:
                await send({"type": "websocket.send", "text": "tick"})
                await asyncio.sleep(0.01)
        except OSError as error:
            errors.append(error)
            raise

    async with connect(pair.here, app, browser.copy()) as call:
        await call.take("websocket.accept")
        await call.take("websocket.send")
        await at(pair.there, browser, logout)
        while (message := await call.take())["type"] == "websocket.send":
            pass
    assert message["code"] == 1008
    assert len(errors) == 1


async def test_a_live_socket_stays_open(pair: Pair) -> None:
    browser = await known_to(pair.there)
    async with connect(pair.here, Chat(), browser.copy()) as call:
        await call.take("websocket.accept")
        for _ in range(3):
            await asyncio.sleep(0.35)
            assert (await say(call))["text"] == "1"
        call.give("websocket.disconnect", code=1000)
    assert watchers() == []


async def test_an_outage_of_the_store_closes_nothing(pair: Pair) -> None:
    """F-00a: what cannot be asked is not gone; and it is closed when that can be asked again."""
    browser = await known_to(pair.there)
    await at(pair.here, browser, dict)
    async with connect(pair.here, Chat(), browser.copy()) as call:
        await call.take("websocket.accept")
        pair.here.store.down = True
        before = pair.here.store.counts["load"]
        assert (await say(call))["text"] == "1"
        if pair.here.manager.requests.repository.cache is None:
            await until(lambda: pair.here.store.counts["load"] >= before + 2)
        assert (await say(call))["text"] == "1"
        pair.here.store.down = False
        await at(pair.there, browser, logout)
        assert (await call.take("websocket.close"))["code"] == 1008


async def test_a_new_id_elsewhere_closes_the_socket_of_the_old_one(pair: Pair) -> None:
    """S-06."""
    browser = await known_to(pair.there)
    async with connect(pair.here, Chat(), browser.copy()) as call:
        await call.take("websocket.accept")
        await at(pair.there, browser, rotate)
        assert (await call.take("websocket.close"))["code"] == 1008


async def test_the_handler_keeps_what_it_sees_until_it_asks_for_more(pair: Pair) -> None:
    browser = await known_to(pair.there)
    chat = Chat(lambda session, text: session.refresh() if text == "refresh" else None)
    async with connect(pair.here, chat, browser.copy()) as call:
        await call.take("websocket.accept")
        await at(pair.there, browser, lambda session: session.update(n=2))
        assert (await say(call))["text"] == "1"
        assert (await say(call, "refresh"))["text"] == "2"
        assert (await say(call))["text"] == "2"
        call.give("websocket.disconnect", code=1000)


async def test_commits_on_a_socket_raise_its_watermark_and_keep_it_open(pair: Pair) -> None:
    browser = await known_to(pair.there)

    def commit(session: Session, text: str) -> Awaitable[None]:
        session["text"] = text
        return session.commit()

    async with connect(pair.here, Chat(commit), browser.copy()) as call:
        await call.take("websocket.accept")
        for text in ("a", "b", "c"):
            assert (await say(call, text))["text"] == "1"
            # The browser has no watermark of this, and the push may come later (C-13).
            while (await at(pair.there, browser.copy(), dict)).get("text") != text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        call.give("websocket.disconnect", code=1000)


async def test_what_a_closed_socket_had_not_committed_is_dropped_with_a_warning(
    pair: Pair, caplog: pytest.LogCaptureFixture
) -> None:
    """S-62: and the server sees no crash."""
    browser = await known_to(pair.there)
    changed, over = asyncio.Event(), asyncio.Event()

    async def change(session: Session, text: str) -> None:
        session["late"] = text
        changed.set()
        await over.wait()

    async with connect(pair.here, Chat(change), browser.copy()) as call:
        await call.take("websocket.accept")
        call.give("websocket.receive", text="x")
        await changed.wait()
        await at(pair.there, browser, logout)
        await call.take("websocket.close")
        over.set()
    (line,) = [record for record in caplog.records if record.__dict__.get("event") == "connection_ended"]
    assert line.levelno == logging.WARNING
    assert "uncommitted" in line.getMessage()


async def test_a_socket_that_ends_its_own_session_is_its_own_master(pair: Pair) -> None:
    browser = await known_to(pair.there)

    async def end(session: Session) -> None:
        if session.get("n"):
            await session.invalidate()

    async with connect(pair.here, Chat(lambda session, text: end(session)), browser.copy()) as call:
        await call.take("websocket.accept")
        assert (await say(call))["text"] == "None"
        await asyncio.sleep(0.4)
        assert (await say(call))["text"] == "None"
        call.give("websocket.disconnect", code=1000)


async def test_hot_messages_ask_the_store_nothing(shared_server: RawServer) -> None:
    node = node_at(shared_server.url, f"long{next(_namespaces)}")
    browser = await known_to(node)
    await at(node, browser, dict)
    async with connect(node, Chat(), browser) as call:
        await call.take("websocket.accept")
        node.store.calls.clear()
        for _ in range(200):
            await say(call)
        assert node.store.counts["load"] <= 1  # a lease may have been late
        call.give("websocket.disconnect", code=1000)
    await node.manager.close()


# -- by the clock ------------------------------------------------------------------------------------------------------


@pytest.fixture
def time() -> Time:
    return Time()


async def test_a_session_that_expires_closes_its_idle_socket(time: Time) -> None:
    """An open connection is no use: it does not keep its session alive."""
    one, _ = two_nodes(time, **SHORT, max_inactive_interval="10m")
    browser = await known_to(one)
    async with connect(one, Chat(), browser) as call:
        await call.take("websocket.accept")
        time.pass_seconds(590)
        before = one.store.counts["load"]
        await until(lambda: one.store.counts["load"] >= before + 2)
        time.pass_seconds(11)
        assert (await call.take("websocket.close"))["code"] == 1008


async def test_messages_of_the_client_keep_the_session_alive_and_are_noted_at_their_pace(time: Time) -> None:
    """C-16: at most one touch in an interval, though messages come faster."""
    one, _ = two_nodes(time, **SHORT, touch_interval="100ms", max_inactive_interval="10m")
    browser = await known_to(one)
    async with connect(one, Chat(), browser) as call:
        await call.take("websocket.accept")
        for _ in range(4):
            time.pass_seconds(500)
            touches = one.store.counts["touch"]
            while one.store.counts["touch"] == touches:
                await say(call)
        call.give("websocket.disconnect", code=1000)
    assert one.store.counts["touch"] < one.store.counts["load"]


async def test_messages_to_the_client_keep_nothing_alive(time: Time) -> None:
    one, _ = two_nodes(time, **SHORT, max_inactive_interval="10m")
    browser = await known_to(one)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["session"]["n"] == 1
        await send({"type": "websocket.accept"})
        while True:
            await send({"type": "websocket.send", "text": "tick"})
            await asyncio.sleep(0.01)

    async with connect(one, app, browser) as call:
        await call.take("websocket.accept")
        time.pass_seconds(590)
        for _ in range(20):
            await call.take("websocket.send")
        time.pass_seconds(11)
        while (message := await call.take())["type"] == "websocket.send":
            pass
    assert message["code"] == 1008


async def test_a_renewed_id_leaves_the_socket_open_for_its_grace(time: Time) -> None:
    """S-07: it begins when the new id is presented, and ends with the death of the old one, here as everywhere."""
    one, other = two_nodes(time, **SHORT, renew_interval="1h", max_inactive_interval="5h", renew_grace="10s")
    browser = await known_to(one)
    async with connect(one, Chat(), browser.copy()) as call:
        await call.take("websocket.accept")
        time.pass_seconds(3601)
        await at(other, browser, lambda session: session.get("n"))
        assert other.store.counts["rotate"] == 1
        await at(other, browser, lambda session: session.get("n"))
        before = one.store.counts["load"]
        await until(lambda: one.store.counts["load"] >= before + 2)
        assert (await say(call))["text"] == "1"
        time.pass_seconds(11)
        assert (await call.take("websocket.close"))["code"] == 1008


# -- what costs nothing ------------------------------------------------------------------------------------------------


async def test_a_socket_that_never_looks_at_its_session_is_left_alone(pair: Pair) -> None:
    browser = await known_to(pair.there)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            await send({"type": "websocket.send", "text": "tick"})

    call = connect(pair.here, app, browser.copy())
    async with call:
        call._incoming.get_nowait()
        await call.take("websocket.accept")
        calls = pair.here.store.counts["load"], pair.here.store.counts["touch"]
        await at(pair.there, browser, logout)
        await asyncio.sleep(0.4)
        assert (await say(call))["type"] == "websocket.send"
        call.give("websocket.disconnect", code=1000)
    assert (pair.here.store.counts["load"], pair.here.store.counts["touch"]) == calls
    assert watchers() == []


async def test_a_socket_without_a_session_has_no_watcher(pair: Pair) -> None:
    async with connect(pair.here, Chat(), Browser()) as call:
        await call.take("websocket.accept")
        assert (await say(call))["text"] == "None"
        assert watchers() == []
        call.give("websocket.disconnect", code=1000)
    assert pair.here.store.calls == []


# -- streams -----------------------------------------------------------------------------------------------------------


class Feed:
    """An application with a stream that says one thing, and waits for ever or ticks on."""

    def __init__(self, *, ticks: bool = False, headers: Any = (), obstinate: bool = False) -> None:
        self.ticks, self.headers, self.obstinate = ticks, list(headers), obstinate
        self.ended: BaseException | None = None
        self.more = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["session"]["n"] == 1
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        try:
            if not self.ticks:
                await self.more.wait()
            while self.ticks:
                await send({"type": "http.response.body", "body": b"tick", "more_body": True})
                await asyncio.sleep(0.01)
        except BaseException as error:
            self.ended = error
            if not self.obstinate:
                raise
        await send({"type": "http.response.body", "body": b"last"})


def is_complete(call: Call) -> bool:
    return any(m["type"] == "http.response.body" and not m.get("more_body") for m in call.response.messages)


@pytest.mark.parametrize("ticks", [False, True])
@pytest.mark.parametrize("obstinate", [False, True])
async def test_a_logout_elsewhere_cuts_a_stream(pair: Pair, ticks: bool, obstinate: bool) -> None:
    """The application is cancelled where it waits, or gets an error where it sends; the body stays incomplete."""
    browser = await known_to(pair.there)
    feed = Feed(ticks=ticks, obstinate=obstinate)
    async with Call(on(pair.here, feed), http_scope(headers=browser.header)) as call:
        await call.take("http.response.start")
        await call.take("http.response.body")
        await at(pair.there, browser, logout)
    assert isinstance(feed.ended, OSError | asyncio.CancelledError)
    assert not is_complete(call)
    assert call.task.cancelling() == 0
    assert watchers() == []


async def test_a_live_stream_comes_to_its_end(pair: Pair) -> None:
    browser = await known_to(pair.there)
    feed = Feed()
    async with Call(on(pair.here, feed), http_scope(headers=browser.header)) as call:
        await call.take("http.response.start")
        await asyncio.sleep(0.7)
        feed.more.set()
    assert call.response.body == b"firstlast"


async def test_a_response_that_says_its_length_is_the_answer_to_one_request(pair: Pair) -> None:
    browser = await known_to(pair.there)
    feed = Feed(headers=[(b"Content-Length", b"9")])
    async with Call(on(pair.here, feed), http_scope(headers=browser.header)) as call:
        await call.take("http.response.start")
        await call.take("http.response.body")
        await at(pair.there, browser, logout)
        await asyncio.sleep(0.4)
        feed.more.set()
    assert call.response.body == b"firstlast"


async def test_work_after_the_last_part_is_not_cancelled(pair: Pair) -> None:
    browser = await known_to(pair.there)
    go_on, done = asyncio.Event(), []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["session"]["n"] == 1
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await send({"type": "http.response.body", "body": b"last"})
        await go_on.wait()
        done.append(True)

    async with Call(on(pair.here, app), http_scope(headers=browser.header)) as call:
        for _ in range(3):
            await call.take()
        await at(pair.there, browser, logout)
        await asyncio.sleep(0.4)
        go_on.set()
    assert done == [True]


async def test_an_error_of_the_application_is_not_hidden_by_the_end_of_its_session(pair: Pair) -> None:
    browser = await known_to(pair.there)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await Feed()(scope, receive, send)
        finally:
            raise RuntimeError("mine")

    call = Call(on(pair.here, app), http_scope(headers=browser.header))
    with pytest.raises(RuntimeError, match="mine"):
        async with call:
            await call.take("http.response.start")
            await at(pair.there, browser, logout)


async def test_a_server_that_cancels_a_stream_is_obeyed(pair: Pair) -> None:
    """R-36: the watcher goes with the call."""
    browser = await known_to(pair.there)
    call = Call(on(pair.here, Feed()), http_scope(headers=browser.header))
    with pytest.raises(asyncio.CancelledError):
        async with call:
            await call.take("http.response.start")
            await call.take("http.response.body")
            call.task.cancel()
    assert watchers() == []


async def test_a_store_in_memory_is_not_asked_for_what_it_cannot_know() -> None:
    """A manager that was closed is not started again by a connection that is still open."""
    store = MemoryStore()
    node = Node(SessionManager(SessionSettings(store_url="memory:", **SHORT), store=(spy := SpyStore(store))), spy)
    browser = await known_to(node)
    async with connect(node, Chat(), browser) as call:
        await call.take("websocket.accept")
        await node.manager.close()
        node.store.calls.clear()
        await asyncio.sleep(0.7)
        assert node.store.calls == []
        call.give("websocket.disconnect", code=1000)
