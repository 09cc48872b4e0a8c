"""Changes after the headers have left: streams, background work, and sessions used when their request is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, answering, http_scope, logout, respond
from tests.nodes import Node, make_node, on, two_nodes
from wsgessions import errors
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Receive, Scope, Send


@pytest.fixture
def refusing() -> Node:
    return make_node(MemoryStore(), late_commit="refuse")


async def known_to(node: Node) -> Browser:
    """A browser with a session of ``{"cart": ["pot"]}``."""
    browser = Browser()
    await browser.request(on(node, answering(lambda session: session.update(cart=["pot"]))))
    node.store.calls.clear()
    return browser


async def stored(node: Node, browser: Browser) -> Any:
    return (await browser.copy().request(on(node, answering(dict)))).data


def streaming(work: Callable[[Session], Any]) -> ASGIApp:
    """An application that does its work between two pieces of its body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        result = work(scope["session"])
        if result is not None:
            await result
        await send({"type": "http.response.body", "body": b"last"})

    return app


# -- a session that the client knows (R-37, C-13) ----------------------------------------------------------------------


async def test_a_change_in_a_stream_is_kept_at_its_end(node: Node) -> None:
    """R-37: the cookies are decided at the start."""
    browser = await known_to(node)
    response = await browser.request(on(node, streaming(lambda session: session["cart"].append("cup"))))
    assert response.body == b"firstlast"
    assert response.set_cookies == {}
    assert await stored(node, browser) == {"cart": ["pot", "cup"]}


async def test_a_change_before_the_start_and_one_after_are_two_commits(node: Node) -> None:
    browser = await known_to(node)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        cart = scope["session"]["cart"]
        cart.append("cup")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        cart.append("cap")
        await send({"type": "http.response.body", "body": b""})

    await browser.request(on(node, app))
    assert node.store.counts == {"load": 1, "apply": 2}
    assert await stored(node, browser) == {"cart": ["pot", "cup", "cap"]}


async def test_a_commit_in_the_stream_is_kept_at_once(node: Node) -> None:
    browser = await known_to(node)
    seen = []

    async def work(session: Session) -> None:
        session["step"] = 1
        await session.commit()
        seen.append(await stored(node, browser))

    await browser.request(on(node, streaming(work)))
    assert seen == [{"cart": ["pot"], "step": 1}]


async def test_a_stream_that_a_lost_client_ends_keeps_what_it_did(node: Node) -> None:
    """R-37: its ``finally`` has run."""
    browser = await known_to(node)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
        finally:
            scope["session"]["ended"] = True

    call = Call(on(node, app), http_scope(headers=browser.header))
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(pytest.raises(OSError, match="gone"))
        await stack.enter_async_context(call)
        await call.take("http.response.start")
        call.break_connection()
    assert await stored(node, browser) == {"cart": ["pot"], "ended": True}


async def test_a_change_in_background_work_is_kept(node: Node) -> None:
    """R-39: inside the call of the application, as Starlette's background tasks are."""
    browser = await known_to(node)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)
        scope["session"]["mailed"] = True

    await browser.request(on(node, app))
    assert await stored(node, browser) == {"cart": ["pot"], "mailed": True}


async def test_a_logout_in_a_stream_ends_the_session(node: Node) -> None:
    browser = await known_to(node)
    response = await browser.request(on(node, streaming(logout)))
    assert response.set_cookies == {}
    assert await stored(node, browser) == {}


async def test_after_a_logout_in_a_stream_no_new_session_can_begin(node: Node) -> None:
    """R-38: the client could not be told of it."""
    browser = await known_to(node)

    def again(session: Session) -> None:
        session.invalidate()
        session["notice"] = "bye"

    with pytest.raises(errors.SessionClosed, match="no session can be created"):
        await browser.request(on(node, streaming(again)))
    assert node.store.counts["create"] == 0
    assert await stored(node, browser) == {}


async def test_an_id_cannot_be_replaced_once_the_headers_have_left(node: Node) -> None:
    """R-38, section 4 of the rules: the client would be left with a dead one."""
    browser = await known_to(node)
    with pytest.raises(errors.SessionClosed, match="new id"):
        await browser.request(on(node, streaming(lambda session: session.rotate_id())))
    assert node.store.counts["rotate"] == 0
    assert await stored(node, browser) == {"cart": ["pot"]}


