"""No id, no secret and no stored value in any log, exception or representation, at any level (S-79, S-80, S-81)."""

from __future__ import annotations

import asyncio
import logging
import secrets
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from tests.asgi_driver import Browser, Call, answering, http_scope, logout, rotate, websocket_scope
from tests.nodes import Node, make_node
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import errors
from wsgessions.credentials.identity import new_session_id
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session, repository_of
from wsgessions.stores.memory.store import MemoryStore

__all__ = ["shared_server"]

VALUE = "canary-value-7f3a"
SECRET = secrets.token_urlsafe(32)


class Watch(logging.Handler):
    """Gathers everything that is ever told: formatted lines, their fields, and what is raised."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.told: list[str] = []
        self.secrets: set[str] = {VALUE, SECRET}
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.told.append(self.format(record))
        self.told.extend(f"{name}={value!r}" for name, value in record.__dict__.items())

    def note(self, error: BaseException) -> None:
        self.told.extend([str(error), repr(error), *traceback.format_exception(error)])

    def learn(self, browser: Browser) -> None:
        """From now on these cookies must not be told, whole or without their last characters."""
        for value in browser.cookies.values():
            self.secrets |= {value, value[:24], value[-24:]}

    def check(self) -> None:
        assert any("wsgessions." in line for line in self.told), "nothing was told, so nothing was watched"
        for line in self.told:
            for secret in self.secrets:
                assert secret not in line


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything at DEBUG, and nothing left out by throttles."""
    from wsgessions.internal.log_throttle import LogThrottle

    def every_line(self: Any, level: int, event: str, message: str, *args: object) -> None:
        self._logger.log(level, message, *args, extra={"event": event})

    monkeypatch.setattr(LogThrottle, "_log", every_line)
    watch, root = Watch(), logging.getLogger()
    level = root.level
    root.addHandler(watch)
    root.setLevel(logging.DEBUG)
    yield watch
    root.setLevel(level)
    root.removeHandler(watch)


class World:
    """One node, one browser whose cookies are secret, and a watch over it all."""

    def __init__(self, node: Node | SessionManager, watch: Watch) -> None:
        self.manager = node if isinstance(node, SessionManager) else node.manager
        self.watch = watch

    def on(self, handler: Callable[[Session], Any], status: int = 200) -> SessionMiddleware:
        return SessionMiddleware(answering(handler, status), manager=self.manager)

    async def browser(self) -> Browser:
        browser = Browser()
        await self.visit(browser, lambda session: session.update(secret=VALUE, n=1))
        return browser

    async def visit(self, browser: Browser, handler: Callable[[Session], Any], status: int = 200) -> None:
        self.watch.learn(browser)
        try:
            await browser.request(self.on(self.shown(handler), status))
        except Exception as error:  # noqa: BLE001 - whatever comes out is looked at
            self.watch.note(error)
        self.watch.learn(browser)

    def shown(self, handler: Callable[[Session], Any]) -> Callable[[Session], Any]:
        """What an error tracker shows of the session, before and after the handler."""

        async def app(session: Session) -> None:
            self.show(session)
            try:
                result = handler(session)
                if asyncio.iscoroutine(result):
                    await result
            finally:
                self.show(session)

        return app

    def show(self, session: Session) -> None:
        self.watch.told.extend(
            [repr(session), str(session), f"{session}", repr(session.ref), repr(repository_of(session))]
        )


async def walk(world: World, store: Any) -> None:
    """All that can happen to a session, good and bad."""
    browser = await world.browser()

    def fail(session: Session) -> None:
        session["secret"] = VALUE * 2
        raise RuntimeError("the application's own")

    async def gone(session: Session) -> None:
        await browser.copy().request(world.on(logout))
        session["n"] = 2
        await session.commit()

    handlers: list[Callable[[Session], Any]] = [
        lambda session: session["secret"],
        lambda session: session.update(n=2),
        lambda session: session.update(bad=object()),
        lambda session: session.update(bad={VALUE: object()}),
        lambda session: session.update(bad=VALUE * 100_000),
        lambda session: session.update({"x\r\nWARNING forged\x1b[31m": object()}),
        lambda session: session.increment("secret"),
        lambda session: session.update("n", lambda n: object()),
        lambda session: session.refresh(),
        fail,
        rotate,
        lambda session: session.rotate_id(),
    ]
    for handler in handlers:
        for status in (200, 500):
            await world.visit(browser, handler, status)
    store.down = True
    for handler in handlers:
        await world.visit(browser.copy(), handler)
    store.down = False
    await world.visit(browser.copy(), gone)
    for cookies in (
        {"__Host-sid": new_session_id()},
        {"__Host-sid": VALUE},
        {**browser.cookies, "__Host-sid-v": "f" * 48},
        {"__Host-sid": "x" * 20_000 + VALUE},
    ):
        await world.visit(Browser(**cookies), lambda session: session.get("secret"))


