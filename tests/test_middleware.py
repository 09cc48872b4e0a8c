"""Where the middleware acts, and where it stays out of the way."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering, http_scope, respond, untouched
from tests.nodes import make_node
from wsgessions import errors, middleware
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import Receive, Scope, Send


def visit(session: Session) -> int:
    session["visits"] = session.get("visits", 0) + 1
    return len(session)


# -- scopes (R-46) -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rpc", "http.next", "", "lifespan2"])
async def test_scopes_of_unknown_types_pass_untouched(kind: str) -> None:
    """R-46."""
    scope, seen = {"type": kind}, []

    async def app(*arguments: Any) -> None:
        seen.append(arguments)

    receive, send = object(), object()
    await SessionMiddleware(app, store_url="memory:")(scope, receive, send)  # type: ignore[arg-type]
    assert seen[0][0] is scope
    assert seen[0][1] is receive
    assert seen[0][2] is send
    assert scope == {"type": kind}


async def test_what_others_put_into_the_scope_stays() -> None:
    """R-46."""
    state: dict[str, Any] = {"a": 1}
    extensions: dict[str, Any] = {"http.response.pathsend": {}}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["state"] is state
        assert scope["extensions"] is extensions
        await respond(send)

    app_ = SessionMiddleware(app, store_url="memory:")
    response = await Browser().request(app_, state=state, extensions=extensions)
    assert response.status == 200


# -- paths without loading (R-30, R-48) --------------------------------------------------------------------------------


async def excluded(path: str, root_path: str = "", exclude: str = "/static") -> bool:
    """Whether a request to this path is left unloaded."""
    node = make_node(MemoryStore(), exclude=[exclude])
    app = SessionMiddleware(answering(visit), manager=node.manager)
    browser = Browser()
    await browser.request(app)
    node.store.calls.clear()
    response = await browser.request(SessionMiddleware(untouched, manager=node.manager), path, root_path=root_path)
    assert response.start["headers"] == []
    assert node.store.calls in ([], ["load"])
    return node.store.calls == []


@pytest.mark.parametrize(
    ("path", "root_path", "expected"),
    [
        ("/static", "", True),
        ("/static/", "", True),
        ("/static/a.css", "", True),
        ("/statics", "", False),
        ("/other/static", "", False),
        ("/", "", False),
        ("/shop/static/a.css", "/shop", True),
        ("/shop/static/a.css", "/shop/", True),
        ("/shop/static/a.css", "/sh", False),
        ("/static/a.css", "/shop", True),
        ("/static/a.css", "/static", False),
        ("/shop/statics", "/shop", False),
        ("/shop", "/shop", False),
    ],
)
async def test_path_prefixes_cost_nothing_and_are_judged_as_the_application_sees_them(
    path: str, root_path: str, *, expected: bool
) -> None:
    """R-30, R-48."""
    assert await excluded(path, root_path) is expected


async def test_a_trailing_slash_in_an_excluded_path_changes_nothing() -> None:
    assert await excluded("/static", exclude="/static/")
    assert not await excluded("/statics", exclude="/static/")


async def test_on_an_excluded_path_the_session_asks_to_be_loaded() -> None:
    """R-30."""
    node = make_node(MemoryStore(), exclude=["/static"])
    browser = Browser()
    await browser.request(SessionMiddleware(answering(visit), manager=node.manager))
    with pytest.raises(errors.SessionNotLoaded, match=r"session\.load"):
        await browser.request(SessionMiddleware(answering(visit), manager=node.manager), "/static/a")

    async def load_first(session: Session) -> int:
        await session.load()
        return visit(session)

    app = SessionMiddleware(answering(load_first), manager=node.manager)
    node.store.calls.clear()
    response = await browser.request(app, "/static/a")
    assert response.data == 1
    assert set(response.set_cookies) == {"__Host-sid-v"}
    response = await browser.request(
        SessionMiddleware(answering(lambda session: session["visits"]), manager=node.manager)
    )
    assert response.data == 2
    assert node.store.calls == ["load", "apply", "load", "touch"]


async def test_the_watermark_counts_on_an_excluded_path_too() -> None:
    """C-13: what the client has seen is not told to it again."""
    node = make_node(MemoryStore(), exclude=["/static"])
    browser = Browser()
    await browser.request(SessionMiddleware(answering(visit), manager=node.manager))

    async def load_first(session: Session) -> int:
        await session.load()
        return len(session)

    response = await browser.request(SessionMiddleware(answering(load_first), manager=node.manager), "/static/a")
    assert response.data == 1
    assert response.set_cookies == {}


async def test_on_an_excluded_path_a_visitor_without_session_can_begin_one() -> None:
    node = make_node(MemoryStore(), exclude=["/static"])
    response = await Browser().request(SessionMiddleware(answering(visit), manager=node.manager), "/static/a")
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v"}


# -- more than one (R-49, R-50) ----------------------------------------------------------------------------------------


async def test_installed_twice_the_outer_one_acts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """R-49, R-50: one session, one load, one pair of cookies, one warning."""
    monkeypatch.setattr(middleware, "_log", LogThrottle(logging.getLogger("wsgessions.middleware")))
    shared = MemoryStore()
    inner, outer = make_node(shared), make_node(shared)
    app = SessionMiddleware(SessionMiddleware(answering(visit), manager=inner.manager), manager=outer.manager)
    browser = Browser()
    for _ in range(2):
        response = await browser.request(app)
        assert len(response.header("set-cookie")) == len(response.set_cookies)
    assert inner.store.calls == []
    assert outer.store.calls == ["start", "create", "load", "apply"]
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.__dict__["event"] for record in warnings] == ["installed_twice"]


async def test_two_applications_with_different_cookies_have_different_sessions() -> None:
    """R-49."""
    shared = MemoryStore()
    inner = make_node(shared, cookie={"name": "__Host-inner"}, context_path="/inner")
    outer = make_node(shared)

    async def mounted(scope: Scope, receive: Receive, send: Send) -> None:
        scope["session"]["outer"] = True
        await SessionMiddleware(answering(visit), manager=inner.manager)(dict(scope), receive, send)

    browser = Browser()
    response = await browser.request(SessionMiddleware(mounted, manager=outer.manager))
    assert set(response.set_cookies) == {"__Host-sid", "__Host-sid-v", "__Host-inner", "__Host-inner-v"}
    assert response.data == 1
    assert (await browser.request(SessionMiddleware(answering(dict), manager=outer.manager))).data == {"outer": True}
    assert (await browser.request(SessionMiddleware(answering(dict), manager=inner.manager))).data == {"visits": 1}


async def test_root_path_never_lands_in_the_cookie() -> None:
    """R-49: a __Host- cookie has the path /."""
    response = await Browser().request(
        SessionMiddleware(answering(visit), store_url="memory:"), "/shop/a", root_path="/shop"
    )
    assert "Path=/;" in response.set_cookies["__Host-sid"]


async def test_a_foreign_session_in_the_scope_is_refused_by_its_name() -> None:
    """R-50: never a mix of two."""
    app = SessionMiddleware(answering(visit), store_url="memory:")
    with pytest.raises(errors.ConfigError, match=r"builtins\.dict.*remove the other"):
        await app(http_scope(session={"a": 1}), _nothing, _nothing)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_settings_can_be_given_one_by_one() -> None:
    app = SessionMiddleware(untouched, store_url="memory:", context_path="/shop")
    assert app.manager.settings.context_path == "/shop"


def test_wrong_settings_are_refused_at_once() -> None:
    """R-07."""
    with pytest.raises(errors.ConfigError, match="store_ur"):
        SessionMiddleware(untouched, store_ur="memory:")  # type: ignore[call-arg]  # on purpose


def test_the_insecure_mode_is_warned_of_once_at_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """S-24."""
    logger = logging.getLogger("wsgessions.middleware")
    monkeypatch.setattr(middleware, "_log_once", LogThrottle(logger, interval=math.inf))
    for insecure in (False, True, True):
        SessionMiddleware(untouched, store_url="memory:", cookie={"insecure": insecure})
    assert [record.__dict__["event"] for record in caplog.records] == ["insecure_cookie"]


def test_a_manager_and_settings_contradict_each_other() -> None:
    """R-07: neither is silently ignored."""
    manager = SessionManager(store_url="memory:")
    with pytest.raises(errors.ConfigError, match="manager"):
        SessionMiddleware(untouched, manager=manager, context_path="/shop")
    with pytest.raises(errors.ConfigError, match="manager"):
        SessionMiddleware(untouched, manager=manager, settings=manager.settings)


async def _nothing(*arguments: Any) -> Any:
    raise AssertionError("the application is not to be called")