async def test_a_late_commit_of_an_ended_session_reaches_the_servers_log() -> None:
    """S-62, R-37: there is nobody else left to tell."""
    one, other = two_nodes()
    browser = await known_to(one)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)
        await browser.copy().request(on(one, answering(logout)))
        scope["session"]["late"] = True

    with pytest.raises(errors.SessionGone):
        await browser.copy().request(on(other, app))
    assert await stored(one, browser) == {}


# -- late_commit = "refuse" --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.update(a=1),
        lambda session: session.pop("cart"),
        lambda session: session["cart"].append("cup"),
        lambda session: session.increment("n"),
        lambda session: session.update("n", lambda n: 1),
        lambda session: setattr(session, "max_inactive_interval", None),
    ],
)
async def test_late_changes_can_be_refused(refusing: Node, change: Callable[[Session], Any]) -> None:
    """C-13: at once where it can be seen, at the end where it was made inside a value."""
    browser = await known_to(refusing)
    with pytest.raises(errors.SessionClosed, match="late_commit"):
        await browser.request(on(refusing, streaming(change)))
    assert refusing.store.counts["apply"] == 0
    assert await stored(refusing, browser) == {"cart": ["pot"]}


async def test_where_late_changes_are_refused_reading_and_logout_are_not(refusing: Node) -> None:
    browser = await known_to(refusing)

    def work(session: Session) -> None:
        assert session["cart"] == ["pot"]
        session.invalidate()

    await browser.request(on(refusing, streaming(work)))
    assert await stored(refusing, browser) == {}


async def test_where_late_changes_are_refused_those_before_the_start_are_kept(refusing: Node) -> None:
    browser = await known_to(refusing)
    await browser.request(on(refusing, answering(lambda session: session["cart"].append("cup"))))
    assert await stored(refusing, browser) == {"cart": ["pot", "cup"]}


# -- a visitor without a session (R-38) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda session: session.update(a=1),
        lambda session: session.setdefault("a", 1),
        lambda session: session.increment("n"),
        lambda session: session.update("n", lambda n: 1),
        lambda session: session.rotate_id(),
    ],
)
async def test_no_session_begins_once_the_headers_have_left(node: Node, change: Callable[[Session], Any]) -> None:
    """R-37, R-38: a clear error, and no record that nobody will ever ask for."""
    with pytest.raises(errors.SessionClosed):
        await Browser().request(on(node, streaming(change)))
    assert node.store.calls == []


async def test_reading_is_fine_once_the_headers_have_left(node: Node) -> None:
    response = await Browser().request(on(node, streaming(lambda session: session.get("a"))))
    assert response.body == b"firstlast"


