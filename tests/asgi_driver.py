"""Drives an ASGI application as a server and a browser would, without either: every message is seen as it is.

`Browser` keeps cookies between requests. `Call` runs one call of the application step by step, for what a finished
response does not show: streaming, disconnects, WebSockets.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from wsgessions.session import Session
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send

RawHeaders = Iterable[tuple[bytes, bytes]]

PATIENCE = 30
"""Seconds until a wait that should be over at once is taken for endless."""


def http_scope(path: str = "/", method: str = "GET", headers: RawHeaders = (), **more: Any) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": list(headers),
        "client": ("192.0.2.1", 50000),
        "server": ("a.test", 443),
        "extensions": {},
        "state": {},
        **more,
    }


def websocket_scope(path: str = "/", headers: RawHeaders = (), **more: Any) -> dict[str, Any]:
    scope = http_scope(path, headers=headers, extensions={"websocket.http.response": {}})
    del scope["method"]
    return {**scope, "type": "websocket", "scheme": "wss", "subprotocols": [], **more}


@dataclass
class Response:
    """What the server was sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def start(self) -> Message:
        return next(message for message in self.messages if "headers" in message or message["type"].endswith(".start"))

    @property
    def status(self) -> int:
        status: int = self.start["status"]
        return status

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    def header(self, name: str) -> list[str]:
        """The values of all fields of this name."""
        headers = self.start.get("headers", ())
        return [value.decode("latin-1") for each, value in headers if each.lower() == name.encode()]

    @property
    def set_cookies(self) -> dict[str, str]:
        """The Set-Cookie fields by the cookie's name."""
        return {value.partition("=")[0]: value for value in self.header("set-cookie")}


class Browser:
    """Keeps cookies, and shows them to every application that it visits."""

    def __init__(self, **cookies: str) -> None:
        self.cookies = dict(cookies)

    def copy(self) -> Browser:
        """Another tab: what it has now, and its own from here on."""
        return Browser(**self.cookies)

    @property
    def header(self) -> list[tuple[bytes, bytes]]:
        pairs = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return [(b"cookie", pairs.encode("latin-1"))] if pairs else []

    async def request(self, app: ASGIApp, path: str = "/", method: str = "GET", **more: Any) -> Response:
        """One request from start to end; what comes out of the application comes out of here."""
        scope = http_scope(path, method, [*more.pop("headers", ()), *self.header], **more)
        response = Response()

        async def send(message: Message) -> None:
            response.messages.append(message)

        try:
            await app(scope, _request_without_body(), send)
        finally:
            if response.messages:
                self.take(response)
        return response

    def take(self, response: Response) -> None:
        """Keep the cookies of a response."""
        for name, header in response.set_cookies.items():
            value, *attributes = header.removeprefix(f"{name}=").split("; ")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value


def _request_without_body() -> Receive:
    messages = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return messages.pop() if messages else {"type": "http.disconnect"}

    return receive


class Call:
    """One call of an application, with both of its channels in the hands of the test; an async context manager.

    Leaving it waits for the end of the call, and raises what came out of it.
    """

    def __init__(self, app: ASGIApp, scope: Scope) -> None:
        self.response = Response()
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._outgoing: asyncio.Queue[Message] = asyncio.Queue()
        self._broken: OSError | None = None
        self._run = app(scope, self._incoming.get, self._send)
        self.task: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self.task = asyncio.ensure_future(self._run)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        else:
            await self.end()

    async def end(self) -> None:
        """Wait for the end of the call."""
        async with asyncio.timeout(PATIENCE):
            await self.task

    def break_connection(self, error: OSError | None = None) -> None:
        """From now on sending fails, as ASGI 2.4 has it for a client that is gone."""
        self._broken = error or OSError("the client is gone")

    def give(self, kind: str, **content: Any) -> None:
        """A message for the application."""
        self._incoming.put_nowait({"type": kind, **content})

    async def take(self, kind: str | None = None) -> Message:
        """The next message of the application."""
        message = asyncio.ensure_future(self._outgoing.get())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({message, self.task}, return_when=asyncio.FIRST_COMPLETED)
        if not message.done() and self._outgoing.empty():
            message.cancel()
            self.task.result()
            raise AssertionError("the application's call ended without a further message")
        found = await message
        assert kind is None or found["type"] == kind, found
        return found

    async def _send(self, message: Message) -> None:
        await asyncio.sleep(0)  # a server may take its time, and others their turn
        if self._broken is not None:
            raise self._broken
        self.response.messages.append(message)
        self._outgoing.put_nowait(message)


# -- applications ------------------------------------------------------------------------------------------------------

Handler = Callable[[Session], Any | Awaitable[Any]]


async def respond(send: Send, body: bytes = b"", status: int = 200, headers: RawHeaders = ()) -> None:
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


def answering(handler: Handler, status: int = 200, headers: RawHeaders = ()) -> ASGIApp:
    """An application that answers with what ``handler`` makes of the session, as JSON."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        result = handler(scope["session"])
        if inspect.isawaitable(result):
            result = await result
        await respond(send, json.dumps(result, default=str).encode(), status, headers)

    return app


def logout(session: Session) -> None:
    session.invalidate()


def rotate(session: Session) -> None:
    session.rotate_id()


async def untouched(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that never looks at its session."""
    await respond(send, b"untouched")
