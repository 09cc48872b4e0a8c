"""The public API as users write it. Never run: mypy and pyright read it, and no line may need a cast."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, assert_type
from uuid import uuid4

import redis.asyncio
import valkey.asyncio
from fastapi import FastAPI, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from wsgessions import (
    Session,
    SessionId,
    SessionManager,
    SessionMiddleware,
    SessionSettings,
    errors,
    from_redis,
    install,
)
from wsgessions.adapter import Adapter
from wsgessions.manager import LiveSession
from wsgessions.session.typed import TypedAttribute
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.web import ASGIApp, Receive, Scope, Send
from wsgessions_fastapi import FastAPIAdapter, SessionCookie, SessionDep, SessionModel
from wsgessions_starlette import StarletteAdapter, get_session


class Cart(BaseModel):
    lines: list[str] = []


# -- any ASGI application ----------------------------------------------------------------------------------------------


async def bare(scope: Scope, receive: Receive, send: Send) -> None:
    session: Session = scope["session"]
    session["seen"] = True


wrapped: ASGIApp = SessionMiddleware(bare)
wrapped = SessionMiddleware(bare, store_url="valkey://h:6379", session_locking=True)
wrapped = SessionMiddleware(bare, settings=SessionSettings(namespace="shop"))
wrapped = SessionMiddleware(bare, manager=SessionManager(store_url="memory:"))
wrapped = install(bare)
wrapped = SessionMiddleware(bare, store=from_redis(redis.asyncio.Redis()))
wrapped = SessionMiddleware(bare, store=MemoryStore())
wrapped = install(bare, store=from_redis(valkey.asyncio.Valkey()))
SessionSettings(store_url=from_redis(redis.asyncio.Redis()))
from_redis("redis://h")  # type: ignore[arg-type]


async def of_dicts(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Mapping[str, Any]]], send: Callable[[dict[str, Any]], Any]
) -> None:
    """As the types of some frameworks are."""


wrapped = SessionMiddleware(of_dicts)

# -- FastAPI -----------------------------------------------------------------------------------------------------------

api = FastAPI()
assert_type(FastAPIAdapter().install(api), FastAPI)
assert_type(FastAPIAdapter(SessionSettings(), store_url="memory:").install(api), FastAPI)
assert_type(install(api), FastAPI)
assert_type(install(api, adapter="fastapi", max_inactive_interval=timedelta(minutes=5)), FastAPI)
api.add_middleware(SessionMiddleware)
api.add_middleware(SessionMiddleware, store_url="memory:")


@api.get("/")
async def home(session: SessionDep) -> dict[str, Any]:
    assert_type(session, Session)
    session["visits"] = session.get("visits", 0) + 1
    return session


@api.get("/cart")
def cart(cart: Annotated[Cart, SessionModel("cart")]) -> int:
    assert_type(cart, Cart)
    cart.lines.append("tea")
    return len(cart.lines)


@api.get("/list")
async def lines(lines: Annotated[list[str], SessionModel("lines", default_factory=list)]) -> list[str]:
    return lines


@api.websocket("/ws")
async def socket(websocket: WebSocket, session: SessionDep) -> None:
    await session.commit()


scheme = SessionCookie("__Host-shop")

# -- Starlette ---------------------------------------------------------------------------------------------------------

site = Starlette(middleware=[Middleware(SessionMiddleware, store_url="memory:")])
assert_type(StarletteAdapter().install(site), Starlette)
assert_type(install(site), Starlette)
site.add_middleware(SessionMiddleware, manager=SessionManager())


async def page(request: Request) -> Response:
    request.session["color"] = "red"
    assert_type(get_session(request), Session)
    return JSONResponse(request.session)


# -- the session -------------------------------------------------------------------------------------------------------


async def use(session: Session) -> None:
    """Everything that a session has besides being a dict."""
    assert_type(session.id, SessionId | None)
    assert_type(session.ref, str | None)
    assert_type(session.is_new, bool)
    assert_type(session.version, int)
    assert_type(session.created_at, datetime | None)
    assert_type(session.last_accessed_at, datetime | None)
    assert_type(session.max_inactive_interval, timedelta | None)
    assert_type(session.accessed, bool)
    assert_type(session.modified, bool)
    session.max_inactive_interval = timedelta(minutes=5)
    session.max_inactive_interval = None

    session.invalidate()
    session.rotate_id()
    assert_type(await session.invalidate(), None)
    assert_type(await session.rotate_id(), None)
    session.bind_user("ada")
    session.bind_user(7)
    session.bind_user(uuid4())
    assert_type(await session.bind_user(None), None)
    assert_type(session.principal, str | None)
    assert_type(session.bound_at, datetime | None)
    assert_type(await session.commit(), None)
    assert_type(await session.refresh(), None)
    assert_type(await session.load(), None)
    assert_type(await session.increment("hits"), float)
    assert_type(await session.increment("hits", by=0.5), float)
    pending: Awaitable[Any] = session.update("cart", lambda cart: [*(cart or []), "tea"])
    await pending

    session.update({"a": 1}, b=2)
    session.update([("a", 1)])
    session |= {"c": 3}
    plain: dict[str, Any] = session
    assert_type(dict(session), dict[str, Any])
    assert_type(session | plain, Any)
    assert_type(TypedAttribute("cart", Cart).of(session), Cart)


async def job(manager: SessionManager) -> None:
    """Outside of a request."""
    async with manager.open() as session:
        assert_type(session, Session)
    async with manager.open("an id") as session:
        session["seen"] = True
    await manager.start()
    for device in await manager.sessions_of("ada"):
        assert_type(device, LiveSession)
        assert_type((device.ref, device.principal), tuple[str, str | None])
        assert_type(device.bound_at, datetime | None)
        assert_type(device.get("agent"), Any)
        assert_type(await manager.end_session_of("ada", device.ref), bool)
    assert_type(await manager.end_sessions_of(7, keep=session), int)
    page = await manager.live_sessions(limit=50, attributes=["agent"])
    assert_type(page.sessions, list[LiveSession])
    assert_type(page.next_cursor, str | None)
    assert_type(await manager.live_session("0123456789ab"), LiveSession | None)
    assert_type(await manager.end_session("0123456789ab"), bool)
    await manager.close()


alone = Session({"user": "ann"}, color="red")


# -- errors, extension -------------------------------------------------------------------------------------------------


def explain(error: errors.WsgessionsError) -> tuple[str, str, str]:
    match error:
        case errors.ConfigError():
            assert_type(error.setting, str)
        case errors.CodecError():
            assert_type(error.path, str)
        case errors.SessionConflict():
            assert_type(error.names, tuple[str, ...])
        case _:
            pass
    return error.code, error.hint, error.docs


adapters: list[type[Adapter]] = [StarletteAdapter, FastAPIAdapter]


class TestMine(AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return StarletteAdapter(manager=manager).install(site)
