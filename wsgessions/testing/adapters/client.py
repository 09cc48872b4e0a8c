"""The clients of `AdapterSuite`: a browser, and a WebSocket. Both call the application in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2

from ...web import ASGIApp, Message, Receive, Scope, Send

__all__ = ["BASE_URL", "Browser", "Socket", "http_scope", "talk"]

BASE_URL: Final = "https://testserver"
"""The cookies are for https."""
_PATIENCE: Final = 30.0
"""Seconds after which a missing answer is a failure. Not a measure of speed."""


class Browser:
    """Sends requests and keeps cookies, as browsers do.

    Args:
        app: the server to talk to; see `at`.
        session_cookie: the name of the id cookie.
    """

    def __init__(self, app: ASGIApp, session_cookie: str) -> None:
        self._app = app
        self._name = session_cookie
        transport = httpx2.ASGITransport(self._forward, raise_app_exceptions=False)
        self._client = httpx2.AsyncClient(transport=transport, base_url=BASE_URL)

    async def _forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def at(self, app: ASGIApp) -> Browser:
        """This browser, from now on at another server."""
        self._app = app
        return self

    def copy(self) -> Browser:
        """A browser with the same cookies now, and separate ones from now on."""
        other = Browser(self._app, self._name)
        other._client.cookies.update(self._client.cookies)
        return other

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        """A GET request; the cookies of its response are kept."""
        return await self._client.get(path, **options)

    async def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """A request of any method."""
        return await self._client.request(method, path, **options)

    async def do(self, action: str) -> Any:
        """The answer of ``/do/{action}``, which must be a 200."""
        response = await self.get(f"/do/{action}")
        assert response.status_code == 200, response.text
        return response.json()

    @property
    def id(self) -> str | None:
        """The session id that the browser would send."""
        return self._client.cookies.get(self._name)

    @property
    def cookie(self) -> str:
        """The Cookie header that the browser would send."""
        return "; ".join(f"{name}={value}" for name, value in self._client.cookies.items())

    @asynccontextmanager
    async def socket(self, path: str, **scope: Any) -> AsyncGenerator[Socket]:
        """A WebSocket, after the handshake or its denial; closed at the end of the block."""
        socket = Socket(self._app, path, self.cookie, scope)
        try:
            yield socket
        finally:
            await socket.leave()


class Socket:
    """A WebSocket in the application's process.

    Args:
        app: the application.
        path: the path.
        cookie: the Cookie header, or "" for none.
        scope: more for the scope.
    """

    def __init__(self, app: ASGIApp, path: str, cookie: str, scope: dict[str, Any]) -> None:
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._to_app.put_nowait({"type": "websocket.connect"})
        headers = [(b"cookie", cookie.encode())] if cookie else []
        full: Scope = _scope("websocket", path, headers) | {"scheme": "wss", "subprotocols": []} | scope
        self._task = asyncio.create_task(self._run(app, full))

    async def _run(self, app: ASGIApp, scope: Scope) -> None:
        await app(scope, self._to_app.get, self._from_app.put)

    async def next(self) -> Message:
        """The application's next message; if it has ended without one, the close that a server sends then."""
        message = asyncio.create_task(self._from_app.get())
        done, _ = await asyncio.wait([message, self._task], timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        assert done, "the application says nothing"
        if message in done or not self._from_app.empty():
            return await message
        message.cancel()
        return {"type": "websocket.close", "code": 1011 if self._task.exception() else 1000}

    async def ask(self, action: str) -> Any:
        """The application's answer to a text."""
        self.say(action)
        answer = await self.next()
        assert answer["type"] == "websocket.send", answer
        return json.loads(answer.get("text") or answer["bytes"])

    async def tell(self, action: str) -> Message:
        """Send a text that is not answered by one: the application's next message."""
        self.say(action)
        return await self.next()

    def say(self, action: str) -> None:
        """Send a text."""
        self._to_app.put_nowait({"type": "websocket.receive", "text": action})

    async def leave(self) -> BaseException | None:
        """Disconnect, and wait until the application has ended. Returns its error."""
        self._to_app.put_nowait({"type": "websocket.disconnect", "code": 1000})
        done, _ = await asyncio.wait([self._task], timeout=_PATIENCE)
        assert done, "the application does not end after the WebSocket was closed"
        return self._task.exception()


def http_scope(path: str, headers: Iterable[Any] = (), **more: Any) -> Scope:
    """The scope of a GET request."""
    return _scope("http", path, headers) | {"method": "GET", "scheme": "https"} | more


def _scope(kind: str, path: str, headers: Iterable[Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"host", b"testserver"), *headers],
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 443),
        "extensions": {},
    }


async def talk(app: ASGIApp, scope: Scope, *, send: Send | None = None) -> list[Message]:
    """Run one request without a body, and return what the application sent.

    Args:
        app: the application.
        scope: the scope.
        send: a channel to use in place of one that collects.
    """
    sent: list[Message] = []
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def collect(message: Message) -> None:
        sent.append(message)

    async def deliver(message: Message) -> None:
        try:
            await (send or collect)(message)
        except OSError:
            incoming.put_nowait({"type": "http.disconnect"})
            raise
        if message["type"] == "http.response.body" and not message.get("more_body"):
            incoming.put_nowait({"type": "http.disconnect"})  # as servers do: frameworks wait for it

    await app(scope, incoming.get, deliver)
    return sent
