"""Access control of the sample, and security headers for its pages. A middleware in pure ASGI."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from wsgessions.internal.loopback import is_loopback

from .places import Servers, visitor_host

__all__ = ["Guard", "may_control"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CONTROLS: Final = ("/Cart/kill", "/Cart/restart", "/Cart/pause-store")
"""Paths that stop and start processes."""


def may_control(scope: Mapping[str, Any], servers: Servers) -> bool:
    """Whether this request may stop and start servers.

    Only under the supervisor, which binds to loopback; only where the connection arrived there; and only under a name
    of this machine, so that a foreign page cannot come in by a name of its own that resolves to 127.0.0.1.
    """
    address = scope.get("server") or ("",)
    return servers.supervised and is_loopback(str(address[0])) and is_loopback(visitor_host(scope))


class Guard:
    """Rejects requests from other sites' pages, and controls from other hosts; adds security headers to every
    answer.
    """

    def __init__(self, app: App, servers: Servers) -> None:
        self.app = app
        self.servers = servers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] == "POST" and not self._is_welcome(scope):
            await _refuse(send)
        else:
            await self.app(scope, receive, self._with_headers(scope, send))

    def _is_welcome(self, scope: Scope) -> bool:
        if scope["path"] in CONTROLS and not may_control(scope, self.servers):
            return False
        return _is_own_page(scope)

    def _with_headers(self, scope: Scope, send: Send) -> Send:
        fields = self._headers(scope)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *fields]
            await send(message)

        return send_with_headers

    def _headers(self, scope: Scope) -> list[tuple[bytes, bytes]]:
        # A form's answer may lead to another server of the sample, which form-action would otherwise refuse.
        others = " ".join(place.url(visitor_host(scope), "") for place in self.servers.others)
        policy = (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
            f"form-action 'self' {others}; base-uri 'none'; frame-ancestors 'none'"
        )
        return [
            (b"content-security-policy", policy.encode("ascii")),
            (b"referrer-policy", b"same-origin"),
            (b"x-content-type-options", b"nosniff"),
        ]


def _is_own_page(scope: Scope) -> bool:
    """Whether a form of this server, or no browser, sent the request."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is None or origin == b"http://" + headers.get(b"host", b"")


async def _refuse(send: Send) -> None:
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"This is only for the sample's own pages on its own machine.\n"})
