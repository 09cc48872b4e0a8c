"""Cases of `AdapterSuite`: connections that outlive their session (C-17)."""

from __future__ import annotations

import asyncio
from typing import Any

from ...web import Message
from .actions import Pause, pauses
from .client import Browser, http_scope, talk
from .harness import AdapterHarness, Node, Nodes

__all__ = ["LongConnectionCases"]

_LEASE = {"lease": "300ms", "heartbeat": "100ms"}
"""The time within which an idle connection is checked, on both servers of a test."""


class LongConnectionCases(AdapterHarness):
    """A WebSocket is closed and a stream is cut when the session has ended; others stay open."""

    async def test_a_logout_elsewhere_closes_a_socket_on_which_nothing_happens(self, nodes: Nodes) -> None:
        """S-54: within a lease."""
        one, other = nodes(**_LEASE), nodes(**_LEASE)
        browser = await _known_to(one)
        async with browser.copy().at(other).socket("/ws/read") as socket:
            assert (await socket.next())["type"] == "websocket.accept"
            await browser.do("invalidate")
            closed = await socket.next()
            assert (closed["type"], closed["code"]) == ("websocket.close", 1008)
        assert other.errors == []

    async def test_a_message_after_the_logout_is_not_answered(self, nodes: Nodes) -> None:
        """R-42: the request finds the ended session, or a copy that is still valid until the push arrives."""
        one, other = nodes(**_LEASE), nodes(**_LEASE)
        browser = await _known_to(one)
        async with browser.copy().at(other).socket("/ws/read") as socket:
            await socket.next()
            await browser.do("invalidate")
            answer: Message = {"type": "websocket.send"}
            while answer["type"] == "websocket.send":
                answer = await socket.tell("get-color")
            assert (answer["type"], answer["code"]) == ("websocket.close", 1008)

    async def test_a_new_id_elsewhere_closes_the_socket_of_the_old_one(self, nodes: Nodes) -> None:
        """S-06: the old id is invalid everywhere."""
        one, other = nodes(**_LEASE), nodes(**_LEASE)
        browser = await _known_to(one)
        async with browser.copy().at(other).socket("/ws/read") as socket:
            await socket.next()
            await browser.do("login-ann")
            assert (await socket.next())["code"] == 1008
        async with browser.at(other).socket("/ws/read") as socket:
            await socket.next()
            assert await socket.ask("get-user") == "ann"

    async def test_a_stream_a_task_a_socket_and_a_request_at_once_all_keep_what_they_set(self, nodes: Nodes) -> None:
        """K-02, R-43: on two servers, and all of them have read the session before the first one writes."""
        one, other = nodes(), nodes()
        browser = await _known_to(one)
        pauses.update({name: Pause() for name in ("part", "plain", "message")})
        cookie = [(b"cookie", browser.cookie.encode())]
        async with asyncio.timeout(30), browser.copy().at(other).socket("/ws/read") as socket:
            await socket.next()
            socket.say("pause-message")
            calls = ((one, "/stream/pause-part"), (other, "/do/pause-plain"))
            running = [asyncio.create_task(talk(node, http_scope(path, cookie))) for node, path in calls]
            for pause in pauses.values():
                await pause.reached.wait()
            await talk(one, http_scope("/background/set-task", cookie))
            for pause in pauses.values():
                pause.resume.set()
            assert (await socket.next())["type"] == "websocket.send"
            await asyncio.gather(*running)
        fresh = {"cookie": f"__Host-sid={browser.id}"}  # the id alone: the store is read
        wanted = ["color", "message", "part", "plain", "task"]
        async with asyncio.timeout(30):  # frameworks may run a task beside its request, without waiting for it
            while (await one.browser().get("/do/names", headers=fresh)).json() != wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def test_a_socket_stays_open_while_the_store_is_away(self, nodes: Nodes) -> None:
        """F-00a: an unreachable store does not mean an ended session."""
        one, other = nodes(**_LEASE), nodes(**_LEASE)
        browser = await _known_to(one)
        async with browser.copy().at(other).socket("/ws/read") as socket:
            await socket.next()
            other.store.forget()
            other.store.stopped = True
            await _until_read(other, 2)
            assert await socket.ask("get-color") == "color"
            other.store.stopped = False
            other.store.forget()
            assert await socket.ask("commit-size")
            # The browser carries no watermark of what a socket commits: elsewhere it may be behind for a moment (C-13).
            async with asyncio.timeout(30):
                while await browser.do("names") != ["color", "size"]:  # noqa: ASYNC110 - a condition at a server
                    await asyncio.sleep(0.01)

    async def test_a_logout_elsewhere_cuts_a_stream_that_has_nothing_to_say(self, nodes: Nodes) -> None:
        """S-54: the client can see that the body is truncated."""
        one, other = nodes(**_LEASE), nodes(**_LEASE)
        browser = await _known_to(one)
        pauses["more"] = Pause()
        scope = http_scope("/stream/pause-more", [(b"cookie", browser.cookie.encode())])
        seen: list[Message] = []
        first = asyncio.Event()

        async def send(message: Message) -> None:
            seen.append(message)
            if message.get("body"):
                first.set()

        async with asyncio.timeout(30):
            streaming = asyncio.create_task(talk(other, scope, send=send))
            await pauses["more"].reached.wait()
            await first.wait()
            await browser.do("invalidate")
            await streaming
        assert _body(seen) == b"first"
        assert all(message.get("more_body", True) for message in seen if message["type"] == "http.response.body")
        assert other.errors == []


async def _known_to(node: Node) -> Browser:
    browser = node.browser()
    await browser.do("set-color")
    return browser


async def _until_read(node: Node, times: int) -> None:
    """Wait until the store was read so often for the session of an open connection."""
    async with asyncio.timeout(30):
        while node.store.calls["load"] < times:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


def _body(messages: list[Message]) -> Any:
    return b"".join(message.get("body", b"") for message in messages)
