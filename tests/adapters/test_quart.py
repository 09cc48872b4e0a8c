"""The adapter suite over Quart, and what is Quart's own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest
from markupsafe import Markup
from quart import Quart, Response, flash, get_flashed_messages, request, session, websocket
from quart.json.provider import DefaultJSONProvider
from quart.sessions import SecureCookieSessionInterface, SessionMixin
from quart.typing import ResponseReturnValue

from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.every_store import OnValkey, shared_server
from tests.adapters.quart_app import make_app, stream
from tests.record.test_clock import Times
from tests.stores.valkey.raw_server import RawServer
from wsgessions import SessionManager, install
from wsgessions.errors import CodecError, ConfigError, SessionClosed
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.adapters.client import http_scope, talk
from wsgessions.testing.adapters.middleware import Layer
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.web import ASGIApp
from wsgessions_quart import QuartAdapter, QuartSession, WsgessionsSessionInterface, get_session
from wsgessions_quart.session import MOST_FLASHES

__all__ = ["shared_server"]


class TestQuart(OnValkey, DiagnosisCases, AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return cast("ASGIApp", QuartAdapter(manager=manager).install(make_app()))

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        app = make_app()
        app.asgi_app = layer(cast("ASGIApp", app.asgi_app))  # type: ignore[method-assign,assignment]
        return cast("ASGIApp", QuartAdapter(manager=manager).install(app))


# -- Quart's own -------------------------------------------------------------------------------------------------------

Install = Callable[..., Quart]


async def visits() -> ResponseReturnValue:
    session["visits"] = session.get("visits", 0) + 1
    return str(session["visits"])


async def mutter(category: str, message: str) -> ResponseReturnValue:
    await flash(Markup(message) if category == "markup" else message, category)  # noqa: S704 - a text of this test
    return ""


async def mutter_json() -> ResponseReturnValue:
    await flash(await request.get_json())
    return ""


async def hear() -> ResponseReturnValue:
    messages = get_flashed_messages(with_categories=True)
    return Response(repr(messages))


async def untouched() -> ResponseReturnValue:
    return "untouched"


async def count() -> None:
    session["visits"] = session.get("visits", 0) + 1
    await websocket.accept()
    await websocket.send(str(session["visits"]))
    session["left"] = True


def app_with(**config: Any) -> Quart:
    app = Quart("tests.adapters.test_quart")
    app.config.update(config)
    app.add_url_rule("/visits", "visits", visits)
    app.add_url_rule("/mutter/<category>/<message>", "mutter", mutter)
    app.add_url_rule("/mutter", "mutter_json", mutter_json, methods=["POST"])
    app.add_url_rule("/hear", "hear", hear)
    app.add_url_rule("/untouched", "untouched", untouched)
    app.add_url_rule("/stream/<action>", "stream", stream)
    app.add_websocket("/count", "count", count)
    return app


def installed(app: Quart, **settings: Any) -> Quart:
    return QuartAdapter(**{"store_url": "memory:", **settings}).install(app)


def with_the_interface_alone(app: Quart, **settings: Any) -> Quart:
    app.session_interface = WsgessionsSessionInterface(**{"store_url": "memory:", **settings})  # type: ignore[assignment]
    return app


@pytest.fixture(params=[installed, with_the_interface_alone], ids=["adapter", "interface alone"])
def install_by(request: pytest.FixtureRequest) -> Install:
    return cast("Install", request.param)


async def text_of(response: Response) -> str:
    return str(await response.get_data(as_text=True))


def fields_of(response: Response) -> dict[str, str]:
    return dict(value.split("=", 1) for value in response.headers.getlist("set-cookie"))


async def test_the_session_is_what_it_was(install_by: Install) -> None:
    client = install_by(app_with()).test_client()
    assert [await text_of(await client.get("/visits")) for _ in range(3)] == ["1", "2", "3"]


async def test_only_looking_into_the_session_counts_as_an_access(install_by: Install) -> None:
    """S-40: Quart's contexts touch it at every response."""
    client = install_by(app_with()).test_client()
    assert (await client.get("/visits")).headers["vary"] == "Cookie"
    for path in ("/untouched", "/missing"):
        response = await client.get(path)
        assert not {"vary", "set-cookie", "cache-control"} & set(response.headers.keys())


@dataclass
class Line:
    sku: str
    price: Decimal


class Money:
    """Known to the application's JSON provider only."""


class Provider(DefaultJSONProvider):
    @staticmethod
    def default(value: Any) -> Any:
        return "EUR" if isinstance(value, Money) else DefaultJSONProvider.default(value)


