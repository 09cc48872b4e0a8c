"""What of a request is kept: by how its handler ends, what it answers, and whether the store takes it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, answering, http_scope, logout, respond, rotate, untouched, websocket_scope
from tests.nodes import Node, make_node, on, two_nodes
from wsgessions import errors
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send


@pytest.fixture
async def browser(node: Node) -> Browser:
    """A browser with a session of ``{"n": 1}`` on the node, whose calls are not counted."""
    browser = Browser()
    await browser.request(on(node, answering(lambda session: session.update(n=1))))
    node.store.calls.clear()
    return browser


async def stored(node: Node, browser: Browser) -> Any:
    """What the session holds, as another request sees it."""
    return (await browser.copy().request(on(node, answering(dict)))).data


def set_two(session: Session) -> None:
    session["n"] = 2


# -- how the handler ends ----------------------------------------------------------------------------------------------


async def test_a_handler_that_raises_changes_nothing(node: Node, browser: Browser) -> None:
    """R-31: and its exception comes out as it was."""
    mine = RuntimeError("mine")

    def fail(session: Session) -> None:
        set_two(session)
        raise mine

    with pytest.raises(RuntimeError) as caught:
        await browser.request(on(node, answering(fail)))
    assert caught.value is mine
    assert node.store.calls == ["load"]
    assert await stored(node, browser) == {"n": 1}


async def test_a_logout_stays_a_logout_although_the_handler_fails(node: Node, browser: Browser) -> None:
    """R-31: awaited or not."""
    for awaited in (True, False):
        visitor = Browser()
        await visitor.request(on(node, answering(lambda session: session.update(n=1))))

        async def fail(session: Session, *, awaited: bool = awaited) -> None:
            ending = session.invalidate()
            if awaited:
                await ending
            session["n"] = 3
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await visitor.request(on(node, answering(fail)))
        assert await stored(node, visitor) == {}
    assert await node.store.count() == 1  # the fixture's browser


async def test_a_rotation_that_was_carried_out_stays_in_force_although_the_handler_fails(
    node: Node, browser: Browser
) -> None:
    """R-31: the old id is dead, and of the rest nothing has changed."""

    async def fail(session: Session) -> None:
        set_two(session)
        await session.rotate_id()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await browser.request(on(node, answering(fail)))
    assert await stored(node, browser) == {}
    assert [delta.changed for delta in node.store.deltas] == [{}]


async def test_a_new_id_that_nobody_would_be_told_is_not_carried_out(node: Node, browser: Browser) -> None:
    """R-31: the handler fails, the server makes the answer, and the client keeps its session."""

    def fail(session: Session) -> None:
        set_two(session)
        session.rotate_id()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await browser.request(on(node, answering(fail)))
    assert await stored(node, browser) == {"n": 1}
    assert node.store.counts["rotate"] == 0


async def test_a_new_id_is_dropped_with_what_failed_if_the_answer_is_ours(node: Node, browser: Browser) -> None:
    """R-31, S-06: what was to be privileged has not happened."""
    before = browser.copy()

    def fail(session: Session) -> None:
        session.rotate_id()
        raise errors.SessionConflict("mine", names=("n",))

    response = await browser.request(on(node, answering(fail)))
    assert response.status == 409
    assert browser.cookies == before.cookies
    assert await stored(node, browser) == {"n": 1}


async def test_a_new_id_is_dropped_with_what_failed_if_an_error_handler_answers(node: Node, browser: Browser) -> None:
    """R-33: inside of the sessions it answers as any application does."""
    before = browser.copy()

    async def handled(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"].rotate_id()
        await respond(send, b"an error page", 500)

    response = await browser.request(on(node, handled))
    assert response.status == 500
    assert browser.cookies == before.cookies
    assert await stored(node, browser) == {"n": 1}


@pytest.mark.parametrize("denial", [True, False])
async def test_a_websocket_that_is_refused_keeps_its_id(node: Node, browser: Browser, *, denial: bool) -> None:
    """R-31, R-41, S-06: whether its denial has headers or is a close, which carries none."""

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"].rotate_id()
        raise errors.SessionConflict("mine", names=("n",))

    extensions: dict[str, Any] = {"websocket.http.response": {}} if denial else {}
    call = Call(on(node, fail), websocket_scope(headers=browser.header, extensions=extensions))
    async with call:
        await call.take("websocket.http.response.start" if denial else "websocket.close")
    assert node.store.counts["rotate"] == 0
    if denial:
        browser.take(call.response)
    assert await stored(node, browser) == {"n": 1}


async def test_a_logout_that_the_store_does_not_take_after_a_failure_is_logged(
    node: Node, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(session: Session) -> None:
        session.invalidate()
        node.store.down = True
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await browser.request(on(node, answering(fail)))
    assert "carry_out" in [record.__dict__.get("event") for record in caplog.records]


async def test_a_handler_that_raises_after_its_response_has_started(node: Node, browser: Browser) -> None:
    """R-32: what was changed before the start is kept, what was changed after is not; there is no second start."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 2
        await send({"type": "http.response.start", "status": 200, "headers": []})
        scope["session"]["n"] = 3
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await browser.request(on(node, app))
    assert node.store.calls == ["load", "apply"]
    assert await stored(node, browser) == {"n": 2}


