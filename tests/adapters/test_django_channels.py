"""WebSockets of Django Channels, with its own middleware and logins, inside of `wrap`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.auth import AuthMiddlewareStack, login, logout
from channels.generic.http import AsyncHttpConsumer
from channels.generic.websocket import AsyncWebsocketConsumer, WebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.sessions import SessionMiddlewareStack
from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.test import AsyncClient
from django.urls import path, re_path
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.adapters.django_stores import Words, manager, shared_server, words
from tests.adapters.django_users import ann, database
from wsgessions import SessionManager
from wsgessions.testing.adapters.client import Browser, Socket
from wsgessions.web import ASGIApp
from wsgessions_django import SessionStore
from wsgessions_django.asgi import wrap
from wsgessions_django.channels import has_channels

__all__ = ["Words", "ann", "database", "manager", "shared_server", "words"]

ANONYMOUS: Final = "AnonymousUser"


async def perform(scope: Any, word: str) -> str:
    """What a consumer does for a text."""
    session: SessionStore = scope["session"]
    action, _, name = word.partition(" ")
    if action == "login":
        await login(scope, await sync_to_async(get_user_model().objects.get)(username=name))
        await session.asave()
    elif action == "logout":
        await logout(scope)
    elif action == "put":
        await session.aset(name, name)
    elif action == "save":
        await sync_to_async(session.save)()
    if action == "read":
        return str(sorted((await session.aload()).keys() | set(await session.akeys())))
    return str(scope["user"]) if "user" in scope else session.session_key or "none"


class Chat(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    async def connect(self) -> None:
        greeting = self.scope["url_route"]["kwargs"]["word"]
        if greeting != "none":
            await perform(self.scope, greeting.replace("-", " "))
        await self.accept()

    async def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        await self.send(await perform(self.scope, text_data))


class SyncChat(WebsocketConsumer):  # type: ignore[misc]
    def receive(self, text_data: str = "", bytes_data: bytes = b"") -> None:
        self.send(async_to_sync(perform)(self.scope, text_data))


class Answer(AsyncHttpConsumer):  # type: ignore[misc]
    async def handle(self, body: bytes) -> None:
        said = await perform(self.scope, self.scope["url_route"]["kwargs"]["word"].replace("-", " "))
        await self.send_response(200, said.encode())


def sockets(stack: Any = AuthMiddlewareStack) -> Any:
    return stack(URLRouter([path("chat/<word>", Chat.as_asgi()), path("sync", SyncChat.as_asgi())]))


def router(stack: Any = AuthMiddlewareStack) -> ASGIApp:
    pages: Any = get_asgi_application()
    answers = URLRouter([path("answer/<word>", stack(Answer.as_asgi())), re_path("", pages)])
    routes: ASGIApp = ProtocolTypeRouter({"http": answers, "websocket": sockets(stack)})
    return routes


def site(stack: Any = AuthMiddlewareStack) -> ASGIApp:
    return wrap(router(stack))


@pytest.fixture
def browser(manager: SessionManager) -> Browser:
    return Browser(site(), manager.settings.cookie.name)


async def ask(socket: Any, word: str) -> str:
    socket.say(word)
    message = await socket.next()
    assert message["type"] == "websocket.send", message
    return str(message["text"])


@pytest.mark.parametrize("where", ["/chat/none", "/sync"])
async def test_a_consumer_sees_the_user_of_an_http_login(manager: SessionManager, ann: Any, where: str) -> None:
    client = AsyncClient()
    await client.aforce_login(ann)
    name = manager.settings.cookie.name
    socket = Socket(site(), where, f"{name}={client.cookies[name].value}", {})
    assert (await socket.next())["type"] == "websocket.accept"
    assert await ask(socket, "who") == ann.username
    assert await socket.leave() is None


@pytest.mark.parametrize("stack", [AuthMiddlewareStack, SessionMiddlewareStack])
async def test_what_a_consumer_changes_is_stored(manager: SessionManager, stack: Any) -> None:
    """Also without a call of ``save()``: before the next message, as in every WebSocket (R-42)."""
    browser = Browser(site(stack), manager.settings.cookie.name)
    await browser.get("/do/set-color")
    async with browser.socket("/chat/none") as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        await ask(socket, "put size")
        assert await browser.do("names") == ["color", "size"]
        await ask(socket, "put weight")
        await ask(socket, "save")
        assert await browser.do("names") == ["color", "size", "weight"]


async def test_a_login_before_the_handshake_gives_the_browser_its_new_id(browser: Browser, ann: Any) -> None:
    """S-06."""
    await browser.get("/do/set-color")
    before = browser.copy()
    async with browser.socket(f"/chat/login-{ann.username}") as socket:
        accepted = await socket.next()
        assert accepted["type"] == "websocket.accept"
        assert await ask(socket, "who") == ann.username
        fresh = dict(accepted["headers"])[b"set-cookie"].decode().partition(";")[0].partition("=")[2]
    assert fresh != before.id
    store = SessionStore(fresh)
    assert (await store.aload())["_auth_user_id"] == str(ann.pk)
    assert await store.aget("color") == "color"
    assert await before.do("names") == []


async def test_a_login_in_an_open_socket_has_a_new_id_and_the_socket_goes_on(browser: Browser, ann: Any) -> None:
    """S-06: the browser's id does not become that of a user, which an attacker who has set it could use."""
    await browser.get("/do/set-color")
    before = browser.copy()
    async with browser.socket("/chat/none") as socket:
        await socket.next()
        assert await ask(socket, "who") == ANONYMOUS
        assert await ask(socket, f"login {ann.username}") == ann.username
        assert "_auth_user_id" in await ask(socket, "read")
        await ask(socket, "put later")
        assert "later" in await ask(socket, "read")
        assert "color" in await ask(socket, "read")
    assert await before.do("names") == []