async def test_what_quarts_own_sessions_accept_is_stored_as_plain_data(install_by: Install) -> None:
    """R-01: nested too, and all that is stored exactly stays so."""
    app = app_with()
    app.json = Provider(app)

    async def put() -> ResponseReturnValue:
        session["v"] = [Line("tea", Decimal("1.50")), Markup("<b>"), {"money": Money()}]
        return ""

    async def look() -> ResponseReturnValue:
        return repr(session["v"])

    app.add_url_rule("/put", view_func=put)
    app.add_url_rule("/look", view_func=look)
    client = install_by(app).test_client()
    assert (await client.get("/put")).status_code == 200
    assert await text_of(await client.get("/look")) == (
        "[{'sku': 'tea', 'price': Decimal('1.50')}, '<b>', {'money': 'EUR'}]"
    )


@pytest.mark.parametrize(("settings", "value"), [({}, object()), ({"strict_values": True}, Line("tea", Decimal(1)))])
async def test_what_quart_cannot_encode_or_the_settings_forbid_is_refused_by_name(
    install_by: Install, settings: dict[str, Any], value: Any
) -> None:
    """R-01."""

    async def put() -> ResponseReturnValue:
        session["v"] = [value]
        with pytest.raises(CodecError, match=rf"'v\[0\]'.*{type(value).__name__}"):
            await get_session().commit()
        session.clear()
        return ""

    app = app_with()
    app.add_url_rule("/put", view_func=put)
    assert (await install_by(app, **settings).test_client().get("/put")).status_code == 200


async def test_flashed_messages_keep_their_order_categories_and_types(install_by: Install) -> None:
    client = install_by(app_with()).test_client()
    assert await text_of(await client.get("/hear")) == "[]"
    for path in ("/mutter/message/plain", "/mutter/markup/bold", "/mutter/error/last"):
        await client.get(path)
    answer = await text_of(await client.get("/hear"))
    assert answer == "[('message', 'plain'), ('markup', Markup('bold')), ('error', 'last')]"
    assert await text_of(await client.get("/hear")) == "[]"


@pytest.mark.parametrize(
    "message",
    [{" m": "<script>"}, [" m", "<script>"], ["message", "<script>", "safe HTML"], {"__html__": "<script>"}],
    ids=repr,
)
async def test_no_message_of_a_visitor_becomes_safe_html(install_by: Install, message: Any) -> None:
    """Whatever JSON can say: the mark of safe HTML is none of it."""
    client = install_by(app_with()).test_client()
    await client.post("/mutter", json=message)
    await client.get("/mutter/markup/bold")
    answer = await text_of(await client.get("/hear"))
    assert answer == repr([("message", message), ("markup", Markup("bold"))])


async def test_asking_for_messages_makes_no_session(install_by: Install) -> None:
    """S-50."""
    client = install_by(app_with()).test_client()
    assert "set-cookie" not in (await client.get("/hear")).headers


async def test_messages_that_nobody_is_shown_do_not_grow_without_end() -> None:
    client = installed(app_with()).test_client()
    async with client.session_transaction() as transaction:
        transaction["_flashes"] = [("message", str(index)) for index in range(MOST_FLASHES)]
    await client.get("/mutter/message/newest")
    answer = await text_of(await client.get("/hear"))
    assert "newest" in answer
    assert "('message', '0')" not in answer
    assert "('message', '1')" in answer


async def test_a_transaction_of_the_test_client_reads_and_writes(install_by: Install) -> None:
    app = install_by(app_with())
    client = app.test_client()
    async with client.session_transaction() as transaction:
        assert transaction.get("visits") is None
        transaction["visits"] = 41
    assert await text_of(await client.get("/visits")) == "42"
    async with client.session_transaction() as transaction:
        assert transaction["visits"] == 42
        cast("QuartSession", transaction).invalidate()
    assert await text_of(await client.get("/visits")) == "1"


async def test_a_transaction_that_only_reads_sends_nothing() -> None:
    client = installed(app_with()).test_client()
    async with client.session_transaction() as transaction:
        assert transaction.get("visits") is None
    assert client.cookie_jar is not None
    assert list(client.cookie_jar) == []


