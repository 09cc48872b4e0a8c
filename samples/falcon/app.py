"""Sessions in Falcon: ``uvicorn --app-dir samples/falcon app:app``, on as many ports as you like.

No adapter: `SessionMiddleware` around the application is enough, and the session is ``req.scope["session"]``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from falcon.asgi import App, Request, Response, WebSocket

from wsgessions import Session, SessionMiddleware


class Visits:
    """Counts the visits of this visitor."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """Count the visit, and return the user."""
        session: Session = req.scope["session"]
        session["visits"] = session.get("visits", 0) + 1
        resp.media = {"visits": session["visits"], "user": session.get("user")}


class Login:
    """Logs a visitor in; this sample has no password."""

    async def on_post(self, req: Request, resp: Response, user: str) -> None:
        """Log in, with a new id (S-06)."""
        session: Session = req.scope["session"]
        session.rotate_id()
        session["user"] = user
        resp.media = user


class Logout:
    """Ends the session, on every server."""

    async def on_post(self, req: Request, resp: Response) -> None:
        """Log out."""
        session: Session = req.scope["session"]
        session.invalidate()
        resp.media = "bye"


class Download:
    """A stream that keeps the number of sent parts in the session."""

    async def on_get(self, req: Request, resp: Response) -> None:
        """Send three parts."""
        session: Session = req.scope["session"]

        async def parts() -> AsyncIterator[bytes]:
            for number in range(1, 4):
                yield b"part %d\n" % number
                session["received"] = number
                await session.commit()

        resp.content_type = "text/plain"
        resp.stream = parts()


class Chat:
    """Keeps the visitor's texts."""

    async def on_websocket(self, req: Request, ws: WebSocket) -> None:
        """Answer each text with the number of texts so far."""
        session: Session = req.scope["session"]
        session.setdefault("said", [])
        await ws.accept()
        while True:
            session["said"].append(await ws.receive_text())  # stored before the answer leaves
            await ws.send_text(str(len(session["said"])))


falcon_app = App()
falcon_app.add_route("/", Visits())
falcon_app.add_route("/login/{user}", Login())
falcon_app.add_route("/logout", Logout())
falcon_app.add_route("/download", Download())
falcon_app.add_route("/chat", Chat())

app = SessionMiddleware(falcon_app)
