"""The adapter suite's application, in the ways of BlackSheep."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from blacksheep import Application, Content, Request, Response, Router, StreamedContent, WebSocket
from blacksheep.exceptions import HTTPException
from blacksheep.server.websocket import WebSocketDisconnectError

from wsgessions import Session, SessionManager
from wsgessions.testing.adapters.suite import perform, perform_now


def session_of(request: Request) -> Session:
    return request.scope["session"]  # type: ignore[no-any-return, typeddict-item]


def answer(result: Any, status: int = 200, *headers: tuple[bytes, bytes]) -> Response:
    body = json.dumps(result, separators=(",", ":")).encode()
    return Response(status, list(headers), Content(b"application/json", body))


async def do(request: Request, action: str) -> Response:
    return answer(await perform(session_of(request), action))


async def do_now(request: Request, action: str) -> Response:
    return answer(await asyncio.to_thread(perform_now, session_of(request), action))


async def whole(request: Request) -> Response:
    return answer(session_of(request))


async def untouched() -> str:
    return "untouched"


async def with_status(request: Request, status: int, action: str) -> Response:
    return answer(await perform(session_of(request), action), status)


async def abort(request: Request, status: int, action: str) -> Response:
    await perform(session_of(request), action)
    raise HTTPException(status)


async def cached(request: Request, action: str) -> Response:
    result = await perform(session_of(request), action)
    return answer(result, 200, (b"cache-control", b"public, max-age=60"), (b"vary", b"Accept"))


async def fail(request: Request, action: str) -> Response:
    await perform(session_of(request), action)
    raise RuntimeError("the handler failed")


async def stream(request: Request, action: str) -> Response:
    session = session_of(request)

    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        await perform(session, action)
        yield b"last"

    return Response(200, content=StreamedContent(b"text/plain", parts))


async def break_off(request: Request, action: str) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError("the handler failed")

    await perform(session_of(request), action)
    return Response(200, content=StreamedContent(b"text/plain", parts))


def background_of(manager: SessionManager) -> Callable[[Request, str], Awaitable[Response]]:
    """BlackSheep has no background tasks: they are asyncio's, and the session of the request is closed by then."""
    running: set[asyncio.Task[None]] = set()

    async def background(request: Request, action: str) -> Response:
        session_id = session_of(request).id

        async def later() -> None:
            async with manager.open(session_id) as session:
                await perform(session, action)

        if session_id is not None:
            task = asyncio.create_task(later())
            running.add(task)
            task.add_done_callback(running.discard)
        return answer("later")

    return background


async def socket(websocket: WebSocket, action: str) -> None:
    session = session_of(websocket)
    await perform(session, action)
    await websocket.accept()
    try:
        while (wanted := await websocket.receive_text()) != "close":
            if wanted == "raise":
                raise RuntimeError("the handler failed")
            await websocket.send_text(json.dumps(await perform(session, wanted)))
    except WebSocketDisconnectError:
        return
    await websocket.close(4001)


async def deny(websocket: WebSocket, action: str) -> None:
    await perform(session_of(websocket), action)
    await websocket.close()


def make_app(manager: SessionManager) -> Application:
    router = Router()
    for method in ("GET", "HEAD", "POST", "OPTIONS"):
        router.add(method, "/do/{action}", do)
    for path, handler in {
        "/sync/{action}": do_now,
        "/session": whole,
        "/untouched": untouched,
        "/answer/{int:status}/{action}": with_status,
        "/abort/{int:status}/{action}": abort,
        "/cached/{action}": cached,
        "/raise/{action}": fail,
        "/stream/{action}": stream,
        "/break/{action}": break_off,
        "/background/{action}": background_of(manager),
    }.items():
        router.add("GET", path, handler)
    router.add_ws("/ws/{action}", socket)
    router.add_ws("/deny/{action}", deny)
    # It looks for its caller through the whole stack, source lines included. In a thread of its own that is short.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(Application, router=router).result()
