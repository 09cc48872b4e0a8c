"""Sessions in BlackSheep: ``uvicorn --app-dir samples/blacksheep app:app``, on as many ports as you like.

No adapter: `SessionMiddleware` around the application is enough, and the session is ``request.scope["session"]``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from blacksheep import Application, Request, Response, Router, StreamedContent, WebSocket
from blacksheep.server.websocket import WebSocketDisconnectError

from wsgessions import Session, SessionMiddleware

router = Router()
blacksheep_app = Application(router=router)
app = SessionMiddleware(blacksheep_app)


def session_of(request: Request) -> Session:
    """The session of a request or WebSocket."""
    return request.scope["session"]  # type: ignore[no-any-return, typeddict-item]  # BlackSheep types what servers put there


@router.get("/")
async def visits(request: Request) -> dict[str, Any]:
    """Count the visit, and return the user."""
    session = session_of(request)
    session["visits"] = session.get("visits", 0) + 1
    return {"visits": session["visits"], "user": session.get("user")}


@router.post("/login/{user}")
async def log_in(request: Request, user: str) -> str:
    """Log in, with a new id (S-06); this sample has no password."""
    session = session_of(request)
    session.rotate_id()
    session["user"] = user
    return user


@router.post("/logout")
async def log_out(request: Request) -> str:
    """End the session, on every server."""
    session_of(request).invalidate()
    return "bye"


@router.get("/download")
async def download(request: Request) -> Response:
    """Send three parts, and keep the number of sent ones in the session."""
    session = session_of(request)

    async def parts() -> AsyncIterator[bytes]:
        for number in range(1, 4):
            yield b"part %d\n" % number
            session["received"] = number
            await session.commit()

    return Response(200, content=StreamedContent(b"text/plain", parts))


@router.ws("/chat")
async def chat(websocket: WebSocket) -> None:
    """Keep the visitor's texts, and answer each with the number of texts so far."""
    session = session_of(websocket)
    session.setdefault("said", [])
    await websocket.accept()
    try:
        while True:
            session["said"].append(await websocket.receive_text())  # stored before the answer leaves
            await websocket.send_text(str(len(session["said"])))
    except WebSocketDisconnectError:
        return
