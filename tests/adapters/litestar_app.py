"""The adapter suite's application, in the ways of Litestar."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from litestar import HttpMethod, Litestar, MediaType, Request, Response, WebSocket, get, head, route, websocket
from litestar.background_tasks import BackgroundTask
from litestar.exceptions import HTTPException, WebSocketDisconnect
from litestar.response import Stream
from litestar.serialization import encode_json

from wsgessions.testing.adapters.suite import perform, perform_now

AnyRequest = Request[Any, Any, Any]
AnySocket = WebSocket[Any, Any, Any]


def action_of(connection: AnyRequest | AnySocket) -> str:
    return str(connection.path_params["action"])


def as_json(result: Any, **options: Any) -> Response[bytes]:
    """Litestar takes a text for JSON already, which a result that is a text is not."""
    return Response(encode_json(result), media_type=MediaType.JSON, **options)


@route("/do/{action:str}", http_method=[HttpMethod.GET, HttpMethod.POST, HttpMethod.OPTIONS], status_code=200)
async def do(request: AnyRequest) -> Response[bytes]:
    return as_json(await perform(request.session, action_of(request)))


@head("/do/{action:str}")
async def do_without_body(request: AnyRequest) -> None:
    await perform(request.session, action_of(request))


@get("/sync/{action:str}", sync_to_thread=True)
def do_now(request: AnyRequest) -> Response[bytes]:
    return as_json(perform_now(request.session, action_of(request)))


@get("/session")
async def whole(request: AnyRequest) -> dict[str, Any]:
    return request.session


@get("/untouched")
async def untouched() -> str:
    return "untouched"


@get("/answer/{status:int}/{action:str}")
async def answer(request: AnyRequest) -> Response[bytes]:
    return as_json(await perform(request.session, action_of(request)), status_code=request.path_params["status"])


@get("/abort/{status:int}/{action:str}")
async def abort(request: AnyRequest) -> None:
    await perform(request.session, action_of(request))
    raise HTTPException(status_code=request.path_params["status"])


@get("/cached/{action:str}")
async def cached(request: AnyRequest) -> Response[bytes]:
    result = await perform(request.session, action_of(request))
    return as_json(result, headers={"cache-control": "public, max-age=60", "vary": "Accept"})


@get("/raise/{action:str}")
async def fail(request: AnyRequest) -> None:
    await perform(request.session, action_of(request))
    raise RuntimeError("the handler failed")


@get("/stream/{action:str}")
async def stream(request: AnyRequest) -> Stream:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        await perform(request.session, action_of(request))
        yield "last"

    return Stream(parts())


@get("/break/{action:str}")
async def break_off(request: AnyRequest) -> Stream:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        raise RuntimeError("the handler failed")

    await perform(request.session, action_of(request))
    return Stream(parts())


@get("/background/{action:str}")
async def background(request: AnyRequest) -> Response[str]:
    return Response("later", background=BackgroundTask(perform, request.session, action_of(request)))


@websocket("/ws/{action:str}")
async def socket(socket: AnySocket) -> None:
    await perform(socket.session, action_of(socket))
    await socket.accept()
    try:
        while (wanted := await socket.receive_text()) != "close":
            if wanted == "raise":
                raise RuntimeError("the handler failed")
            await socket.send_json(await perform(socket.session, wanted))
    except WebSocketDisconnect:
        return
    await socket.close(4001)


@websocket("/deny/{action:str}")
async def deny(socket: AnySocket) -> None:
    await perform(socket.session, action_of(socket))
    await socket.close(4003)


HANDLERS = [do, do_without_body, do_now, whole, untouched, answer, abort, cached, fail, stream, break_off, background]


def make_app(**options: Any) -> Litestar:
    return Litestar([*HANDLERS, socket, deny], openapi_config=None, logging_config=None, **options)