# -- what it answers (R-33) --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "kept"), [(200, 2), (303, 2), (400, 2), (404, 2), (499, 2), (500, 1), (503, 1)])
async def test_changes_are_kept_unless_the_answer_is_a_server_error(
    node: Node, browser: Browser, status: int, kept: int
) -> None:
    response = await browser.request(on(node, answering(set_two, status)))
    assert response.status == status
    assert await stored(node, browser) == {"n": kept}


async def test_on_request_changes_are_kept_on_server_errors_too() -> None:
    node = make_node(MemoryStore(), save_on_error=True)
    browser = Browser()
    response = await browser.request(on(node, answering(set_two, 500)))
    assert response.status == 500
    assert await stored(node, browser) == {"n": 2}


async def test_a_server_error_makes_no_session(node: Node) -> None:
    response = await Browser().request(on(node, answering(set_two, 500)))
    assert response.set_cookies == {}
    assert node.store.calls == []


async def test_a_logout_is_carried_out_on_server_errors_and_a_rotation_is_not(node: Node, browser: Browser) -> None:
    """S-06: privilege is taken away whatever happens, and given only by a request that succeeds."""

    def change_and_rotate(session: Session) -> None:
        set_two(session)
        rotate(session)

    before = browser.copy()
    await browser.request(on(node, answering(change_and_rotate, 500)))
    assert browser.cookies["__Host-sid"] == before.cookies["__Host-sid"]
    assert await stored(node, browser) == {"n": 1}
    tab = browser.copy()
    response = await browser.request(on(node, answering(logout, 500)))
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}
    assert browser.cookies == {}
    assert await stored(node, tab) == {}


# -- what cannot be stored (R-01, R-04, R-34) --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (object(), r"'bad': .*object"),
        ([{"f": print}], r"'bad\[0\]\.f': .*builtin_function"),
        ("x" * 300_000, r"'bad': .*300005 bytes.*max_session_bytes is 262144"),
    ],
)
async def test_what_cannot_be_stored_is_a_500_and_an_error_in_the_servers_log(
    node: Node, browser: Browser, value: Any, message: str
) -> None:
    """Naming attribute and type; the session is as it was, and the client learns nothing of the inside."""
    handler = answering(lambda session: session.update(n=2, bad=value))
    with pytest.raises(errors.CodecError, match=message):
        await browser.request(on(node, handler))
    assert await stored(node, browser) == {"n": 1}
    response = await _despite_error(browser, on(node, handler))
    assert (response.status, response.body) == (500, b"Internal Server Error\n")
    assert response.set_cookies == {}


