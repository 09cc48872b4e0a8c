"""Cases of `AdapterSuite`: cookies that are not the session's, and those that only look like it (S-29, S-31)."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import pytest

from .client import Browser, Socket, http_scope, talk
from .harness import AdapterHarness, Node, Nodes

__all__ = ["StrayCases"]

UNKNOWN: Final = "A" * 43
FOREIGN: Final = {
    "five of 4 kB": "; ".join(f"f{index}={'x' * 4000}" for index in range(5)),
    "three hundred": "; ".join(f"f{index}=x" for index in range(300)),
}
"""More cookies than are read."""


class Answer(NamedTuple):
    status: int
    body: bytes
    cookies: list[str]

    @property
    def value(self) -> Any:
        """What the route has answered as JSON."""
        return json.loads(self.body)


class StrayCases(AdapterHarness):
    """Foreign cookies beside the session's cookie neither remove the session nor duplicate it."""

    @pytest.mark.parametrize("stray", ["x", "", UNKNOWN + "A", UNKNOWN], ids=["short", "empty", "long", "unknown"])
    @pytest.mark.parametrize("first", [True, False])
    async def test_a_stray_does_not_cost_the_session(
        self, node: Node, browser: Browser, stray: str, first: bool
    ) -> None:
        """S-29: a value of another shape does not count; of several ids the one in the store does."""
        await browser.do("set-color")
        other = f"__Host-sid={stray}"
        cookie = f"{other}; {browser.cookie}" if first else f"{browser.cookie}; {other}"
        assert (await _answer(node, "/do/read", cookie)).value == {"color": "color"}
        written = await _answer(node, "/do/set-size", cookie)
        assert [each.partition("=")[0] for each in written.cookies] == ["__Host-sid-v"]
        assert await browser.do("names") == ["color", "size"]
        assert node.store.calls["create"] == 1

    async def test_a_stray_does_not_keep_a_login_from_being_one(self, node: Node, browser: Browser) -> None:
        """S-06, S-29."""
        await browser.do("set-color")
        before = browser.copy()
        answer = await _answer(node, "/do/login-ann", f"__Host-sid={UNKNOWN}; {browser.cookie}")
        given = _jar(answer.cookies)
        assert given["__Host-sid"] not in {UNKNOWN, before.id}
        assert (await _answer(node, "/do/read", _header(given))).value == {"color": "color", "user": "ann"}
        assert await before.do("read") == {}

    async def test_logging_out_beside_a_stray_ends_the_session(self, node: Node, browser: Browser) -> None:
        """S-29, S-32."""
        await browser.do("set-color")
        answer = await _answer(node, "/do/invalidate", f"__Host-sid={UNKNOWN}; {browser.cookie}")
        assert sum("Max-Age=0" in each for each in answer.cookies) == 2
        assert await browser.do("read") == {}

    async def test_of_two_known_ids_the_watermark_tells_which_one_counts(self, node: Node, browser: Browser) -> None:
        """S-29: only a server can have made the watermark. Without one, or with another's, neither id counts."""
        await browser.do("set-color")
        other = node.browser()
        await other.do("set-size")
        marked = f"__Host-sid={other.id}; {browser.cookie}"
        assert (await _answer(node, "/do/read", marked)).value == {"color": "color"}
        bare = f"__Host-sid={other.id}; __Host-sid={browser.id}"
        forged = f"{bare}; __Host-sid-v={'A' * 48}"
        for cookie in (bare, forged):
            assert (await _answer(node, "/do/read", cookie)).value == {}

    async def test_strays_of_a_release_with_other_attributes_are_removed_with_the_next_id(self, nodes: Nodes) -> None:
        """S-29: the cookie had no domain before. The new cookie comes beside it, and not in its place."""
        node = nodes(cookie={"name": "__Secure-sid", "domain": "example.test"})
        old = f"__Secure-sid={UNKNOWN}"
        answer = await _answer(node, "/do/set-color", old)
        removed = [each for each in answer.cookies if "Max-Age=0" in each]
        assert {each.partition("=")[0] for each in removed} == {"__Secure-sid", "__Secure-sid-v"}
        assert not any("domain" in each.lower() for each in removed)
        given = _jar([each for each in answer.cookies if each not in removed])
        for cookie in (f"{old}; {_header(given)}", _header(given)):
            assert (await _answer(node, "/do/read", cookie)).value == {"color": "color"}
        beside = await _answer(node, "/do/login-ann", f"{old}; {_header(given)}")
        removed = [each for each in beside.cookies if "Max-Age=0" in each]
        assert len(removed) == 2
        healed = _jar([each for each in beside.cookies if each not in removed])
        alone = await _answer(node, "/do/login-bob", _header(healed))
        assert not any("Max-Age=0" in each for each in alone.cookies)

    @pytest.mark.parametrize("foreign", FOREIGN.values(), ids=FOREIGN)
    async def test_among_more_cookies_than_are_read_nothing_is_changed(
        self, node: Node, browser: Browser, foreign: str
    ) -> None:
        """S-31: a write would replace a session that is among these cookies."""
        await browser.do("set-color")
        for cookie in (f"{browser.cookie}; {foreign}", foreign):
            read = await _answer(node, "/do/read", cookie)
            assert (read.status, read.value, read.cookies) == (200, {}, [])
            for action in ("set-size", "login-ann", "bind-ann", "clear", "invalidate", "end", "increment-n"):
                refused = await _answer(node, f"/do/{action}", cookie)
                assert (refused.status, refused.cookies) == (431, []), action
        assert await browser.do("read") == {"color": "color"}
        assert node.store.calls["create"] == 1

    async def test_a_socket_that_would_change_a_session_is_refused_among_so_many(self, node: Node) -> None:
        """S-31, R-41: what is 431 for a request is a close with 1008."""
        socket = Socket(node, "/ws/set-size", FOREIGN["three hundred"], {})
        close = await socket.next()
        assert (close["type"], close["code"]) == ("websocket.close", 1008)
        await socket.leave()
        assert node.store.calls["create"] == 0


async def _answer(node: Node, path: str, cookie: str) -> Answer:
    """The answer to a request with this Cookie header."""
    sent = await talk(node, http_scope(path, [(b"cookie", cookie.encode())]))
    cookies = [value.decode() for name, value in sent[0]["headers"] if name.lower() == b"set-cookie"]
    return Answer(sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:]), cookies)


def _jar(cookies: list[str]) -> dict[str, str]:
    pairs = (each.partition(";")[0].partition("=") for each in cookies)
    return {name: value for name, _, value in pairs}


def _header(jar: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in jar.items())