async def test_nothing_secret_is_told_over_a_store_in_memory(watch: Watch) -> None:
    node = make_node(MemoryStore(), secrets=[SECRET], exclude=["/static"])
    world = World(node, watch)
    await walk(world, node.store)
    manager = node.manager
    shown = (manager, manager.settings, manager.statistics, manager.requests, manager.requests.repository)
    watch.told.extend(map(repr, shown))
    watch.check()


async def test_nothing_secret_is_told_over_a_real_server(watch: Watch, shared_server: RawServer) -> None:
    class Server:
        """Stopped while it is down."""

        @property
        def down(self) -> bool:
            return False

        @down.setter
        def down(self, value: bool) -> None:
            shared_server.pause() if value else shared_server.resume()

    manager = SessionManager(
        store_url=shared_server.url, namespace="secrecy", secrets=[SECRET], nonstop_timeout="0.05s"
    )
    await manager.start(deadline=asyncio.get_running_loop().time() + 20)
    server = Server()
    try:
        await walk(World(manager, watch), server)
    finally:
        server.down = False
        await manager.close()
    watch.told.extend(map(repr, (manager, manager.store, manager.settings)))
    watch.check()


async def test_nothing_secret_is_told_by_streams_sockets_and_lost_clients(watch: Watch) -> None:
    node = make_node(MemoryStore())
    world = World(node, watch)
    browser = await world.browser()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        session: Session = scope["session"]
        kind = "http.response.start" if scope["type"] == "http" else "websocket.accept"
        await send({"type": kind, "status": 200, "headers": []})
        session["late"] = VALUE
        world.show(session)
        session.rotate_id()

    for scope in (http_scope(headers=browser.header), websocket_scope(headers=browser.header), http_scope()):
        for broken in (False, True):
            call = Call(SessionMiddleware(app, manager=node.manager), scope.copy())
            if broken:
                call.break_connection()
            with suppress(OSError, errors.SessionClosed):
                async with call:
                    pass
            watch.note(call.task.exception() or RuntimeError("nothing was raised"))
    watch.check()


@pytest.fixture
async def closed() -> Session:
    """A session whose request is over."""
    manager = SessionManager(store_url="memory:")
    async with manager.open() as session:
        session["secret"] = VALUE
    return session


async def test_a_session_shows_its_ref_and_names_at_most(closed: Session, watch: Watch) -> None:
    """S-80: an error tracker prints local variables."""
    assert closed.id is not None
    assert closed.ref is not None
    shown = f"{closed!r} {closed} {[closed]} {vars(closed) if hasattr(closed, '__dict__') else ''}"
    assert closed.ref in shown
    assert closed.id.get_secret_value() not in shown
    assert VALUE not in shown


def test_log_lines_are_one_line_each(watch: Watch, caplog: pytest.LogCaptureFixture) -> None:
    """S-81: names that applications choose are escaped wherever an error tells of them."""
    nasty = "x\r\nWARNING forged \x1b[31m"
    for make in (
        lambda: errors.CodecError("is bad", path=nasty),
        lambda: errors.ConfigError("is bad", setting=nasty),
    ):
        assert str(make()).isprintable()


async def test_a_conflict_names_attributes_on_one_line() -> None:
    """S-81."""
    nasty = "x\r\nWARNING forged \x1b[31m"
    shared = MemoryStore()
    one, other = make_node(shared, conflicts="raise"), make_node(shared, conflicts="raise")
    async with one.manager.open() as session:
        session[nasty] = 1
    async with one.manager.open(session.id) as first, other.manager.open(session.id) as second:
        first[nasty] = 2
        await first.commit()
        second[nasty] = 3
        with pytest.raises(errors.SessionConflict) as caught:
            await second.commit()
        assert str(caught.value).isprintable()
