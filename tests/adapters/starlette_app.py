"""The adapter suite's application, in the ways of Starlette."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from wsgessions.testing.adapters.suite import perform, perform_now

CACHED = {"cache-control": "public, max-age=60", "vary": "Accept"}


async def do(request: Request) -> Response:
    return JSONResponse(await perform(request.session, request.path_params["action"]))


def do_now(request: Request) -> Response:
    return JSONResponse(perform_now(request.session, request.path_params["action"]))


async def session(request: Request) -> Response:
    return JSONResponse(request.session)


async def untouched(request: Request) -> Response:
    return PlainTextResponse("untouched")


async def answer(request: Request) -> Response:
    await perform(request.session, request.path_params["action"])
    return PlainTextResponse("answer", request.path_params["status"])


async def abort(request: Request) -> Response:
    await perform(request.session, request.path_params["action"])
    raise HTTPException(request.path_params["status"])


async def cached(request: Request) -> Response:
    return JSONResponse(await perform(request.session, request.path_params["action"]), headers=CACHED)


async def fail(request: Request) -> Response:
    await perform(request.session, request.path_params["action"])
    raise RuntimeError("the handler failed")


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        await perform(request.session, request.path_params["action"])
        yield "last"

    return StreamingResponse(parts())


async def break_off(request: Request) -> Response:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        raise RuntimeError("the handler failed")

    await perform(request.session, request.path_params["action"])
    return StreamingResponse(parts())


async def background(request: Request) -> Response:
    task = BackgroundTask(perform, request.session, request.path_params["action"])
    return PlainTextResponse("later", background=task)


async def socket(websocket: WebSocket) -> None:
    await perform(websocket.session, websocket.path_params["action"])
    await websocket.accept()
    try:
        while (action := await websocket.receive_text()) != "close":
            if action == "raise":
                raise RuntimeError("the handler failed")
            await websocket.send_json(await perform(websocket.session, action))
    except WebSocketDisconnect:
        return
    await websocket.close(4001)


async def deny(websocket: WebSocket) -> None:
    await perform(websocket.session, websocket.path_params["action"])
    await websocket.send_denial_response(PlainTextResponse("denied", 403))


def make_app() -> Starlette:
    return Starlette(
        routes=[
            Route("/do/{action}", do, methods=["GET", "POST", "OPTIONS"]),
            Route("/sync/{action}", do_now),
            Route("/session", session),
            Route("/untouched", untouched),
            Route("/answer/{status:int}/{action}", answer),
            Route("/abort/{status:int}/{action}", abort),
            Route("/cached/{action}", cached),
            Route("/raise/{action}", fail),
            Route("/stream/{action}", stream),
            Route("/break/{action}", break_off),
            Route("/background/{action}", background),
            WebSocketRoute("/ws/{action}", socket),
            WebSocketRoute("/deny/{action}", deny),
        ]
    )
