"""The adapter suite's application, in the ways of FastAPI."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi import BackgroundTasks, FastAPI, HTTPException, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import PlainTextResponse, StreamingResponse

from wsgessions.testing.adapters.suite import perform, perform_now
from wsgessions_fastapi import SessionDep


async def do(session: SessionDep, action: str) -> Any:
    return await perform(session, action)


def do_now(session: SessionDep, action: str) -> Any:
    return perform_now(session, action)


async def whole(session: SessionDep) -> dict[str, Any]:
    return session


async def untouched() -> str:
    return "untouched"


async def answer(session: SessionDep, response: Response, status: int, action: str) -> Any:
    response.status_code = status
    return await perform(session, action)


async def abort(session: SessionDep, status: int, action: str) -> None:
    await perform(session, action)
    raise HTTPException(status)


async def cached(session: SessionDep, response: Response, action: str) -> Any:
    response.headers.update({"cache-control": "public, max-age=60", "vary": "Accept"})
    return await perform(session, action)


async def fail(session: SessionDep, action: str) -> None:
    await perform(session, action)
    raise RuntimeError("the handler failed")


async def stream(session: SessionDep, action: str) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        await perform(session, action)
        yield "last"

    return StreamingResponse(parts())


async def break_off(session: SessionDep, action: str) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        raise RuntimeError("the handler failed")

    await perform(session, action)
    return StreamingResponse(parts())


async def background(session: SessionDep, tasks: BackgroundTasks, action: str) -> str:
    tasks.add_task(perform, session, action)
    return "later"


async def socket(websocket: WebSocket, session: SessionDep, action: str) -> None:
    await perform(session, action)
    await websocket.accept()
    try:
        while (wanted := await websocket.receive_text()) != "close":
            if wanted == "raise":
                raise RuntimeError("the handler failed")
            await websocket.send_json(await perform(session, wanted))
    except WebSocketDisconnect:
        return
    await websocket.close(4001)


async def deny(websocket: WebSocket, session: SessionDep, action: str) -> None:
    await perform(session, action)
    await websocket.send_denial_response(PlainTextResponse("denied", 403))


def make_app() -> FastAPI:
    app = FastAPI()
    app.api_route("/do/{action}", methods=["GET", "HEAD", "POST", "OPTIONS"])(do)
    app.get("/sync/{action}")(do_now)
    app.get("/session")(whole)
    app.get("/untouched")(untouched)
    app.get("/answer/{status}/{action}")(answer)
    app.get("/abort/{status}/{action}")(abort)
    app.get("/cached/{action}")(cached)
    app.get("/raise/{action}")(fail)
    app.get("/stream/{action}")(stream)
    app.get("/break/{action}")(break_off)
    app.get("/background/{action}")(background)
    app.websocket("/ws/{action}")(socket)
    app.websocket("/deny/{action}")(deny)
    return app