@pytest.mark.parametrize("where", ["/chat/none", "/sync"])
async def test_a_visitor_without_a_session_can_log_in_within_the_socket(browser: Browser, ann: Any, where: str) -> None:
    async with browser.socket(where) as socket:
        await socket.next()
        assert await ask(socket, f"login {ann.username}") == ann.username
        assert "_auth_user_id" in await ask(socket, "read")


async def test_a_logout_in_a_socket_ends_the_session_everywhere(browser: Browser, ann: Any) -> None:
    await browser.get("/do/set-color")
    async with browser.socket("/chat/none") as socket:
        await socket.next()
        assert await ask(socket, "logout") == ANONYMOUS
        assert await browser.do("names") == []
        assert await ask(socket, "who") == ANONYMOUS
        assert await ask(socket, f"login {ann.username}") == ann.username


async def test_a_socket_is_closed_when_its_session_is_ended_elsewhere(
    browser: Browser, manager: SessionManager
) -> None:
    """C-17."""
    await browser.get("/do/set-color")
    async with browser.socket("/chat/none") as socket:
        await socket.next()
        await ask(socket, "read")
        await browser.copy().get("/do/invalidate")
        socket.say("read")
        message = await socket.next()
    assert (message["type"], message["code"]) == ("websocket.close", 1008)


class ProjectRouter(ProtocolTypeRouter):  # type: ignore[misc]
    pass


def passing(app: ASGIApp) -> ASGIApp:
    """A middleware that keeps what is inside of it in its closure."""

    async def middleware(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    return middleware


async def passed(app: ASGIApp, scope: Any, receive: Any, send: Any) -> None:
    await app(scope, receive, send)


PLACES: Final[dict[str, Callable[[], ASGIApp]]] = {
    "a derived router": lambda: wrap(ProjectRouter({"websocket": sockets()})),
    "inside of the router": lambda: ProtocolTypeRouter({"websocket": wrap(sockets())}),
    "around a middleware that is a function": lambda: wrap(passing(router())),
    "around a middleware with arguments": lambda: wrap(partial(passed, router())),
    "around another framework's router": lambda: wrap(Starlette(routes=[Mount("/", app=router())])),
    "around a single consumer": lambda: wrap(AuthMiddlewareStack(SyncChat.as_asgi())),
}


@pytest.mark.parametrize("place", PLACES)
async def test_a_consumer_finds_its_session_wherever_it_is_wrapped(
    manager: SessionManager, ann: Any, place: str
) -> None:
    client = AsyncClient()
    await client.aforce_login(ann)
    name = manager.settings.cookie.name
    socket = Socket(PLACES[place](), "/sync", f"{name}={client.cookies[name].value}", {})
    assert (await socket.next())["type"] == "websocket.accept"
    assert await ask(socket, "put size") == ann.username
    assert await socket.leave() is None
    assert await SessionStore(client.cookies[name].value).aget("size") == "size"


async def test_a_consumer_of_http_requests_finds_it_too(browser: Browser, ann: Any) -> None:
    """As a page of Django does, with one id for both; a login gives the browser its new id (S-06)."""
    await browser.get("/do/set-color")
    before = browser.copy()
    assert (await browser.get(f"/answer/login-{ann.username}")).text == ann.username
    assert browser.id not in {None, before.id}
    assert (await browser.get("/answer/put-size")).text == ann.username
    assert {"color", "size", "_auth_user_id"} <= set(await browser.do("names"))
    assert await before.do("names") == []
    assert (await browser.get("/answer/logout")).text == ANONYMOUS
    assert await browser.do("names") == []


@pytest.mark.parametrize("app", [get_asgi_application, Starlette])
def test_without_channels_a_socket_has_the_session_itself(app: Callable[[], object]) -> None:
    """Also where Channels is installed."""
    assert not has_channels(app())
