"""Cases of `AdapterSuite`: caches around and inside of the application, and other layers that read headers (S-40,
S-44).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from typing import Final, NamedTuple

import pytest

from ...web import ASGIApp, Message, Receive, Scope, Send
from .client import Browser
from .harness import AdapterHarness, Nodes, cookies_set
from .middleware import Layer

__all__ = ["CacheCases", "SharedCache"]

USERS: Final = ("ann", "bob", "cleo")
REQUESTS: Final = 90
_ADDED: Final = {b"set-cookie": b"; Priority=High"}


class Kept(NamedTuple):
    varied: dict[bytes, bytes]
    start: Message
    body: bytes


class SharedCache:
    """A cache that obeys the headers of responses, and keeps all responses that they allow to keep, for ever."""

    def __init__(self) -> None:
        self.hits: int = 0
        """The number of requests that it has answered."""
        self._kept: dict[str, list[Kept]] = defaultdict(list)

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application behind it. As a `Layer`, it can be inside of the sessions."""

        async def cached(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http" or scope["method"] != "GET":
                await app(scope, receive, send)
                return
            found = self._find(scope)
            if found is not None:
                self.hits += 1
                await send(found.start)
                await send({"type": "http.response.body", "body": found.body})
                return
            start: Message = {}
            parts: list[bytes] = []

            async def keep(message: Message) -> None:
                if message["type"] == "http.response.start":
                    start.update(message, headers=list(message.get("headers") or ()))
                    message = {**start}
                else:
                    parts.append(message.get("body", b""))
                    if not message.get("more_body"):
                        self._keep(scope, start, b"".join(parts))
                await send(message)

            await app(scope, receive, keep)

        return cached

    def _find(self, scope: Scope) -> Kept | None:
        asked = _joined(scope["headers"])
        for kept in self._kept[scope["path"]]:
            if all(asked.get(name, b"") == value for name, value in kept.varied.items()):
                return kept
        return None

    def _keep(self, scope: Scope, start: Message, body: bytes) -> None:
        said = _joined(start["headers"])
        directives = {part.strip().lower() for part in said.get(b"cache-control", b"").split(b",")}
        names = {part.strip().lower() for part in said.get(b"vary", b"").split(b",")} - {b""}
        if start["status"] != 200 or b"*" in names or directives & {b"no-store", b"private"}:
            return
        asked = _joined(scope["headers"])
        self._kept[scope["path"]].append(Kept({name: asked.get(name, b"") for name in names}, start, body))


class CacheCases(AdapterHarness):
    """A cache that follows the rules of HTTP gives each visitor its own page."""

    @pytest.mark.parametrize("between", [True, False])
    @pytest.mark.parametrize("path", ["/do/get-user", "/cached/get-user"])
    async def test_each_visitor_gets_its_own_page_out_of_a_cache(self, nodes: Nodes, between: bool, path: str) -> None:
        """S-44, with a cache before the application, and with one between the sessions and it."""
        cache = SharedCache()
        node = nodes(inside=cache.around) if between else nodes()
        app: ASGIApp = node if between else cache.around(node)
        browsers: dict[str | None, Browser] = {user: node.browser().at(app) for user in (*USERS, None)}
        for name in USERS:
            await browsers[name].get(f"/do/login-{name}")
        visits = itertools.islice(itertools.cycle([*USERS, None, *reversed(USERS)]), REQUESTS)
        for number, user in enumerate(visits):
            assert (await browsers[user].get(path)).json() == user
            if number % 20 == 19 and user is not None:
                await browsers[user].get(f"/do/set-a{number}")
        assert cache.hits > 0

    async def test_a_body_that_may_look_later_depends_on_the_visitor_from_the_start(self, browser: Browser) -> None:
        """S-40: when the stream reads the session, its headers have left. Some frameworks read it earlier by
        themselves.
        """
        for _ in range(2):
            response = await browser.get("/stream/get-color")
            assert response.headers["vary"].lower() == "cookie"
            assert response.headers.get("cache-control") in {None, "private"}
            assert "set-cookie" not in response.headers
            await browser.do("set-color")

    async def test_layers_inside_see_the_sessions_headers(self, nodes: Nodes) -> None:
        """S-40: the client gets each header once, whatever the layers do with them."""
        seen: list[dict[bytes, bytes]] = []
        browser = nodes(inside=_rewriting(seen)).browser()
        for action, cookies in (("set-color", 2), ("read", 0), ("set-size", 1), ("login-ann", 2), ("invalidate", 2)):
            response = await browser.get(f"/do/{action}")
            told = response.headers.get_list("set-cookie")
            assert len(told) == cookies
            assert all(each.endswith("; Priority=High") for each in told)
            assert seen[-1][b"vary"].lower() == b"cookie"
            assert (seen[-1].get(b"cache-control") is None) == (not cookies)
            assert seen[-1].get(b"set-cookie", b"").count(b"; Path=") == cookies
            assert response.headers["vary"].lower() == "cookie"
        await browser.get("/untouched")
        assert not {b"vary", b"set-cookie", b"cache-control"} & set(seen[-1])

    async def test_what_a_layer_loses_is_told_nevertheless(self, nodes: Nodes) -> None:
        browser = nodes(inside=_forgetting).browser()
        assert set(cookies_set(await browser.get("/do/set-color"))) == {"__Host-sid", "__Host-sid-v"}
        response = await browser.get("/do/login-ann")
        assert (response.headers["vary"], response.headers["cache-control"]) == ("Cookie", "no-store")
        assert await browser.do("read") == {"color": "color", "user": "ann"}

    @pytest.mark.parametrize("prefix", ["/", "/do"])
    async def test_what_used_the_session_is_kept_nowhere_below_the_paths_that_are_set(
        self, nodes: Nodes, prefix: str
    ) -> None:
        """S-42."""
        browser = nodes(no_store=prefix).browser()
        await browser.do("set-color")
        assert (await browser.get("/do/read")).headers["cache-control"] == "no-store"
        everywhere = prefix == "/"
        assert (await browser.get("/cached/read")).headers["cache-control"] == (
            "no-store" if everywhere else "public, max-age=60"
        )
        assert "cache-control" not in (await browser.get("/untouched")).headers


def _rewriting(seen: list[dict[bytes, bytes]]) -> Layer:
    """A layer that reads headers and changes cookies of responses."""

    def around(app: ASGIApp) -> ASGIApp:
        async def layer(scope: Scope, receive: Receive, send: Send) -> None:
            async def rewrite(message: Message) -> None:
                if message["type"] == "http.response.start":
                    headers = [(name.lower(), value) for name, value in message.get("headers") or ()]
                    seen.append(_joined(headers))
                    changed = [(name, value + _ADDED.get(name, b"")) for name, value in headers]
                    message = {**message, "headers": changed}
                await send(message)

            await app(scope, receive, rewrite)

        return layer

    return around


def _forgetting(app: ASGIApp) -> ASGIApp:
    """A layer that answers in the application's place, after it."""

    async def layer(scope: Scope, receive: Receive, send: Send) -> None:
        async def forget(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message.get("headers") or () if each[0].lower().startswith(b"content-")]
                message = {**message, "headers": kept}
            await send(message)

        await app(scope, receive, forget)

    return layer


def _joined(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    joined: dict[bytes, bytes] = {}
    for name, value in headers:
        lower = name.lower()
        joined[lower] = joined[lower] + b", " + value if lower in joined else value
    return joined
