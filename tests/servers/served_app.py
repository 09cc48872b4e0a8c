"""One of several servers: ``python served_app.py STORE-URL`` prints the port on loopback at which it answers.

Requests that change something pass a gate, after their session was loaded. While it is closed they wait there, so that
a test can have any number of them under way on any number of servers.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.servers.listening import serve
from wsgessions_starlette import StarletteAdapter


class Gate:
    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._waiting = 0

    async def turn(self, request: Request) -> Response:
        self._open.set() if request.method == "PUT" else self._open.clear()
        return Response(status_code=204)

    async def count(self, request: Request) -> Response:
        return JSONResponse(self._waiting)

    async def passed(self) -> None:
        self._waiting += 1
        await self._open.wait()
        self._waiting -= 1


gate = Gate()


async def show(request: Request) -> Response:
    return JSONResponse(dict(request.session))


async def put(request: Request) -> Response:
    session, name = request.session, request.path_params["name"]
    await gate.passed()
    session[name] = name
    return PlainTextResponse(name)


async def count(request: Request) -> Response:
    await gate.passed()
    return JSONResponse(await request.session.increment("n"))  # type: ignore[attr-defined]  # it is ours


async def watch(request: Request) -> Response:
    """A stream that says one thing, and then waits for what never comes."""

    async def events() -> AsyncIterator[str]:
        yield f"data: {sorted(request.session)}\n\n"
        await asyncio.Event().wait()

    return StreamingResponse(events(), media_type="text/event-stream")


async def log_out(request: Request) -> Response:
    request.session.invalidate()  # type: ignore[attr-defined]
    return Response(status_code=204)


def main(store_url: str) -> None:
    routes = [
        Route("/gate", gate.count),
        Route("/gate", gate.turn, methods=["PUT", "DELETE"]),
        Route("/", show),
        Route("/put/{name}", put, methods=["POST"]),
        Route("/count", count, methods=["POST"]),
        Route("/watch", watch),
        Route("/logout", log_out, methods=["POST"]),
    ]
    adapter = StarletteAdapter(store_url=store_url, cookie={"insecure": True}, nonstop_timeout="1s")
    serve(adapter.install(Starlette(routes=routes)))


if __name__ == "__main__":
    main(sys.argv[1])
