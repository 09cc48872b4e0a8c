"""The adapter suite's application, in the ways of Falcon."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import falcon
from falcon.asgi import App, Request, Response, WebSocket

from wsgessions import SessionManager
from wsgessions.testing.adapters.suite import perform, perform_now


def answer(resp: Response, result: Any) -> None:
    """Falcon takes ``media = None`` for no body, which a result that is None is not."""
    resp.content_type = falcon.MEDIA_JSON
    resp.text = json.dumps(result, separators=(",", ":"))


class Do:
    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        answer(resp, await perform(req.scope["session"], action))

    on_head = on_post = on_options = on_get


class DoNow:
    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        answer(resp, await falcon.sync_to_async(perform_now, req.scope["session"], action))


class Whole:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.media = req.scope["session"]


class Untouched:
    async def on_get(self, req: Request, resp: Response) -> None:
        resp.text = "untouched"


class Answer:
    async def on_get(self, req: Request, resp: Response, status: int, action: str) -> None:
        answer(resp, await perform(req.scope["session"], action))
        resp.status = status


class Abort:
    async def on_get(self, req: Request, resp: Response, status: int, action: str) -> None:
        await perform(req.scope["session"], action)
        raise falcon.HTTPError(status)


class Cached:
    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        answer(resp, await perform(req.scope["session"], action))
        resp.cache_control = ["public", "max-age=60"]
        resp.vary = ["Accept"]


class Fail:
    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        await perform(req.scope["session"], action)
        raise RuntimeError("the handler failed")


class Stream:
    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            await perform(req.scope["session"], action)
            yield b"last"

        resp.stream = parts()


class BreakOff:
    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        async def parts() -> AsyncIterator[bytes]:
            yield b"first"
            raise RuntimeError("the handler failed")

        await perform(req.scope["session"], action)
        resp.stream = parts()


class Background:
    """What Falcon schedules runs in a task of its own, when the session of the request is closed."""

    def __init__(self, manager: SessionManager) -> None:
        self._manager = manager

    async def on_get(self, req: Request, resp: Response, action: str) -> None:
        session_id = req.scope["session"].id

        async def later() -> None:
            async with self._manager.open(session_id) as session:
                await perform(session, action)

        if session_id is not None:
            resp.schedule(later)
        answer(resp, "later")


class BelowTheMount:
    """Falcon routes by the whole path, the part that the application is mounted at included."""

    async def process_request(self, req: Request, resp: Response) -> None:
        req.path = req.path.removeprefix(req.root_path)


class Socket:
    async def on_websocket(self, req: Request, ws: WebSocket, action: str) -> None:
        session = req.scope["session"]
        await perform(session, action)
        await ws.accept()
        while (wanted := await ws.receive_text()) != "close":
            if wanted == "raise":
                raise RuntimeError("the handler failed")
            await ws.send_text(json.dumps(await perform(session, wanted)))
        await ws.close(4001)


class Deny:
    async def on_websocket(self, req: Request, ws: WebSocket, action: str) -> None:
        await perform(req.scope["session"], action)
        await ws.close()


ROUTES: dict[str, Any] = {
    "/do/{action}": Do(),
    "/sync/{action}": DoNow(),
    "/session": Whole(),
    "/untouched": Untouched(),
    "/answer/{status:int}/{action}": Answer(),
    "/abort/{status:int}/{action}": Abort(),
    "/cached/{action}": Cached(),
    "/raise/{action}": Fail(),
    "/stream/{action}": Stream(),
    "/break/{action}": BreakOff(),
    "/ws/{action}": Socket(),
    "/deny/{action}": Deny(),
}


def make_app(manager: SessionManager) -> App[Request, Response]:
    app = App(middleware=[BelowTheMount()])
    for path, resource in {**ROUTES, "/background/{action}": Background(manager)}.items():
        app.add_route(path, resource)
    return app