async def test_a_session_can_be_saved_outside_of_a_request(install_by: Install) -> None:
    """As scripts and fixtures of tests do, which keep the response or its cookies."""
    app = install_by(app_with())
    sessions = app.session_interface
    async with app.test_request_context("/") as context:
        opened = await sessions.open_session(app, context.request)
    assert opened is not None
    opened["visits"] = 41
    response = Response()
    await sessions.save_session(app, opened, response)
    names = [cookie.partition("=")[0] for cookie in response.headers.getlist("set-cookie")]
    client = app.test_client()
    for cookie in response.headers.getlist("set-cookie"):
        name, _, value = cookie.partition(";")[0].partition("=")
        client.set_cookie("localhost", name, value)
    assert names[0] == f"{names[1]}-v"
    assert await text_of(await client.get("/visits")) == "42"


async def test_a_test_client_that_is_entered_shows_the_session_after_the_request(install_by: Install) -> None:
    async with install_by(app_with()).test_client() as client:
        await client.get("/visits")
        await client.get("/visits")
        assert session["visits"] == 2
        await client.get("/visits")
        assert dict(get_session()) == {"visits": 3}


async def test_a_websocket_shares_the_session_and_keeps_what_it_changes(install_by: Install) -> None:
    """R-37."""
    client = install_by(app_with()).test_client()
    await client.get("/visits")
    async with client.websocket("/count") as socket:
        assert await socket.receive() == "2"
    async with client.session_transaction() as transaction:
        assert dict(transaction) == {"visits": 2, "left": True}


async def test_a_stream_keeps_what_it_changes(install_by: Install) -> None:
    """C-13: Quart saves the session before the body is sent."""
    client = install_by(app_with()).test_client()
    await client.get("/visits")
    await client.get("/stream/set-late")
    async with client.session_transaction() as transaction:
        assert dict(transaction) == {"visits": 1, "late": "late"}


async def test_a_permanent_session_outlives_the_browser(install_by: Install) -> None:
    app = install_by(app_with(PERMANENT_SESSION_LIFETIME=timedelta(hours=3)), absolute_timeout=timedelta(days=1))
    client = app.test_client()
    async with client.session_transaction() as transaction:
        transaction.permanent = True
        assert transaction.permanent
    cookies = fields_of(await client.get("/visits"))
    assert all("Max-Age=10800" in cookie for cookie in cookies.values())
    assert set(cookies) == {"sid", "sid-v"}
    async with client.session_transaction() as transaction:
        assert cast("QuartSession", transaction).max_inactive_interval == timedelta(hours=3)
        transaction.permanent = False
    async with client.session_transaction() as transaction:
        assert cast("QuartSession", transaction).max_inactive_interval != timedelta(hours=3)
        assert not transaction.permanent


@pytest.mark.parametrize("refreshes", [True, False])
async def test_the_cookie_of_a_permanent_session_is_renewed_by_use_now_and_then(refreshes: bool) -> None:
    """S-33: not with every response, which might undo a login in another tab (S-209)."""
    times = Times()
    manager = SessionManager(store=MemoryStore(clock=times.clock()), absolute_timeout=timedelta(days=60))
    app = app_with(SESSION_REFRESH_EACH_REQUEST=refreshes)
    client = QuartAdapter(manager=manager).install(app).test_client()
    async with client.session_transaction() as transaction:
        transaction.permanent = True
        transaction["visits"] = 0
    given = []
    for _ in range(3):
        times.pass_seconds(20 * 3600)
        given.append("sid" in fields_of(await client.get("/hear")))
    assert given == [False, refreshes, False]


async def test_nested_changes_may_be_announced_and_need_not() -> None:
    app = installed(app_with())

    @app.get("/cart/<item>")
    async def cart(item: str) -> ResponseReturnValue:
        session.setdefault("cart", []).append(item)
        if item == "milk":
            session.modified = True
        assert session.modified
        return list(session["cart"])

    client = app.test_client()
    for item in ("tea", "milk", "bread"):
        await client.get(f"/cart/{item}")
    async with client.session_transaction() as transaction:
        assert transaction["cart"] == ["tea", "milk", "bread"]


async def test_typed_code_can_ask_for_the_session_by_a_function() -> None:
    app = installed(app_with())
    async with app.test_request_context("/"):
        here = get_session()
        assert isinstance(here, SessionMixin)
        assert (here.new, here.accessed) == (True, True)
        here["color"] = "red"
        assert session["color"] == "red"
    async with app_with(SECRET_KEY="x").test_request_context("/"):
        with pytest.raises(ConfigError, match=r"install\(app\)"):
            get_session()


