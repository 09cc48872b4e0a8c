"""The adapter suite over Litestar, and what is Litestar's own."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from litestar import Litestar, Router, WebSocket, asgi, get, post, websocket
from litestar.cli._utils import LitestarEnv
from litestar.cli.commands.sessions import sessions_group
from litestar.exceptions import ImproperlyConfiguredException, WebSocketDisconnect
from litestar.middleware.session.client_side import CookieBackendConfig
from litestar.middleware.session.server_side import ServerSideSessionBackend, ServerSideSessionConfig
from litestar.plugins.flash import flash, get_flashes
from litestar.security.session_auth import SessionAuth
from litestar.testing import TestClient
from pydantic import BaseModel

from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.every_store import OnValkey, shared_server
from tests.adapters.litestar_app import AnyRequest, make_app
from tests.codec.portraits import identical
from tests.stores.valkey.raw_server import RawServer
from wsgessions import SessionManager, SessionSettings, install
from wsgessions.errors import CodecError, ConfigError, SessionGone
from wsgessions.session import unit_of
from wsgessions.testing.adapters.client import Browser
from wsgessions.testing.adapters.middleware import Layer, measuring
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.web import ASGIApp
from wsgessions_litestar import LitestarAdapter, WsgessionsSessionConfig, get_session

__all__ = ["shared_server"]


class TestLitestar(OnValkey, DiagnosisCases, AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return LitestarAdapter(manager=manager).install(make_app())  # type: ignore[return-value]

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        return LitestarAdapter(manager=manager).install(make_app(middleware=[layer]))  # type: ignore[return-value]


class TestLitestarAsPlugin(AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return make_app(plugins=[LitestarAdapter(manager=manager)])  # type: ignore[return-value]

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        return make_app(middleware=[layer], plugins=[LitestarAdapter(manager=manager)])  # type: ignore[return-value]


# -- Litestar's own ----------------------------------------------------------------------------------------------------

ID = re.compile(r"[A-Za-z0-9_-]{43}")


@get("/visits")
async def visits(request: AnyRequest) -> int:
    request.session["visits"] = visits = request.session.get("visits", 0) + 1
    return int(visits)


@get("/whole")
async def whole(request: AnyRequest) -> dict[str, Any]:
    return dict(request.session)


@get("/untouched")
async def untouched() -> str:
    return "untouched"


@get("/id")
async def session_id(request: AnyRequest) -> str:
    return str(request.get_session_id())


@get("/fill")
async def fill(request: AnyRequest) -> str:
    request.session["color"] = "red"
    return str(request.get_session_id())


@get("/clear")
async def clear(request: AnyRequest) -> str:
    request.clear_session()
    return str(request.get_session_id())


HANDLERS = (visits, whole, untouched, session_id, fill, clear)


def config(**fields: Any) -> WsgessionsSessionConfig:
    return WsgessionsSessionConfig(settings=SessionSettings(store_url="memory:"), **fields)


def app_of(handlers: Sequence[Any] = (), **options: Any) -> Litestar:
    return Litestar([*HANDLERS, *handlers], openapi_config=None, logging_config=None, **options)


def client_of(app: Litestar, **options: Any) -> TestClient[Litestar]:
    return TestClient(app, base_url="https://testserver.local", **options)


def cookie_ids(response: Any) -> list[str]:
    values = response.headers.get_list("set-cookie")
    return [value.partition("=")[2].partition(";")[0] for value in values if value.startswith("__Host-sid=")]


@pytest.mark.parametrize("lifespan", [True, False])
def test_the_test_client_works_with_the_lifespan_and_without(shared_server: RawServer, lifespan: bool) -> None:
    """R-44, R-57."""
    adapter = LitestarAdapter(store_url=shared_server.url)
    client = client_of(app_of(plugins=[adapter]))
    with client if lifespan else nullcontext():
        assert [client.get("/visits").json() for _ in range(3)] == [1, 2, 3]
    asyncio.run(adapter.manager.close())


def test_the_id_is_known_before_the_handler_and_is_that_of_the_cookie() -> None:
    client = client_of(app_of(middleware=[config().middleware]))
    told = client.get("/fill")
    assert ID.fullmatch(told.text)
    assert cookie_ids(told) == [told.text]
    again = client.get("/id")
    assert (again.text, cookie_ids(again)) == (told.text, [])


def test_an_id_that_is_told_stores_nothing() -> None:
    """S-50."""
    sessions = config()
    response = client_of(app_of(middleware=[sessions.middleware])).get("/id")
    assert ID.fullmatch(response.text)
    assert "set-cookie" not in response.headers
    assert asyncio.run(sessions.session_manager.store.count()) == 0  # type: ignore[attr-defined]


def test_an_id_of_the_clients_choice_is_not_adopted() -> None:
    """S-03."""
    client = client_of(app_of(middleware=[config().middleware]))
    chosen = "x" * 43
    response = client.get("/fill", headers={"cookie": f"__Host-sid={chosen}"})
    assert chosen not in (response.text, *cookie_ids(response))
    assert cookie_ids(response) == [response.text]


def test_a_route_that_does_not_touch_the_session_has_no_header_and_reading_writes_nothing() -> None:
    """S-50, C-16."""
    client = client_of(app_of(middleware=[config().middleware]))
    assert not {"set-cookie", "vary"} & set(client.get("/untouched").headers)
    client.get("/fill")
    response = client.get("/whole")
    assert (response.json(), response.headers["vary"]) == ({"color": "red"}, "Cookie")
    assert "set-cookie" not in response.headers


def test_clear_session_ends_the_session_and_the_cookies() -> None:
    client = client_of(app_of(middleware=[config().middleware]))
    client.get("/fill")
    before = dict(client.cookies)
    response = client.get("/clear")
    assert response.text == "None"
    assert all("Max-Age=0" in cookie for cookie in response.headers.get_list("set-cookie"))
    kept = "; ".join(f"{name}={value}" for name, value in before.items())
    assert client.get("/whole", headers={"cookie": kept}).json() == {}


class Visitor(BaseModel):
    name: str
    items: list[str]


def test_set_session_replaces_the_content_by_a_dict_or_a_model() -> None:
    @get("/dict")
    async def by_dict(request: AnyRequest) -> None:
        request.set_session({"name": "ann", "since": {1, 2}})

    @get("/model")
    async def by_model(request: AnyRequest) -> None:
        request.set_session(Visitor(name="bob", items=["tea"]))

    @get("/anew")
    async def anew(request: AnyRequest) -> None:
        request.clear_session()
        request.set_session({"name": "eve"})

    @get("/names")
    async def names(request: AnyRequest) -> list[str]:
        return sorted(request.session)

    client = client_of(app_of([by_dict, by_model, anew, names], middleware=[config().middleware]))
    first = cookie_ids(client.get("/fill"))
    assert cookie_ids(client.get("/dict")) == []
    assert client.get("/names").json() == ["name", "since"]
    client.get("/model")
    assert client.get("/whole").json() == {"name": "bob", "items": ["tea"]}
    second = cookie_ids(client.get("/anew"))
    assert len(second) == 1
    assert second != first
    assert client.get("/whole").json() == {"name": "eve"}


def test_routes_and_paths_can_be_left_out() -> None:
    @get("/without", skip_session=True)
    async def without(request: AnyRequest) -> bool:
        return "session" in request.scope

    sessions = config(exclude=["^/untouched"])
    client = client_of(app_of([without], middleware=[sessions.middleware]))
    assert client.get("/without").json() is False
    assert client.get("/visits").json() == 1


def test_a_session_of_a_websocket_of_the_test_client_is_kept() -> None:
    @websocket("/count")
    async def count(socket: WebSocket[Any, Any, Any]) -> None:
        socket.session["visits"] += 1
        await socket.accept()
        await socket.send_json(socket.session["visits"])
        await socket.close()

    client = client_of(app_of([count], plugins=[LitestarAdapter(store_url="memory:")]))
    client.get("/visits")
    with client.websocket_connect("wss://testserver.local/count") as socket:
        assert socket.receive_json() == 2
    assert client.get("/visits").json() == 3


def test_typed_code_can_ask_for_the_session_by_a_function() -> None:
    @get("/new")
    async def new(request: AnyRequest) -> bool:
        assert get_session(request) is request.session
        return get_session(request).is_new

    response = client_of(app_of([new], plugins=[LitestarAdapter(store_url="memory:")])).get("/new")
    assert (response.json(), response.headers["vary"]) == (True, "Cookie")


# -- SessionAuth, OpenAPI, the test client, the command line -----------------------------------------------------------


@post("/login")
async def login(request: AnyRequest) -> None:
    get_session(request).rotate_id()
    request.session["user"] = "ann"


@get("/me")
async def me(request: AnyRequest) -> str:
    return str(request.user)


def with_auth(sessions: WsgessionsSessionConfig, **options: Any) -> Litestar:
    async def user_of(session: dict[str, Any], _: Any) -> str | None:
        return session.get("user")

    auth = SessionAuth[str, ServerSideSessionBackend](
        retrieve_user_handler=user_of,
        session_backend_config=sessions,
        exclude=["/login", "/schema", "/fill"],
    )
    return Litestar([login, me, fill], on_app_init=[auth.on_app_init], logging_config=None, **options)


def test_session_auth_lets_in_who_has_logged_in_and_nobody_else() -> None:
    client = client_of(with_auth(config()))
    refused = client.get("/me")
    assert refused.status_code == 401
    assert "set-cookie" not in refused.headers
    assert cookie_ids(client.post("/login"))
    assert client.get("/me").text == "ann"


def test_session_auth_ends_a_session_without_a_user() -> None:
    """As Litestar documents it."""
    client = client_of(with_auth(config()))
    client.get("/fill")
    refused = client.get("/me")
    assert refused.status_code == 401
    assert any("Max-Age=0" in cookie for cookie in refused.headers.get_list("set-cookie"))


def test_session_auth_and_the_plugin_share_a_configuration() -> None:
    sessions = config()
    client = client_of(with_auth(sessions, plugins=[LitestarAdapter(config=sessions)]))
    response = client.post("/login")
    assert len(cookie_ids(response)) == 1
    assert client.get("/me").text == "ann"


async def test_session_auth_answers_503_when_the_store_is_out_of_reach(shared_server: RawServer) -> None:
    """F-00a: nobody is logged out by a store that does not answer."""
    async with FaultProxy(shared_server.path) as proxy:
        settings = SessionSettings(
            store_url=f"valkey://{proxy.host}:{proxy.port}", nonstop_timeout=timedelta(seconds=1), max_bytes_on_heap=0
        )
        sessions = WsgessionsSessionConfig(settings=settings)
        browser = Browser(with_auth(sessions), "__Host-sid")  # type: ignore[arg-type]
        await browser.request("POST", "/login")
        assert (await browser.get("/me")).text == "ann"
        proxy.refuse()
        proxy.end_connections()
        refused = await browser.get("/me")
        assert (refused.status_code, "set-cookie" in refused.headers) == (503, False)
        await sessions.session_manager.close()


def test_the_openapi_document_names_the_cookie() -> None:
    document = client_of(with_auth(config())).get("/schema/openapi.json").json()
    assert document["components"]["securitySchemes"]["sessionCookie"]["name"] == "__Host-sid"


def test_the_test_client_sets_and_gets_session_data() -> None:
    sessions = config()
    with client_of(app_of(middleware=[sessions.middleware]), session_config=sessions) as client:
        assert client.get_session_data() == {}
        client.set_session_data({"visits": 4})
        assert client.get("/visits").json() == 5
        assert client.get_session_data() == {"visits": 5}
        before = dict(client.cookies)
        client.set_session_data({"color": "red"})
        assert client.get("/whole").json() == {"color": "red"}
        assert dict(client.cookies)["__Host-sid"] == before["__Host-sid"]


@pytest.fixture
def command_line(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    def run(app: Litestar, *words: str) -> str:
        runner = CliRunner()
        environment = LitestarEnv(app_path="none", app=app, cwd=Path())
        result = runner.invoke(sessions_group, list(words), obj=environment, input="y\n", catch_exceptions=False)
        return result.output

    return run


async def test_the_command_line_deletes_a_session_and_clears_all(
    shared_server: RawServer, command_line: Callable[..., str]
) -> None:
    namespace = f"t{secrets.token_hex(4)}"
    manager = SessionManager(store_url=shared_server.url, namespace=namespace)
    app = app_of(plugins=[LitestarAdapter(store_url=shared_server.url, namespace=namespace)])
    ids = []
    for number in range(4):
        async with manager.open() as session:
            session["number"] = number
        ids.append(unit_of(session).id)
    await asyncio.to_thread(command_line, app, "delete", "--", ids[0])  # an id may begin with a hyphen
    assert await manager.store.count() == 3  # type: ignore[attr-defined]
    await asyncio.to_thread(command_line, app, "clear")
    assert await manager.store.count() == 0  # type: ignore[attr-defined]
    async with manager.open(ids[1]) as session:
        assert session.is_new
    await manager.close()
    await app.state.wsgessions.close()


# -- the configuration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [{"key": ""}, {"key": "x" * 257}, {"max_age": 0}, {"max_age": -1}])
def test_a_wrong_key_or_age_is_refused_when_it_is_made_and_later(fields: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfiguredException):
        config(**fields)
    sessions = config()
    [(name, value)] = fields.items()
    before = getattr(sessions, name)
    with pytest.raises(ImproperlyConfiguredException):
        setattr(sessions, name, value)
    assert getattr(sessions, name) == before


@pytest.mark.parametrize(
    "fields",
    [{"key": "a b"}, {"domain": "example..org"}, {"samesite": "none", "secure": False}, {"session_id_bytes": 4}],
)
def test_what_browsers_would_punish_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfiguredException):
        config(**fields)


def test_fields_that_are_left_alone_say_what_the_settings_say() -> None:
    settings = SessionSettings(store_url="memory:", cookie={"name": "__Secure-x", "samesite": "strict"})
    sessions = WsgessionsSessionConfig(settings=settings)
    assert (sessions.key, sessions.samesite, sessions.secure, sessions.max_age) == ("__Secure-x", "strict", True, 1800)
    assert sessions.session_manager.settings is settings


def test_fields_that_are_given_win() -> None:
    sessions = config(key="__Secure-shop", domain="example.org", max_age=14 * 86_400, session_id_bytes=48)
    settings = sessions.session_manager.settings
    assert (settings.cookie.name, settings.cookie.domain) == ("__Secure-shop", "example.org")
    assert settings.cookie.max_age == 14 * 86_400
    assert settings.max_inactive_interval == timedelta(days=14)
    assert settings.absolute_timeout == timedelta(days=400), "Litestar's sessions have none"
    assert settings.id_length == 64


@pytest.mark.parametrize(
    ("fields", "meant"),
    [
        ({"domain": ".example.org"}, {"name": "__Secure-sid", "domain": "example.org"}),
        ({"domain": ""}, {"name": "__Host-sid", "domain": None}),
        ({"path": "/shop"}, {"name": "__Secure-sid", "path": "/shop"}),
        ({"path": "/shop", "secure": False}, {"name": "sid", "path": "/shop"}),
        ({"samesite": False}, {"samesite": "off"}),
        ({"max_age": 401 * 86_400}, {"max_age": 400 * 86_400}),
    ],
)
def test_what_litestar_takes_has_its_meaning(fields: dict[str, Any], meant: dict[str, Any]) -> None:
    cookie = config(**fields).session_manager.settings.cookie
    assert {name: getattr(cookie, name) for name in meant} == meant


def test_without_secure_the_cookie_is_for_plain_http() -> None:
    sessions = config(secure=False)
    assert (sessions.key, sessions.session_manager.settings.cookie.insecure) == ("sid", True)


def test_a_change_acts_from_the_next_request_on_and_keeps_the_sessions() -> None:
    sessions = config()
    client = client_of(app_of(plugins=[LitestarAdapter(config=sessions)]))
    id_before = cookie_ids(client.get("/fill"))[0]
    sessions.key = "__Host-other"
    response = client.get("/whole", headers={"cookie": f"__Host-other={id_before}"})
    assert response.json() == {"color": "red"}
    sessions.samesite = "strict"
    client.cookies.clear()
    assert "SameSite=Strict" in client.get("/visits").headers["set-cookie"]


def test_a_manager_and_fields_of_other_values_contradict() -> None:
    manager = SessionManager(store_url="memory:")
    assert WsgessionsSessionConfig(manager=manager).session_manager is manager
    with pytest.raises(ImproperlyConfiguredException, match="max_age"):
        WsgessionsSessionConfig(manager=manager, max_age=60)


# -- installation ------------------------------------------------------------------------------------------------------


def test_installed_twice_the_first_stays(caplog: pytest.LogCaptureFixture) -> None:
    """R-50."""
    app = app_of(plugins=[LitestarAdapter(store_url="memory:")])
    first = app.state.wsgessions
    assert LitestarAdapter(store_url="memory:").install(app) is app
    assert app.state.wsgessions is first
    assert [record.__dict__["event"] for record in caplog.records] == ["installed_twice"]


def test_two_kinds_of_sessions_are_refused() -> None:
    """R-50."""
    foreign = ServerSideSessionConfig().middleware
    with pytest.raises(ConfigError, match=r"litestar\.middleware\.session\.server_side\.ServerSideSessionBackend"):
        app_of(middleware=[foreign], plugins=[LitestarAdapter(store_url="memory:")])
    with pytest.raises(ConfigError, match="remove it"):
        LitestarAdapter(store_url="memory:").install(app_of(middleware=[foreign]))


async def any_user(session: dict[str, Any], connection: Any) -> str:
    return "ann"


def with_two_kinds(case: str) -> Litestar:
    sessions, foreign = config(), ServerSideSessionConfig()
    if case == "of a router":
        return app_of(
            [Router("/r", route_handlers=[fill], middleware=[foreign.middleware])],
            plugins=[LitestarAdapter(config=sessions)],
        )
    if case == "of authentication":
        auth = SessionAuth[str, ServerSideSessionBackend](
            session_backend_config=foreign, retrieve_user_handler=any_user
        )
        return app_of(middleware=[sessions.middleware, auth.middleware], lifespan=[sessions.lifespan])
    ours, others = [sessions.middleware], [CookieBackendConfig(secret=b"x" * 16).middleware]
    layers = [*ours, *others] if case == "inside" else [*others, *ours]
    return app_of(middleware=layers, lifespan=[sessions.lifespan])


@pytest.mark.parametrize("case", ["inside", "outside", "of a router", "of authentication"])
def test_another_session_middleware_fails_the_start_wherever_it_stands(case: str) -> None:
    """R-50: also that of one router, and around ours. Without a lifespan each request fails, with the same text."""
    with pytest.raises(ExceptionGroup) as refused, client_of(with_two_kinds(case)):
        pass
    assert refused.group_contains(ConfigError, match=r"the application has litestar\..*Backend too")
    errors: list[BaseException] = []

    async def note(error: Exception, scope: object) -> None:
        errors.append(error)

    app = with_two_kinds(case)
    app.after_exception.append(note)
    assert client_of(app).get("/r/fill" if case == "of a router" else "/fill").status_code == 500
    assert [type(error) for error in errors] == [ConfigError]


def test_routers_with_sessions_of_different_kinds_are_independent() -> None:
    sessions, foreign = config(), ServerSideSessionConfig()
    ours = Router("/ours", route_handlers=[visits], middleware=[sessions.middleware])
    others = Router("/others", route_handlers=[visits], middleware=[foreign.middleware])
    with client_of(app_of([ours, others], lifespan=[sessions.lifespan])) as client:
        for path in ("/ours/visits", "/others/visits"):
            assert [client.get(path).json() for _ in range(2)] == [1, 2]


@pytest.mark.parametrize("outside", ["the layer", "the sessions"])
def test_applications_place_the_middleware_themselves(outside: str) -> None:
    """R-51: what stands outside sees the error responses of the session; with the lifespan, all works as usual."""
    statuses: list[int] = []
    sessions = config()
    layers: list[Any] = [measuring(statuses), sessions.middleware]
    if outside == "the sessions":
        layers.reverse()

    @get("/end")
    async def end(request: AnyRequest) -> str:
        request.session["late"] = True
        async with sessions.session_manager.open(get_session(request).id) as other:
            await other.invalidate()
        return "lost"

    with client_of(app_of([end], middleware=layers, lifespan=[sessions.lifespan])) as client:
        assert [client.get("/visits").json() for _ in range(2)] == [1, 2]
        assert client.get("/end").status_code == 409
    assert statuses == [200, 200, 409 if outside == "the layer" else 200]  # inside, the application's own was measured


@pytest.mark.parametrize("replaces", ["set", "clear"])
def test_layers_see_the_error_response_where_the_handler_had_replaced_the_session(replaces: str) -> None:
    """R-34: by `set_session` and `clear_session`, which take effect when the response starts."""
    statuses: list[int] = []
    sessions = config()

    @get("/replace")
    async def replace(request: AnyRequest) -> str:
        shown = get_session(request)
        if replaces == "set":
            async with sessions.session_manager.open(shown.id) as other:
                await other.invalidate()
            request.set_session({"other": True})
        else:
            request.clear_session()
        return "done"

    app = app_of([replace], middleware=[measuring(statuses)], plugins=[LitestarAdapter(config=sessions)])
    with client_of(app) as client:
        client.get("/visits")
        response = client.get("/replace")
    expected = 409 if replaces == "set" else 200
    assert (response.status_code, statuses) == (expected, [200, expected])


def test_routes_that_come_after_the_installation_have_sessions_too() -> None:
    app = LitestarAdapter(store_url="memory:").install(Litestar([], openapi_config=None, logging_config=None))
    app.register(visits)
    client = client_of(app)
    assert [client.get("/visits").json() for _ in range(2)] == [1, 2]


def test_settings_beside_a_manager_or_a_configuration_are_refused() -> None:
    """R-07."""
    with pytest.raises(ConfigError, match="a manager is given"):
        LitestarAdapter(manager=SessionManager(store_url="memory:"), session_locking=False)
    with pytest.raises(ConfigError, match="a configuration is given"):
        LitestarAdapter(config=config(), store_url="memory:")


async def test_sessions_are_documents_for_administration() -> None:
    sessions = config()
    documents = sessions.get_store_from_app(app_of())
    async with sessions.session_manager.open() as session:
        session["color"] = "red"
    known = str(unit_of(session).id)
    assert await documents.get(known) == b'{"color":"red"}'
    await documents.set(known, b'{"size":1}', expires_in=60)
    assert await documents.get(known) == b'{"size":1}'
    left = await documents.expires_in(known)
    assert left is not None
    assert 0 < left <= 60
    assert (await documents.exists(known), await documents.exists("x" * 43)) == (True, False)
    with pytest.raises(SessionGone):
        await documents.set("x" * 43, b"{}")
    await documents.delete(known)
    assert (await documents.get(known), await documents.expires_in(known)) == (None, None)


@dataclasses.dataclass
class Line:
    sku: str
    at: datetime


class Order(msgspec.Struct, rename="camel"):
    unit_price: Decimal
    lines: list[Line]


class Stage(enum.Enum):
    PAID = "paid"


class Money:
    """Known to the type encoders of the application only."""


NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
FURTHER: dict[str, tuple[Any, Any]] = {
    "a dataclass": (Line("tea", NOON), {"sku": "tea", "at": NOON}),
    "a struct": (
        Order(Decimal("1.50"), [Line("tea", NOON)]),
        {"unitPrice": Decimal("1.50"), "lines": [{"sku": "tea", "at": NOON}]},
    ),
    "a model": (Visitor(name="ann", items=["tea"]), {"name": "ann", "items": ["tea"]}),
    "a path": (Path("a/b"), "a/b"),
    "an enum": (Stage.PAID, "paid"),
    "a deque": (deque([1, 2]), [1, 2]),
    "a type of its own": (Money(), "EUR"),
    "a subclass": (OrderedDict(a=Path("b")), {"a": "b"}),
}


@pytest.mark.parametrize("case", FURTHER)
def test_what_litestars_own_sessions_accept_is_stored_as_plain_data(case: str) -> None:
    """R-01: nested too, and all that is stored exactly stays so."""
    value, plain = FURTHER[case]
    seen: list[Any] = []

    @get("/put")
    async def put(request: AnyRequest) -> None:
        request.session["v"] = {"inside": [value]}

    @get("/look")
    async def look(request: AnyRequest) -> None:
        seen.append(request.session["v"])

    encoders: dict[Any, Any] = {Money: lambda _: "EUR"}
    app = app_of([put, look], plugins=[LitestarAdapter(store_url="memory:")], type_encoders=encoders)
    client = client_of(app)
    client.get("/put").raise_for_status()
    client.get("/look").raise_for_status()
    assert identical(seen, [{"inside": [plain]}])


@pytest.mark.parametrize(
    ("settings", "value", "words"),
    [({}, [object()], r"'v\[0\]'.*object"), ({"strict_values": True}, Path("a"), "PosixPath")],
)
def test_what_litestar_cannot_encode_or_the_settings_forbid_is_refused_by_name(
    settings: dict[str, Any], value: Any, words: str
) -> None:
    """R-01."""

    @get("/put")
    async def put(request: AnyRequest) -> None:
        session = get_session(request)
        session["v"] = value
        with pytest.raises(CodecError, match=words):
            await session.commit()
        session.clear()

    app = app_of([put], plugins=[LitestarAdapter(store_url="memory:", **settings)])
    client_of(app).get("/put").raise_for_status()


def test_flash_messages_work_with_the_sessions() -> None:
    @get("/flash")
    async def say(request: AnyRequest) -> None:
        flash(request, "saved", "info")

    @get("/flashes")
    async def show(request: AnyRequest) -> Any:
        return get_flashes({"request": request})

    client = client_of(app_of([say, show], plugins=[LitestarAdapter(store_url="memory:")]))
    client.get("/flash")
    assert client.get("/flashes").json() == [{"message": "saved", "category": "info"}]
    assert client.get("/flashes").json() == []


def test_a_litestar_that_is_too_old_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions.framework_versions.version", lambda _: "2.14.9")
    with pytest.raises(ConfigError, match=r"litestar 2\.14\.9 is installed"):
        LitestarAdapter(store_url="memory:")


def test_a_response_that_litestar_caches_gives_nobody_anothers_cookie() -> None:
    @get("/cached", cache=60)
    async def cached(request: AnyRequest) -> str:
        request.session["seen"] = True
        return "cached"

    app = app_of([cached], plugins=[LitestarAdapter(store_url="memory:")])
    assert cookie_ids(client_of(app).get("/cached"))
    assert cookie_ids(client_of(app).get("/cached")) == []


def test_an_application_that_is_mounted_has_the_session_and_may_close_without_a_code() -> None:
    @asgi("/mounted", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        scope["session"]["mounted"] = scope["type"]
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        else:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    client = client_of(app_of([mounted], plugins=[LitestarAdapter(store_url="memory:")]))
    assert cookie_ids(client.get("/mounted"))
    assert client.get("/whole").json() == {"mounted": "http"}
    with (
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect("wss://testserver.local/mounted") as socket,
    ):
        socket.receive_text()
    assert client.get("/whole").json() == {"mounted": "websocket"}


def test_install_takes_the_adapter_by_its_path() -> None:
    app = install(app_of(), adapter="wsgessions_litestar:LitestarAdapter", store_url="memory:")  # type: ignore[type-var]
    assert client_of(app).get("/visits").json() == 1
    assert isinstance(app.state.wsgessions, SessionManager)
