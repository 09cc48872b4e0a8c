"""The manager's life tied to the server's (R-44, R-45)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, answering, untouched
from tests.nodes import Node, make_node
from wsgessions import errors
from wsgessions.middleware import SessionMiddleware
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send, lifespan


async def polite(scope: Scope, receive: Receive, send: Send) -> None:
    """An application with a lifespan."""
    while True:
        stage = (await receive())["type"]
        await send({"type": f"{stage}.complete"})
        if stage == "lifespan.shutdown":
            return


async def catching(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that makes its own message of whatever goes wrong at its start."""
    try:
        await polite(scope, receive, send)
    except BaseException:
        await send({"type": "lifespan.startup.failed", "message": "mine"})
        raise


async def unsupporting(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await untouched(scope, receive, send)


def living(node: Node, app: ASGIApp) -> Call:
    return Call(SessionMiddleware(app, manager=node.manager), {"type": "lifespan", "asgi": {"version": "3.0"}})


async def test_the_store_is_started_before_the_application_and_closed_after_it(node: Node) -> None:
    order: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        order.extend([*node.store.calls, "application"])
        await send({"type": "lifespan.startup.complete"})
        await receive()
        order.extend([*node.store.calls[1:], "application ends"])
        await send({"type": "lifespan.shutdown.complete"})

    async with living(node, app) as call:
        call.give("lifespan.startup")
        await call.take("lifespan.startup.complete")
        call.give("lifespan.shutdown")
        await call.take("lifespan.shutdown.complete")
    assert order == ["start", "application", "application ends"]
    assert node.store.calls == ["start", "close"]


async def test_it_may_start_without_the_store_and_serves_as_soon_as_that_is_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """R-45: with a warning; until then 503 for those who use the session, and nothing for others."""
    node = make_node(MemoryStore(), start_degraded=True)
    node.store.down = True
    visiting = SessionMiddleware(answering(lambda session: session.update(a=1)), manager=node.manager)
    async with living(node, polite) as call:
        call.give("lifespan.startup")
        await call.take("lifespan.startup.complete")
        refused = await Browser().request(visiting)
        assert (refused.status, refused.header("retry-after")) == (503, ["1"])
        app = SessionMiddleware(untouched, manager=node.manager)
        assert (await Browser().request(app)).status == 200
        node.store.down = False
        assert (await Browser().request(visiting)).status == 200
        call.give("lifespan.shutdown")
        await call.take("lifespan.shutdown.complete")
    (line,) = [line for line in caplog.records if line.__dict__.get("event") == "started_degraded"]
    assert "the store is down" in line.getMessage()


async def test_a_wrong_store_fails_the_start_although_it_may_be_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-45, C-18: what does not pass by itself is not waited for."""
    node = make_node(MemoryStore(), start_degraded=True)

    async def start(**arguments: Any) -> None:
        raise errors.ConfigError("it evicts", setting="store_url")

    monkeypatch.setattr(node.store, "start", start)
    with pytest.raises(errors.ConfigError):
        async with living(node, polite) as call:
            call.give("lifespan.startup")
            assert "it evicts" in (await call.take("lifespan.startup.failed"))["message"]


@pytest.mark.parametrize("app", [polite, catching])
async def test_a_store_that_is_down_fails_the_start_with_a_clear_text(node: Node, app: ASGIApp) -> None:
    """R-45: one message, and the error itself for clients that wait for one, as those of tests do."""
    node.store.down = True
    call = living(node, app)
    with pytest.raises(errors.StoreUnavailable):
        async with call:
            call.give("lifespan.startup")
            failed = await call.take("lifespan.startup.failed")
    assert failed["message"] == "wsgessions could not start: the store is down"
    assert len(call.response.messages) == 1
    assert node.store.calls[-1] == "close"


async def test_the_start_waits_for_a_store_that_is_still_coming_up(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """R-45: by the deadline that it hands to the store."""
    deadlines: list[float] = []

    async def start(*, deadline: float) -> None:
        deadlines.append(deadline)

    monkeypatch.setattr(lifespan, "time", SimpleNamespace(monotonic=lambda: 100.0))
    monkeypatch.setattr(node.store, "start", start)
    async with living(node, polite) as call:
        call.give("lifespan.startup")
        await call.take("lifespan.startup.complete")
        call.give("lifespan.shutdown")
    assert deadlines == [100.0 + lifespan.START_SECONDS]


async def test_an_application_that_fails_to_start_leaves_no_store_open(node: Node) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "mine"})

    async with living(node, app) as call:
        call.give("lifespan.startup")
        assert (await call.take("lifespan.startup.failed"))["message"] == "mine"
    assert node.store.calls == ["start", "close"]


async def test_an_application_that_raises_at_its_start_leaves_no_store_open(node: Node) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        async with living(node, app) as call:
            call.give("lifespan.startup")
    assert node.store.calls == ["start", "close"]


async def test_without_lifespan_the_first_request_starts_the_store(node: Node) -> None:
    """R-44: the server is told as ASGI has it."""
    app = SessionMiddleware(unsupporting, manager=node.manager)
    with pytest.raises(AssertionError):
        async with Call(app, {"type": "lifespan"}) as call:
            call.give("lifespan.startup")
    assert (await Browser().request(app)).body == b"untouched"
    assert node.store.counts["start"] == 0
    visiting = SessionMiddleware(answering(lambda session: session.update(a=1)), manager=node.manager)
    await asyncio.gather(*(Browser().request(visiting) for _ in range(20)))
    assert node.store.counts["create"] == 20


async def test_a_manager_can_live_two_hundred_times(node: Node) -> None:
    """F-72: as in tests, where one application is started and stopped again and again."""
    app = SessionMiddleware(answering(lambda session: session.update(n=session.get("n", 0) + 1)), manager=node.manager)
    browser = Browser()
    for _ in range(200):
        async with living(node, polite) as call:
            call.give("lifespan.startup")
            await call.take("lifespan.startup.complete")
            await browser.request(app)
            call.give("lifespan.shutdown")
            await call.take("lifespan.shutdown.complete")
    reading = SessionMiddleware(answering(dict), manager=node.manager)
    assert (await browser.request(reading)).data == {"n": 200}
    assert node.store.counts["start"] == 201
    assert node.store.counts["close"] == 200


async def test_other_messages_of_the_lifespan_pass(node: Node) -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "lifespan"
        seen.append(await receive())
        await send({"type": "lifespan.later"})

    async with living(node, app) as call:
        call.give("lifespan.other", a=1)
        assert await call.take() == {"type": "lifespan.later"}
    assert seen == [{"type": "lifespan.other", "a": 1}]
    assert node.store.calls == []


async def test_a_wrong_store_fails_the_start_too(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that can be reached and must not be used, such as one that evicts (C-18)."""

    async def start(**arguments: Any) -> None:
        raise errors.ConfigError("it evicts", setting="store_url")

    monkeypatch.setattr(node.store, "start", start)
    with pytest.raises(errors.ConfigError):
        async with living(node, polite) as call:
            call.give("lifespan.startup")
            failed = await call.take("lifespan.startup.failed")
    assert "setting 'store_url': it evicts" in failed["message"]
