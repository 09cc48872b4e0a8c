"""A client inside the process: calls an ASGI application directly and keeps its cookies."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

__all__ = ["AsgiClient", "serving"]


@asynccontextmanager
async def serving(app: Callable[..., Any]) -> AsyncIterator[None]:
    """Run the application's lifespan around the block, as a server does."""
    orders: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    answers: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
    lifespan = asyncio.create_task(app(scope, orders.get, answers.put))
    for event in ("startup", "shutdown"):
        await orders.put({"type": f"lifespan.{event}"})
        answer = await answers.get()
        if answer["type"] != f"lifespan.{event}.complete":
            raise RuntimeError(f"{event} failed: {answer}")
        if event == "startup":
            yield
    await lifespan


class AsgiClient:
    """Sends GET requests, one at a time, at almost no cost of its own.

    Args:
        app: the application; another one may be put in its place, as if the next request came to another server.
        cookies: its cookies at the start.
    """

    def __init__(self, app: Callable[..., Any], cookies: Mapping[bytes, bytes] | None = None) -> None:
        self.app = app
        self._cookies: dict[bytes, bytes] = {}
        self._headers: list[tuple[bytes, bytes]] = [(b"host", b"localhost"), (b"accept", b"*/*")]
        for name, value in (cookies or {}).items():
            self._keep(name + b"=" + value)
        self.status = 0
        self.body = b""

    async def get(self, path: str) -> bytes:
        """The body of the response; ``status`` has its status.

        Raises:
            RuntimeError: the status is not 200, so that only successful requests are timed.
        """
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": self._headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
            "extensions": {},
        }
        await self.app(scope, self._receive, self._send)
        if self.status != 200:
            raise RuntimeError(f"{path} answered {self.status}")
        return self.body

    async def _receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            for name, value in message["headers"]:
                if name == b"set-cookie":
                    self._keep(value)
        elif message["type"] == "http.response.body":
            self.body = message.get("body", b"")

    def _keep(self, cookie: bytes) -> None:
        name, _, value = cookie.partition(b";")[0].partition(b"=")
        self._cookies[name] = value
        header = b"; ".join(name + b"=" + value for name, value in self._cookies.items())
        self._headers = [*self._headers[:2], (b"cookie", header)]

    @property
    def cookies(self) -> dict[bytes, bytes]:
        """What it carries now."""
        return dict(self._cookies)
