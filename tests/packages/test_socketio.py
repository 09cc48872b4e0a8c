"""Handlers of python-socketio, which keeps the scope of the handshake beyond its request."""

from __future__ import annotations

import json
from typing import Any

import socketio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from tests.packages.starlette_client import Serve, serve
from wsgessions import Session, SessionManager
from wsgessions.errors import SessionClosed
from wsgessions.testing.fixtures.session_access import SessionOf

__all__ = ["serve"]

HANDSHAKE = "/socket.io/?EIO=4&transport="


class Chat:
    """An application with a login over HTTP, and events of Socket.IO that use its session."""

    def __init__(self) -> None:
        self.events = socketio.AsyncServer(async_mode="asgi")
        self.events.on("connect", self.connect)
        for handler in (self.greet, self.remember, self.remember_by_a_session_of_its_own):
            self.events.on(handler.__name__, handler)
        routes = [Route("/login", self.login), Mount("/socket.io", socketio.ASGIApp(self.events))]
        self.app = Starlette(routes=routes)
        self.connected: list[str | None] = []
        self.refused: list[SessionClosed] = []

    async def login(self, request: Request) -> Response:
        request.session["user"] = "ann"
        return PlainTextResponse("welcome")

    def session_of(self, sid: str) -> Session:
        environ: dict[str, Any] = self.events.get_environ(sid)
        session: Session = environ["asgi.scope"]["session"]
        return session

    async def connect(self, sid: str, environ: dict[str, Any]) -> None:
        self.connected.append(environ["asgi.scope"]["session"].get("user"))

    async def greet(self, sid: str) -> str:
        return f"hello {self.session_of(sid)['user']}"

    async def remember(self, sid: str, room: str) -> str:
        try:
            self.session_of(sid)["room"] = room
        except SessionClosed as error:
            self.refused.append(error)
            return "refused"
        return "remembered"

    async def remember_by_a_session_of_its_own(self, sid: str, room: str) -> str:
        manager: SessionManager = self.app.state.wsgessions
        async with manager.open(self.session_of(sid).id) as session:
            session["room"] = room
        return "remembered"


class Polling:
    """Socket.IO over HTTP requests that come one after another."""

    def __init__(self, client: TestClient) -> None:
        self._client = client
        begun = client.get(f"{HANDSHAKE}polling").text
        assert begun.startswith("0")
        self._path = f"{HANDSHAKE}polling&sid={json.loads(begun[1:])['sid']}"
        self._say("40")
        assert self._hear().startswith("40")

    def _say(self, packet: str) -> None:
        assert self._client.post(self._path, content=packet).text.lower() == "ok"

    def _hear(self) -> str:
        return self._client.get(self._path).text

    def ask(self, *event: str) -> Any:
        """What the handler of an event returns."""
        self._say(f"420{json.dumps(event)}")
        answer = self._hear()
        assert answer.startswith("430"), answer
        return json.loads(answer[3:])[0]


def test_a_handler_reads_the_session_of_a_handshake_that_is_over(serve: Serve) -> None:
    chat = Chat()
    client = serve(chat.app)
    client.get("/login")
    polling = Polling(client)
    assert chat.connected == ["ann"]
    assert polling.ask("greet") == "hello ann"


def test_a_handler_that_changes_it_is_refused_with_the_remedy(serve: Serve, session_of: SessionOf) -> None:
    chat = Chat()
    client = serve(chat.app)
    client.get("/login")
    polling = Polling(client)
    assert polling.ask("remember", "garden") == "refused"
    (refusal,) = chat.refused
    assert "SessionManager.open opens a session by its id" in str(refusal)
    assert polling.ask("remember_by_a_session_of_its_own", "garden") == "remembered"
    assert dict(session_of(client.get("/login"), chat.app)) == {"user": "ann", "room": "garden"}


def test_over_a_websocket_a_handler_may_change_the_session(serve: Serve, session_of: SessionOf) -> None:
    """The handshake is the socket, which is open still."""
    chat = Chat()
    client = serve(chat.app)
    client.get("/login")
    with client.websocket_connect(f"wss://testserver{HANDSHAKE}websocket", headers={"upgrade": "websocket"}) as socket:
        assert socket.receive_text().startswith("0")
        socket.send_text("40")
        assert socket.receive_text().startswith("40")
        socket.send_text('420["remember","garden"]')
        assert socket.receive_text() == '430["remembered"]'
        assert dict(session_of(client.get("/login"), chat.app)) == {"user": "ann", "room": "garden"}
