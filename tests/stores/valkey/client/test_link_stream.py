"""The stream: handled in order, never shifted by callers who give up, dropped when it makes no sense (S-91)."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any

import anyio
import pytest

from tests.stores.valkey.links import ADD, at, behind, soon, started, stubbed, until, works
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.stub_server import StubServer, greeting_then
from wsgessions.stores.valkey.client.link import Link
from wsgessions.stores.valkey.client.replies import LinkLost
from wsgessions.testing.faults.proxies import Direction, FaultProxy

# The parser


async def test_replies_and_pushes_are_handled_in_stream_order(server: RawServer) -> None:
    """C-2: a write's push follows its reply, and both are seen before any caller runs."""
    events: list[Any] = []
    async with started(at(server.url, on_push=events.append)) as link:
        await link.request(b"CLIENT", b"TRACKING", b"ON")
        await link.request(b"GET", b"k", on_reply=lambda reply: events.append(("read", reply)))
        await link.pipeline(
            [[b"SET", b"k", b"v"], [b"GET", b"k"]], on_reply=lambda reply: events.append(("pipe", reply))
        )
        await until(lambda: len(events) == 4)
    reads = [event for event in events if isinstance(event, tuple)]
    assert reads == [("read", None), ("pipe", b"OK"), ("pipe", b"v")]
    assert events[1:].count([b"invalidate", [b"k"]]) == 1


async def test_a_reply_is_handled_before_its_caller_resumes_even_if_that_was_cancelled(server: RawServer) -> None:
    """C-9: a cancelled waiter's reply is still parsed and applied."""
    seen: list[bytes] = []
    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.hold(Direction.TO_CLIENT)
        task = asyncio.create_task(link.request(b"ECHO", b"late", on_reply=seen.append))
        await until(lambda: link._connection is not None and len(link._connection.waiting) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        proxy.heal()
        await works(link)
        assert seen == [b"late"]


@pytest.mark.parametrize("wrong", [b"rubbish\r\n", b"$-7\r\n", b"*9999999999999999999\r\n"])
async def test_an_answer_that_is_not_resp_ends_the_connection(wrong: bytes) -> None:
    """S-91"""
    answer = greeting_then(lambda command: wrong if command[0] == b"BAD" else b"+OK\r\n")
    async with StubServer(answer) as stub, started(stubbed(stub)) as link:
        for error in await asyncio.gather(link.request(b"BAD"), link.request(b"BAD"), return_exceptions=True):
            assert isinstance(error, LinkLost)
            assert error.sent
        assert await link.request(b"GET", b"k", deadline=soon()) == b"OK"
        assert stub.connections == 2


async def test_a_reply_that_nobody_asked_for_ends_the_connection() -> None:
    """S-91"""
    async with StubServer() as stub, started(stubbed(stub)) as link:
        stub.push(b"+SURPRISE\r\n")
        await until(lambda: not link.connected)
        assert await link.request(b"GET", b"k", deadline=soon()) == b"OK"
        assert link.generation == 2


@pytest.mark.parametrize("kind", ["reply", "push"])
async def test_a_handler_that_fails_ends_the_connection_since_a_cache_may_now_be_stale(
    kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(message: Any) -> None:
        raise RuntimeError("a handler's bug")

    async with StubServer() as stub, started(stubbed(stub, on_push=fail)) as link:
        if kind == "push":
            stub.push(b">1\r\n+hello\r\n")
            await until(lambda: not link.connected)
        else:
            with pytest.raises(LinkLost):
                await link.request(b"GET", b"k", on_reply=fail)
        assert await link.request(b"GET", b"k", deadline=soon()) == b"OK"
    assert "handler_failed" in [getattr(record, "event", "") for record in caplog.records]


async def test_a_push_without_a_handler_is_passed_over() -> None:
    async with StubServer() as stub, started(stubbed(stub)) as link:
        stub.push(b">1\r\n+hello\r\n")
        assert await link.request(b"GET", b"k") == b"OK"
        assert link.generation == 1


# Cancellation


async def test_no_reply_reaches_another_caller_while_a_third_of_them_give_up(server: RawServer) -> None:
    """K-07: of 100 000 responses behind a delaying proxy none is foreign, while 30 % of the callers are cancelled."""
    chance = random.Random(7)
    counts = {"own": 0, "foreign": 0, "cancelled": 0}

    async def caller(link: Link, name: int) -> None:
        loop = asyncio.get_running_loop()
        for turn in range(375):
            token = b"%d-%d" % (name, turn)
            asking = asyncio.ensure_future(link.request(b"ECHO", token, deadline=soon()))
            if chance.random() < 0.3:
                loop.call_later(chance.uniform(0, 0.012), asking.cancel)
            try:
                counts["own" if await asking == token else "foreign"] += 1
            except asyncio.CancelledError:
                counts["cancelled"] += 1

    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.delay(0.003)
        await asyncio.gather(*(caller(link, name) for name in range(400)))
        assert counts["foreign"] == 0
        assert counts["own"] > 100_000
        assert counts["own"] + counts["cancelled"] == 150_000
        assert counts["cancelled"] > 10_000
        await works(link)
        assert link.generation == 1
        assert proxy.counts.connections == 1


def operation(link: Link, name: str) -> Coroutine[Any, Any, Any]:
    match name:
        case "start":
            return link.start()
        case "call":
            return link.call(ADD, [b"n"], [1])
        case "pipeline":
            return link.pipeline([[b"ECHO", b"given up"]] * 3)
        case _:
            return link.request(b"ECHO", b"given up")


@pytest.mark.parametrize("name", ["request", "call", "pipeline", "start"])
async def test_cancelled_at_any_await_the_link_stays_right(server: RawServer, name: str) -> None:
    """R-36, S-201"""
    async with FaultProxy(server.path) as proxy:
        for turns in range(25):
            link = behind(proxy)
            if name != "start":
                await link.start(deadline=soon())
            task = asyncio.create_task(operation(link, name))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await works(link)
            await link.close()


@pytest.mark.parametrize("scope", [anyio.move_on_after, asyncio.timeout])
async def test_scopes_that_time_out_leave_the_link_right(
    server: RawServer, scope: Callable[[float], AbstractContextManager[Any] | AbstractAsyncContextManager[Any]]
) -> None:
    """R-36: anyio's scopes cancel again and again, until the task has left them."""
    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.delay(0.003)
        for number in range(20):
            with contextlib.suppress(TimeoutError):
                async with contextlib.AsyncExitStack() as stack:
                    entered = scope(number / 2000)
                    if isinstance(entered, AbstractContextManager):
                        stack.enter_context(entered)
                    else:
                        await stack.enter_async_context(entered)
                    await link.pipeline([[b"ECHO", b"given up"], [b"ECHO", b"too"]])
            await works(link)
        assert link.generation == 1


async def test_a_request_cancelled_before_it_was_sent_is_never_sent() -> None:
    async with StubServer() as stub, started(stubbed(stub)) as link:
        task = asyncio.ensure_future(link.request(b"GIVEN", b"UP"))
        await asyncio.sleep(0)
        task.cancel()
        assert await link.request(b"GET", b"k") == b"OK"
        assert [command[0] for command in stub.commands] == [b"HELLO", b"PING", b"GET"]