async def _despite_error(browser: Browser, app: ASGIApp) -> Any:
    call = Call(app, http_scope(headers=browser.header))
    with pytest.raises(errors.CodecError):
        async with call:
            pass
    return call.response


async def test_the_error_reaches_the_servers_log_although_the_application_swallows_what_it_gets(
    node: Node, browser: Browser
) -> None:
    """R-34: a middleware in between may catch whatever sending raises."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["bad"] = object()
        try:
            await respond(send)
        except Exception:  # noqa: BLE001 - this is what some applications do
            await respond(send, status=500)

    with pytest.raises(errors.CodecError, match="'bad'"):
        await browser.request(on(node, app))
    assert await stored(node, browser) == {"n": 1}


# -- when the store does not take it (R-34, F-00a) ---------------------------------------------------------------------


async def test_a_commit_that_fails_replaces_the_answer(node: Node, browser: Browser) -> None:
    """R-34: never a 200 for what was not stored."""

    def fall(session: Session) -> None:
        set_two(session)
        node.store.down = True

    response = await browser.request(on(node, answering(fall, headers=[(b"x-secret", b"1")])))
    assert response.status == 503
    assert response.header("retry-after") == ["1"]
    assert response.header("cache-control") == ["no-store"]
    assert response.header("x-secret") == []
    assert response.set_cookies == {}
    node.store.down = False
    assert await stored(node, browser) == {"n": 1}


async def test_a_session_that_cannot_be_created_is_a_503_without_cookie(node: Node) -> None:
    node.store.down = True
    response = await Browser().request(on(node, answering(set_two)))
    assert response.status == 503
    assert response.set_cookies == {}


async def test_an_application_that_swallows_the_refusal_stores_nothing_behind_it(node: Node, browser: Browser) -> None:
    """The client was told that nothing was changed."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 2
        node.store.down = True
        try:
            await respond(send, b"fine")
        except Exception:  # noqa: BLE001 - this is what some applications do
            node.store.down = False
        await send({"type": "http.response.body", "body": b"still here"})

    response = await browser.request(on(node, app))
    assert response.status == 503
    assert b"still" not in response.body
    assert await stored(node, browser) == {"n": 1}


