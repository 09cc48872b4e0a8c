"""Cases of `AdapterSuite`: WebSockets."""

from __future__ import annotations

from typing import Any

from ...web import Message
from .client import Browser
from .harness import AdapterHarness, Node, Nodes

__all__ = ["SocketCases"]


class SocketCases(AdapterHarness):
    """A session is read before the handshake is accepted, and changed by messages (R-41 to R-43)."""

    async def test_the_session_is_there_before_the_handshake_is_accepted(self, browser: Browser) -> None:
        await browser.do("set-color")
        async with browser.socket("/ws/get-color") as socket:
            accepted = await socket.next()
            assert accepted["type"] == "websocket.accept"
            assert await socket.ask("get-color") == "color"

    async def test_a_handshake_may_create_the_session(self, browser: Browser) -> None:
        """R-41: the cookies come with the accept."""
        async with browser.socket("/ws/set-color") as socket:
            cookies = _cookies(await socket.next())
            assert sorted(cookies) == ["__Host-sid", "__Host-sid-v"]
            other = {"cookie": f"__Host-sid={cookies['__Host-sid']}"}
            assert (await browser.get("/do/get-color", headers=other)).json() == "color"

    async def test_a_known_client_is_given_no_cookie(self, browser: Browser) -> None:
        await browser.do("set-color")
        async with browser.socket("/ws/get-color") as socket:
            assert _cookies(await socket.next()) == {}

    async def test_what_messages_change_is_kept_when_the_socket_ends(self, browser: Browser, nodes: Nodes) -> None:
        """R-37."""
        await browser.do("set-color")
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            await socket.ask("set-size")
            await socket.ask("cart")
            await socket.ask("append-tea")
        assert await browser.at(nodes()).do("names") == ["cart", "color", "size"]
        assert await browser.do("get-cart") == {"lines": ["tea"]}

    async def test_a_commit_is_seen_by_everybody_at_once(self, browser: Browser, nodes: Nodes) -> None:
        """R-42."""
        await browser.do("set-color")
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            await socket.ask("commit-size")
            assert await browser.copy().at(nodes()).do("names") == ["color", "size"]

    async def test_a_socket_never_writes_back_what_it_only_read(self, browser: Browser) -> None:
        """R-43."""
        await browser.do("cart")
        async with browser.socket("/ws/read") as socket:
            await socket.next()
            await browser.do("append-tea")
            await socket.ask("set-size")
        assert await browser.do("get-cart") == {"lines": ["tea"]}
        assert await browser.do("get-size") == "size"

    async def test_a_refused_handshake_creates_no_session(self, node: Node, browser: Browser) -> None:
        """R-41."""
        async with browser.socket("/deny/set-color", extensions={"websocket.http.response": {}}) as socket:
            refusal = await socket.next()
            assert refusal["type"] in {"websocket.close", "websocket.http.response.start"}
            assert _cookies(refusal) == {}
        assert node.store.calls["create"] == 0

    async def test_a_message_cannot_create_a_session(self, node: Node, browser: Browser) -> None:
        """R-38."""
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            assert (await socket.tell("set-color"))["type"] == "websocket.close"
        assert node.store.calls["create"] == 0

    async def test_what_a_message_changed_is_stored_before_it_is_answered(self, browser: Browser, nodes: Nodes) -> None:
        """R-42: the socket may stay open for hours, and its server may be killed."""
        await browser.do("set-color")
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            await socket.ask("set-size")
            other = browser.copy().at(nodes())  # which has no copy of the session yet
            assert await other.do("names") == ["color", "size"]
            await socket.ask("cart")
            await socket.ask("append-tea")
        assert await browser.do("get-cart") == {"lines": ["tea"]}

    async def test_an_error_drops_what_its_message_changed(self, browser: Browser) -> None:
        """R-32."""
        await browser.do("set-color")
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            await socket.ask("set-size")
            assert (await socket.tell("fail-weight"))["type"] == "websocket.close"
        assert await browser.do("names") == ["color", "size"]

    async def test_what_could_not_be_committed_is_sent_with_a_later_message(self, node: Node, browser: Browser) -> None:
        """F-00a: the connection stays open while the store is unreachable."""
        await browser.do("set-color")
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            node.store.stopped = True
            await socket.ask("set-size")
            await socket.ask("nothing")
            node.store.stopped = False
            await socket.ask("set-weight")
        assert await browser.do("names") == ["color", "size", "weight"]

    async def test_the_applications_close_code_is_the_clients(self, browser: Browser) -> None:
        """R-41."""
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            closed = await socket.tell("close")
            assert (closed["type"], closed["code"]) == ("websocket.close", 4001)

    async def test_a_malformed_id_is_nobody(self, node: Node, browser: Browser) -> None:
        """S-04."""
        async with browser.socket("/ws/read", headers=[(b"cookie", b"__Host-sid=short")]) as socket:
            assert (await socket.next())["type"] == "websocket.accept"
            assert await socket.ask("read") == {}
        assert node.store.calls.total() == 0

    async def test_a_session_that_ends_elsewhere_takes_no_more_changes(self, browser: Browser, nodes: Nodes) -> None:
        """S-62."""
        await browser.do("set-color")
        async with browser.socket("/ws/nothing") as socket:
            await socket.next()
            other = browser.copy().at(nodes())
            await other.do("invalidate")
            assert (await socket.tell("commit-size"))["type"] == "websocket.close"
        assert await browser.do("read") == {}

    async def test_without_the_store_the_handshake_is_refused(self, node: Node, browser: Browser) -> None:
        """F-00a: by a 503 where the server can send one, else by the code for "try again later"."""
        await browser.do("set-color")
        node.store.stopped = True
        async with browser.socket("/ws/read", extensions={"websocket.http.response": {}}) as socket:
            refusal = await socket.next()
            assert (refusal["type"], refusal["status"]) == ("websocket.http.response.start", 503)
        async with browser.socket("/ws/read") as socket:
            refusal = await socket.next()
            assert (refusal["type"], refusal["code"]) == ("websocket.close", 1013)

    async def test_the_close_after_an_error_without_the_session_is_the_applications(
        self, node: Node, browser: Browser
    ) -> None:
        """R-30: the same with the store and without it."""
        await browser.do("set-color")
        closes: list[Message] = []
        for stopped in (False, True):
            node.store.stopped = stopped
            async with browser.socket("/ws/nothing") as socket:
                assert (await socket.next())["type"] == "websocket.accept"
                closes.append(await socket.tell("raise"))
        assert closes[0]["type"] == "websocket.close"
        assert closes[0]["code"] == closes[1]["code"]


def _cookies(message: Message) -> dict[str, Any]:
    headers = [(name.lower(), value.decode()) for name, value in message.get("headers") or ()]
    pairs = [value.partition(";")[0].split("=", 1) for name, value in headers if name == b"set-cookie"]
    return dict(pairs)