async def test_a_head_request_cannot_create_a_session_later_either(node: Node) -> None:
    """R-38, R-47: what it did not get at the start, it does not get by an explicit commit."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["a"] = 1
        await respond(send)
        await scope["session"].commit()

    await Browser().request(on(node, app), method="HEAD")
    assert node.store.calls == []


# -- paths without loading (R-30) --------------------------------------------------------------------------------------


async def test_a_session_loaded_in_a_stream_keeps_to_the_same_rules() -> None:
    """R-30, R-37, R-38: on a path that is excluded from loading."""
    shared = MemoryStore()
    node, other = make_node(shared, exclude=["/static"]), make_node(shared)
    browser = await known_to(other)

    async def work(session: Session) -> None:
        await session.load()
        session["seen"] = True

    await browser.request(on(node, streaming(work)), "/static/a")
    assert await stored(other, browser) == {"cart": ["pot"], "seen": True}
    await browser.copy().request(on(other, answering(logout)))
    with pytest.raises(errors.SessionClosed, match="no session can be created"):
        await browser.request(on(node, streaming(work)), "/static/a")
    assert node.store.counts["create"] == 0


# -- when the request is over (R-39) -----------------------------------------------------------------------------------


READS: list[Callable[[Session], Any]] = [
    lambda session: session["cart"],
    lambda session: session.get("cart"),
    lambda session: "cart" in session,
    len,
    bool,
    list,
    dict,
    lambda session: session.copy(),
    lambda session: session.ref,
    lambda session: session.id,
]
CHANGES: list[Callable[[Session], Any]] = [
    lambda session: session.update(a=1),
    lambda session: session.pop("cart"),
    lambda session: session.clear(),
    lambda session: session.invalidate(),
    lambda session: session.rotate_id(),
    lambda session: session.bind_user("ann"),
    lambda session: setattr(session, "max_inactive_interval", None),
]
AWAITED_USES: list[Callable[[Session], Any]] = [
    lambda session: session.load(),
    lambda session: session.commit(),
    lambda session: session.refresh(),
    lambda session: session.increment("n"),
    lambda session: session.update("n", lambda n: 1),
]


@pytest.mark.parametrize("known", [True, False])
async def test_a_session_cannot_be_changed_when_its_request_is_over(node: Node, *, known: bool) -> None:
    """R-39: never a silent no-op."""
    browser = await known_to(node) if known else Browser()
    kept: list[Session] = []
    await browser.request(on(node, answering(kept.append)))
    (session,) = kept
    calls = list(node.store.calls)
    for use in CHANGES:
        with pytest.raises(errors.SessionClosed, match="request of this session is over"):
            use(session)
    for use in AWAITED_USES:
        with pytest.raises(errors.SessionClosed, match="request of this session is over"):
            await use(session)
    assert node.store.calls == calls


async def test_what_a_request_had_loaded_can_be_read_when_it_is_over(node: Node) -> None:
    """R-39: also what it had not read itself; and that asks no store."""
    browser = await known_to(node)
    kept: list[Session] = []
    await browser.request(on(node, answering(kept.append)))
    (session,) = kept
    calls = list(node.store.calls)
    assert [use(session) for use in READS[:7]] == [["pot"], ["pot"], True, 1, True, ["cart"], {"cart": ["pot"]}]
    for use in READS[7:]:
        assert use(session)
    assert node.store.calls == calls


async def test_a_session_that_was_never_loaded_cannot_be_loaded_when_its_request_is_over() -> None:
    """R-39, R-30."""
    shared = MemoryStore()
    node = make_node(shared, exclude=["/static"])
    browser = await known_to(make_node(shared))
    kept: list[Session] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        kept.append(scope["session"])
        await respond(send)

    await browser.request(on(node, app), "/static/a")
    with pytest.raises(errors.SessionClosed, match="request of this session is over"):
        await kept[0].load()
    for use in READS[:8]:
        with pytest.raises(errors.SessionClosed, match="request of this session is over"):
            use(kept[0])
    assert node.store.calls == []


async def test_a_task_that_outlives_its_request_is_told_so(node: Node) -> None:
    """R-39."""
    browser = await known_to(node)
    over = asyncio.Event()
    tasks: list[asyncio.Task[None]] = []

    async def work(session: Session) -> None:
        await over.wait()
        session["late"] = True

    await browser.request(on(node, answering(lambda session: tasks.append(asyncio.ensure_future(work(session))))))
    over.set()
    with pytest.raises(errors.SessionClosed):
        await tasks[0]
    assert await stored(node, browser) == {"cart": ["pot"]}


async def test_a_load_that_outlives_its_request_opens_nothing(node: Node) -> None:
    """R-39: neither does one that fails then."""
    shared = MemoryStore()
    node = make_node(shared, exclude=["/static"])
    browser = await known_to(make_node(shared))
    arrived, go_on = asyncio.Event(), asyncio.Event()
    kept: list[tuple[Session, asyncio.Task[None]]] = []

    async def hold(name: str) -> None:
        if name == "load":
            arrived.set()
            await go_on.wait()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        session: Session = scope["session"]
        kept.append((session, asyncio.ensure_future(session.load())))
        await arrived.wait()
        await respond(send)

    node.store.before = hold
    await browser.request(on(node, app), "/static/a")
    go_on.set()
    session, load = kept[0]
    await load
    with pytest.raises(errors.SessionClosed):
        len(session)