async def test_what_an_application_makes_of_its_refused_answer_is_noted_for_whoever_debugs(
    node: Node, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 2
        node.store.down = True
        try:
            await respond(send)
        except Exception as error:
            raise KeyError("mine") from error

    caplog.set_level(logging.DEBUG, "wsgessions.request")
    response = await browser.request(on(node, app))
    assert response.status == 503
    assert "KeyError" in caplog.text


async def test_a_trouble_that_comes_too_late_for_the_client_reaches_the_servers_log(
    node: Node, browser: Browser
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, b"fine")
        node.store.down = True
        await scope["session"].refresh()

    response = Call(on(node, app), http_scope(headers=browser.header))
    with pytest.raises(errors.StoreUnavailable):
        async with response:
            pass
    assert (response.response.status, response.response.body) == (200, b"fine")


async def test_a_session_that_ended_meanwhile_is_a_409_and_does_not_come_back() -> None:
    """S-62, K-08."""
    one, other = two_nodes()
    browser = Browser()
    await browser.request(on(one, answering(set_two)))
    tab = browser.copy()
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(session: Session) -> None:
        session["n"] = 3
        arrived.set()
        await go_on.wait()

    request = asyncio.ensure_future(tab.request(on(other, answering(slow))))
    await arrived.wait()
    await browser.request(on(one, answering(logout)))
    go_on.set()
    response = await request
    assert response.status == 409
    assert response.set_cookies == {}
    assert await stored(one, tab) == {}


async def test_a_conflict_is_a_409() -> None:
    one, other = two_nodes(conflicts="raise")
    browser = Browser()
    await browser.request(on(one, answering(set_two)))

    async def slow(session: Session) -> None:
        session["n"] = 3
        await browser.copy().request(on(one, answering(lambda session: session.update(n=4))))

    response = await browser.copy().request(on(other, answering(slow)))
    assert response.status == 409
    assert await stored(one, browser) == {"n": 4}


@pytest.mark.parametrize("touch", [dict, set_two, logout, rotate])
async def test_a_stopped_store_is_a_503_for_whoever_touches_the_session(
    node: Node, browser: Browser, touch: Callable[[Session], Any]
) -> None:
    """F-00a: with Retry-After, without Set-Cookie, and the same cookies work when the store is back."""
    node.store.down = True
    response = await browser.request(on(node, answering(touch)))
    assert response.status == 503
    assert response.header("retry-after") == ["1"]
    assert response.set_cookies == {}
    node.store.down = False
    assert await stored(node, browser) == {"n": 1}


async def test_a_stopped_store_costs_an_untouched_route_nothing_but_the_wait(node: Node, browser: Browser) -> None:
    """R-30, F-00a."""
    node.store.down = True
    response = await browser.request(on(node, untouched))
    assert (response.status, response.body) == (200, b"untouched")
    assert response.start["headers"] == []


async def test_an_application_may_have_its_own_answer_to_a_stopped_store(node: Node, browser: Browser) -> None:
    def degrade(session: Session) -> str:
        try:
            return f"{session['n']}"
        except errors.StoreUnavailable:
            return "sorry"

    node.store.down = True
    response = await browser.request(on(node, answering(degrade)))
    assert (response.status, response.data) == (200, "sorry")
    assert response.set_cookies == {}
    assert response.header("vary") == ["Cookie"]


async def test_a_500_that_an_error_handler_made_of_a_stopped_store_becomes_a_503(node: Node, browser: Browser) -> None:
    """F-00a: the handler could not know."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await respond(send, b"%d" % scope["session"]["n"])
        except Exception:  # noqa: BLE001 - an error handler
            await respond(send, b"oops", status=500)

    node.store.down = True
    response = await browser.request(on(node, app))
    assert response.status == 503
    assert response.header("retry-after") == ["1"]


async def test_a_500_that_has_another_cause_stays_a_500(node: Node, browser: Browser) -> None:
    response = await browser.request(on(node, answering(set_two, 500)))
    assert response.status == 500


async def test_a_head_request_gets_its_refusal_without_body(node: Node, browser: Browser) -> None:
    """R-47."""
    node.store.down = True
    response = await browser.request(on(node, answering(dict)), method="HEAD")
    assert (response.status, response.body) == (503, b"")


async def test_one_line_tells_of_a_stopped_store_not_a_thousand(
    node: Node, browser: Browser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wsgessions.internal.log_throttle import LogThrottle
    from wsgessions.web import exchange, session_request

    for module in (exchange, session_request):
        monkeypatch.setattr(module, "_log", LogThrottle(logging.getLogger("wsgessions.request")))
    node.store.down = True
    for _ in range(100):
        await browser.request(on(node, answering(dict)))
    assert [record.__dict__["event"] for record in caplog.records] == ["load_failed", "request_refused"]


async def test_the_application_may_tell_the_client_itself_that_its_session_has_ended() -> None:
    """Who caught SessionGone has been told; its own answer goes out."""
    one, other = two_nodes()
    browser = Browser()
    await browser.request(on(one, answering(set_two)))

    async def slow(session: Session) -> str:
        session["n"] = 3
        await browser.copy().request(on(one, answering(logout)))
        try:
            await session.commit()
        except errors.SessionGone:
            return "please log in"
        return "welcome"

    response = await browser.copy().request(on(other, answering(slow)))
    assert (response.status, response.data) == (200, "please log in")


async def test_a_rotation_that_was_carried_out_is_told_although_the_request_is_refused() -> None:
    """S-06: the old id is dead, and without the new one the client would have lost its session."""
    one, other = two_nodes(conflicts="raise")
    browser = Browser()
    await browser.request(on(one, answering(set_two)))

    async def lose(session: Session) -> None:
        await session.rotate_id()
        session["n"] = 3
        assert session.id is not None
        async with other.manager.open(session.id) as elsewhere:
            elsewhere["n"] += 10

    async def lose_and_tell(session: Session) -> None:
        await lose(session)
        await session.commit()

    for handler, n in ((lose, 12), (lose_and_tell, 22)):
        before = browser.copy()
        response = await browser.request(on(one, answering(handler)))
        assert response.status == 409
        assert browser.cookies["__Host-sid"] != before.cookies["__Host-sid"]
        assert response.header("cache-control") == ["no-store"]
        assert await stored(other, browser) == {"n": n}
        assert await stored(other, before) == {}


# -- clients that go away (R-35) ---------------------------------------------------------------------------------------


class ClientDisconnect(Exception):
    """What a framework makes of an OSError."""


@pytest.mark.parametrize("wrapped", [False, True])
async def test_what_a_finished_handler_did_is_kept_although_the_client_is_gone(
    node: Node, browser: Browser, *, wrapped: bool
) -> None:
    """Its outcome decides; and the OSError, or what the framework makes of it, comes out as ASGI has it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 2
        try:
            await respond(send)
        except OSError as error:
            if wrapped:
                raise ClientDisconnect from error
            raise
        finally:
            scope["session"]["late"] = True

    call = Call(on(node, app), http_scope(headers=browser.header))
    call.break_connection()
    with pytest.raises(ClientDisconnect if wrapped else OSError):
        async with call:
            pass
    assert await stored(node, browser) == {"n": 2, "late": True}


@pytest.mark.parametrize("part", ["http.response.start", "http.response.body"])
async def test_a_server_whose_channel_is_no_coroutine_function_reports_a_lost_client_too(
    node: Node, browser: Browser, part: str
) -> None:
    """R-35: ASGI demands an awaitable, and servers written in other languages return one of their own."""

    def send(message: Message) -> asyncio.Future[None]:
        sending = asyncio.get_running_loop().create_future()
        if message["type"] == part:
            sending.set_exception(OSError("gone"))
        else:
            sending.set_result(None)
        return sending

    async def receive() -> Message:
        return {"type": "http.request"}

    app = on(node, answering(set_two))
    with pytest.raises(OSError, match="gone"):
        await app(http_scope(headers=browser.header), receive, send)
    assert await stored(node, browser) == {"n": 2}


async def test_an_oserror_of_the_handlers_own_is_a_failure_after_its_response_too(node: Node, browser: Browser) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send)
        scope["session"]["n"] = 2
        raise OSError("a file of mine")

    with pytest.raises(OSError, match="a file of mine"):
        await browser.request(on(node, app))
    assert await stored(node, browser) == {"n": 1}


