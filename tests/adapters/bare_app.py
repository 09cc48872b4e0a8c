"""The adapter suite's application, in bare ASGI."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from wsgessions import Session
from wsgessions.testing.adapters.suite import perform, perform_now
from wsgessions.web import Message, Receive, Scope, Send


class _Abort(Exception):
    def __init__(self, status: int) -> None:
        self.status = status


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """An application without a framework: routing, error handling and background work in a few lines."""
    if scope["type"] == "lifespan":
        await _live(receive, send)
        return
    path = scope["path"].removeprefix(scope["root_path"])
    _, route, *arguments = path.split("/")
    if scope["type"] == "websocket":
        await _SOCKETS[route](scope["session"], arguments, receive, send)
        return
    try:
        await _ROUTES[route](scope, arguments, send)
    except _Abort as error:
        await _answer(send, error.status, None)


async def _live(receive: Receive, send: Send) -> None:
    while True:
        stage = (await receive())["type"]
        await send({"type": f"{stage}.complete"})
        if stage == "lifespan.shutdown":
            return


async def _start(send: Send, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers or []})


async def _body(send: Send, body: bytes, *, more: bool = False) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _answer(send: Send, status: int, result: Any, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    body = json.dumps(result, separators=(",", ":")).encode()
    await _start(send, status, headers)
    await _body(send, body)


async def _do(scope: Scope, arguments: list[str], send: Send) -> None:
    await _answer(send, 200, await perform(scope["session"], arguments[0]))


async def _do_now(scope: Scope, arguments: list[str], send: Send) -> None:
    await _answer(send, 200, await asyncio.to_thread(perform_now, scope["session"], arguments[0]))


async def _whole(scope: Scope, arguments: list[str], send: Send) -> None:
    await _answer(send, 200, scope["session"])


async def _untouched(scope: Scope, arguments: list[str], send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})  # without headers, as ASGI allows
    await _body(send, b"untouched")


async def _status(scope: Scope, arguments: list[str], send: Send) -> None:
    await perform(scope["session"], arguments[1])
    await _answer(send, int(arguments[0]), None)


async def _abort(scope: Scope, arguments: list[str], send: Send) -> None:
    await perform(scope["session"], arguments[1])
    raise _Abort(int(arguments[0]))


async def _cached(scope: Scope, arguments: list[str], send: Send) -> None:
    result = await perform(scope["session"], arguments[0])
    await _answer(send, 200, result, [(b"cache-control", b"public, max-age=60"), (b"vary", b"Accept")])


async def _fail(scope: Scope, arguments: list[str], send: Send) -> None:
    await perform(scope["session"], arguments[0])
    raise RuntimeError("the handler failed")


async def _stream(scope: Scope, arguments: list[str], send: Send) -> None:
    await _start(send)
    await _body(send, b"first", more=True)
    await perform(scope["session"], arguments[0])
    await _body(send, b"last")


async def _break_off(scope: Scope, arguments: list[str], send: Send) -> None:
    await perform(scope["session"], arguments[0])
    await _start(send)
    await _body(send, b"first", more=True)
    raise RuntimeError("the handler failed")


async def _background(scope: Scope, arguments: list[str], send: Send) -> None:
    await _answer(send, 200, "later")
    await perform(scope["session"], arguments[0])


async def _socket(session: Session, arguments: list[str], receive: Receive, send: Send) -> None:
    await perform(session, arguments[0])
    await receive()
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        action = message["text"]
        if action == "raise":
            raise RuntimeError("the handler failed")
        if action == "close":
            await send({"type": "websocket.close", "code": 4001})
            return
        await send({"type": "websocket.send", "text": json.dumps(await perform(session, action))})


async def _deny(session: Session, arguments: list[str], receive: Receive, send: Send) -> None:
    await perform(session, arguments[0])
    denial: Message = {"type": "websocket.http.response.start", "status": 403, "headers": []}
    await send(denial)
    await send({"type": "websocket.http.response.body", "body": b"denied"})


_ROUTES = {
    "do": _do,
    "sync": _do_now,
    "session": _whole,
    "untouched": _untouched,
    "answer": _status,
    "abort": _abort,
    "cached": _cached,
    "raise": _fail,
    "stream": _stream,
    "break": _break_off,
    "background": _background,
}
_SOCKETS = {"ws": _socket, "deny": _deny}