async def test_work_that_outlives_the_request_opens_the_session_by_its_id() -> None:
    """R-39: the object of the request is closed, loudly."""
    app = installed(app_with())
    manager: SessionManager = app.extensions["wsgessions"]
    met: list[str] = []
    over = asyncio.Event()

    @app.get("/later")
    async def later() -> ResponseReturnValue:
        here = get_session()
        here["asked"] = True
        await here.commit()
        session_id = here.id

        async def work() -> None:
            await over.wait()
            try:
                here["done"] = True
            except SessionClosed as error:
                met.append(type(error).__name__)
            async with manager.open(session_id) as opened:
                opened["done"] = True

        app.add_background_task(work)
        return ""

    client = app.test_client()
    await client.get("/later")
    over.set()
    await asyncio.gather(*app.background_tasks)
    assert met == ["SessionClosed"]
    async with client.session_transaction() as transaction:
        assert dict(transaction) == {"asked": True, "done": True}


async def test_a_stream_that_is_cut_leaves_no_task_behind() -> None:
    app = installed(app_with())
    begun, ended = asyncio.Event(), asyncio.Event()

    @app.get("/endless")
    async def endless() -> ResponseReturnValue:
        async def parts() -> AsyncIterator[str]:
            try:
                yield "first"
                begun.set()
                await asyncio.Event().wait()
            finally:
                ended.set()

        return Response(parts())

    before = asyncio.all_tasks()
    request = asyncio.create_task(talk(cast("ASGIApp", app), http_scope("/endless")))
    async with asyncio.timeout(30):
        await begun.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await ended.wait()
    assert asyncio.all_tasks() == before


async def test_an_error_page_may_use_the_session_and_what_failed_is_dropped() -> None:
    """R-31, R-33."""
    app = installed(app_with())

    @app.get("/fail")
    async def fail() -> ResponseReturnValue:
        session["lost"] = True
        raise RuntimeError("the handler failed")

    @app.errorhandler(500)
    async def show(_: Exception) -> ResponseReturnValue:
        return f"sorry, visitor {session['visits']}", 500

    client = app.test_client()
    await client.get("/visits")
    response = await client.get("/fail")
    assert (response.status_code, await text_of(response)) == (500, "sorry, visitor 1")
    async with client.session_transaction() as transaction:
        assert dict(transaction) == {"visits": 1}


async def test_functions_around_requests_can_use_the_session() -> None:
    app = installed(app_with())

    @app.before_request
    async def before() -> None:
        session.permanent = True

    @app.after_request
    async def after(response: Response) -> Response:
        session["after"] = session.get("after", 0) + 1
        return response

    @app.teardown_request
    def teardown(_: BaseException | None) -> None:
        session["torn"] = session.get("torn", 0) + 1

    client = app.test_client()
    await client.get("/untouched")
    await client.get("/untouched")
    async with client.session_transaction() as transaction:
        assert dict(transaction) == {"_permanent": True, "after": 2, "torn": 2}


# -- configuration and installation ------------------------------------------------------------------------------------


async def test_what_the_project_changed_of_the_cookie_is_in_force(install_by: Install) -> None:
    app = install_by(
        app_with(
            SESSION_COOKIE_NAME="shop",
            SESSION_COOKIE_PATH="/",
            SESSION_COOKIE_DOMAIN="shop.example",
            SESSION_COOKIE_SAMESITE="Strict",
            SESSION_COOKIE_PARTITIONED=True,
        )
    )
    response = await app.test_client().get("/visits", scheme="https")
    cookie = fields_of(response)["shop"]
    assert all(
        word in cookie for word in ("Domain=shop.example", "SameSite=Strict", "Partitioned", "Secure", "HttpOnly")
    )


async def test_what_the_project_left_alone_stays_safe() -> None:
    """S-20."""
    cookies = fields_of(await installed(app_with()).test_client().get("/visits", scheme="https"))
    assert all(word in cookies["__Host-sid"] for word in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"))


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ({"DOMAIN": ".shop.example"}, {"name": "__Secure-sid", "domain": "shop.example"}),
        ({"DOMAIN": ""}, {"name": "__Host-sid", "domain": None}),
        ({"PATH": "/shop"}, {"name": "__Secure-sid", "path": "/shop"}),
        ({"SAMESITE": False}, {"samesite": "off"}),
    ],
)
def test_what_quart_takes_has_its_meaning(words: dict[str, Any], meant: dict[str, Any]) -> None:
    app = installed(app_with(**{f"SESSION_COOKIE_{word}": value for word, value in words.items()}))
    cookie = app.extensions["wsgessions"].settings.cookie
    assert {name: getattr(cookie, name) for name in meant} == meant