async def test_an_oserror_of_the_handlers_own_is_a_failure(node: Node, browser: Browser) -> None:
    def fail(session: Session) -> None:
        set_two(session)
        raise OSError("a file of mine")

    with pytest.raises(OSError, match="a file of mine"):
        await browser.request(on(node, answering(fail)))
    assert await stored(node, browser) == {"n": 1}


async def test_a_failure_after_the_client_has_gone_is_a_failure(node: Node, browser: Browser) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        call.break_connection()
        with suppress(OSError):
            await send({"type": "http.response.body", "body": b"x"})
        scope["session"]["n"] = 2
        raise RuntimeError("mine")

    call = Call(on(node, app), http_scope(headers=browser.header))
    with pytest.raises(RuntimeError, match="mine"):
        async with call:
            pass
    assert await stored(node, browser) == {"n": 1}


async def test_a_lost_client_is_no_line_in_the_log(
    node: Node, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    call = Call(on(node, answering(set_two)), http_scope(headers=browser.header))
    call.break_connection()
    with pytest.raises(OSError, match="gone"):
        async with call:
            pass
    assert [record for record in caplog.records if record.name.startswith("wsgessions")] == []


async def test_an_application_that_answers_nothing_changes_nothing(node: Node, browser: Browser) -> None:
    """The server makes a 500 of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["n"] = 2

    await browser.request(on(node, app))
    assert await stored(node, browser) == {"n": 1}