@pytest.mark.parametrize(
    ("lifetime", "given", "absolute"),
    [(31 * 86_400, {}, 400), (3600, {}, 1), (31 * 86_400, {"absolute_timeout": "7d"}, 7)],
)
def test_a_permanent_session_lasts_as_long_as_its_lifetime_says(
    lifetime: int, given: dict[str, Any], absolute: int
) -> None:
    app = installed(app_with(PERMANENT_SESSION_LIFETIME=lifetime), **given)
    assert app.extensions["wsgessions"].settings.absolute_timeout.days == absolute


def test_a_given_setting_goes_before_quarts_configuration() -> None:
    app = installed(app_with(SESSION_COOKIE_NAME="shop", SESSION_COOKIE_SAMESITE="Strict"), cookie={"name": "__Host-b"})
    cookie = app.extensions["wsgessions"].settings.cookie
    assert (cookie.name, cookie.samesite) == ("__Host-b", "strict")


def test_a_configuration_without_effect_is_refused() -> None:
    """R-07."""
    manager = SessionManager(store_url="memory:")
    with pytest.raises(ConfigError, match=r"a manager is given") as caught:
        QuartAdapter(manager=manager).install(app_with(SESSION_COOKIE_NAME="shop"))
    assert caught.value.setting == "cookie.name"
    with pytest.raises(ConfigError, match="a manager is given"):
        QuartAdapter(manager=manager, session_locking=False)


def test_the_adapter_is_found_by_the_class_of_the_application() -> None:
    app = install(cast("ASGIApp", app_with()), store_url="memory:", adapter="wsgessions_quart:QuartAdapter")
    assert isinstance(cast("Any", app).extensions["wsgessions"], SessionManager)
    assert not QuartAdapter.fits(object())


async def test_installed_twice_the_first_stays(caplog: pytest.LogCaptureFixture) -> None:
    """R-50."""
    app = installed(app_with())
    first = app.extensions["wsgessions"]
    assert installed(app, cookie={"name": "__Host-other"}) is app
    assert app.extensions["wsgessions"] is first
    assert [record.__dict__["event"] for record in caplog.records] == ["installed_twice"]
    assert len((await app.test_client().get("/visits")).headers.getlist("set-cookie")) == 2


def test_a_session_interface_of_another_kind_is_refused() -> None:
    class Foreign(SecureCookieSessionInterface):
        pass

    app = app_with()
    app.session_interface = Foreign()
    with pytest.raises(ConfigError, match="Foreign"):
        installed(app)


@pytest.mark.parametrize("server", [True, False])
async def test_a_session_interface_that_takes_the_place_of_ours_fails_the_start_and_each_request(
    install_by: Install, server: bool
) -> None:
    """R-50: `quart.session` would be another session than the one of the middleware, in silence."""
    app = install_by(app_with(), store_url="memory:")
    if server:
        async with app.test_app() as served:  # joins, where the interface alone does so at the start
            assert (await served.test_client().get("/visits")).status_code == 200
    else:
        assert (await app.test_client().get("/visits")).status_code == 200
    app.session_interface = SecureCookieSessionInterface()
    with pytest.raises(ConfigError, match=r"quart\.sessions\.SecureCookieSessionInterface too"):
        await (app.startup() if server else app.test_client().get("/visits"))


def test_a_quart_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions.framework_versions.version", lambda _: "0.20.0")
    with pytest.raises(ConfigError, match=r"quart 0\.20\.0 .*0\.22"):
        installed(app_with())


async def test_the_start_by_a_server_is_enough_for_the_interface_alone(shared_server: RawServer) -> None:
    """R-44: its end closes the manager, which can start again."""
    app = with_the_interface_alone(app_with(), store_url=shared_server.url)
    async with app.test_app() as served:
        client = served.test_client()
        async with client.websocket("/count") as socket:
            assert await socket.receive() == "1"
    assert isinstance(app.extensions["wsgessions"], SessionManager)
    await app.extensions["wsgessions"].close()


async def test_without_the_store_a_transaction_fails_and_gives_no_cookie(shared_server: RawServer) -> None:
    """F-00a."""
    app = installed(app_with(), store_url="valkey://127.0.0.1:1", nonstop_timeout=timedelta(seconds=0.2))
    client = app.test_client()
    async with client.session_transaction() as transaction:
        transaction["visits"] = 1
    assert client.cookie_jar is not None
    assert list(client.cookie_jar) == []
    assert (await client.get("/visits")).status_code == 503
    assert (await client.get("/untouched")).status_code == 200
    await app.extensions["wsgessions"].close()
