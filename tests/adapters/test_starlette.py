"""The adapter suite over Starlette, and what is Starlette's own."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser, requires
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware as ForeignSessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from tests.adapters.diagnoses import DiagnosisCases
from tests.adapters.every_store import OnValkey, shared_server
from tests.adapters.starlette_app import make_app, session
from tests.stores.embedded.watched import ROOT
from tests.stores.valkey.raw_server import RawServer
from wsgessions import SessionManager, SessionMiddleware
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.testing.adapters.client import Browser
from wsgessions.testing.adapters.middleware import Layer, marking, measuring
from wsgessions.testing.adapters.suite import AdapterSuite
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.web import ASGIApp
from wsgessions_starlette import StarletteAdapter, get_session

__all__ = ["shared_server"]


def test_settings_beside_a_manager_would_be_without_effect_and_are_refused() -> None:
    """R-07, as the middleware has it."""
    with pytest.raises(ConfigError, match="a manager is given"):
        StarletteAdapter(manager=SessionManager(store_url="memory:"), session_locking=False)


class TestStarlette(OnValkey, DiagnosisCases, AdapterSuite):
    def get_app(self, manager: SessionManager) -> ASGIApp:
        return StarletteAdapter(manager=manager).install(make_app())

    def get_app_around(self, manager: SessionManager, layer: Layer) -> ASGIApp:
        app = make_app()
        app.add_middleware(layer)
        return StarletteAdapter(manager=manager).install(app)


# -- Starlette's own ---------------------------------------------------------------------------------------------------


async def visits(request: Request) -> Response:
    request.session["visits"] = visits = request.session.get("visits", 0) + 1
    return JSONResponse(visits)


async def untouched(request: Request) -> Response:
    return PlainTextResponse("untouched")


async def asked(request: Request) -> Response:
    return PlainTextResponse(type(request.session).__name__)


def app_with(*routes: BaseRoute, **options: Any) -> Starlette:
    return Starlette(routes=[Route("/visits", visits), Route("/untouched", untouched), *routes], **options)


def installed(app: Starlette, **settings: Any) -> Starlette:
    return StarletteAdapter(store_url="memory:", **settings).install(app)


def client_of(app: ASGIApp) -> TestClient:
    return TestClient(app, base_url="https://testserver")


def test_the_test_client_works_without_the_lifespan(shared_server: RawServer) -> None:
    """R-44, R-57: each of its requests has an event loop of its own, and the links have to live somewhere."""
    app = StarletteAdapter(store_url=shared_server.url).install(app_with())
    client = client_of(app)
    assert [client.get("/visits").json() for _ in range(3)] == [1, 2, 3]
    asyncio.run(app.state.wsgessions.close())


def test_the_test_client_works_with_the_lifespan(shared_server: RawServer) -> None:
    with client_of(StarletteAdapter(store_url=shared_server.url).install(app_with())) as client:
        assert [client.get("/visits").json() for _ in range(3)] == [1, 2, 3]


def test_the_applications_own_lifespan_runs_inside_the_managers() -> None:
    seen: list[object] = []

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[dict[str, str]]:
        manager: SessionManager = app.state.wsgessions
        async with manager.open() as session:
            session["made"] = "at the start"
        seen.append(session.ref)
        yield {"state": "kept"}
        seen.append("end")

    with client_of(installed(app_with(lifespan=lifespan))) as client:
        assert client.get("/visits").json() == 1
    assert seen[1:] == ["end"]


def test_the_manager_is_in_the_state_of_the_application() -> None:
    manager = SessionManager(store_url="memory:")
    app = StarletteAdapter(manager=manager).install(app_with())
    assert app.state.wsgessions is manager


def test_asking_for_the_session_varies_the_response() -> None:
    """S-40: ``request.session`` counts as an access, whatever is done with it."""
    client = client_of(installed(app_with(Route("/asked", asked))))
    response = client.get("/asked")
    assert (response.text, response.headers["vary"]) == ("Session", "Cookie")
    assert "vary" not in client.get("/untouched").headers


class Counting(BaseHTTPMiddleware):
    """Reads the session before the endpoint and writes it afterwards."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        before = request.session.get("visits", 0)
        response = await call_next(request)
        request.session["seen"] = before
        response.headers["x-before"] = str(before)
        return response


def test_typed_code_can_ask_for_the_session_by_a_function() -> None:
    async def whole(request: Request) -> Response:
        session = get_session(request)
        assert session is request.session
        return JSONResponse(session.is_new)

    client = client_of(installed(app_with(Route("/whole", whole))))
    response = client.get("/whole")
    assert (response.json(), response.headers["vary"]) == (True, "Cookie")
    with pytest.raises(ConfigError, match=r"install\(app\)"):
        client_of(app_with(Route("/whole", whole))).get("/whole")


@pytest.mark.parametrize("later", [True, False])
def test_the_session_is_outside_of_all_other_middleware(later: bool) -> None:
    """R-51, also of what is added after it: the guide's filter comes first."""
    app = app_with(Route("/session", session))
    if later:
        installed(app)
    app.add_middleware(Counting)
    if not later:
        installed(app)
    client = client_of(app)
    assert [client.get("/visits").headers["x-before"] for _ in range(3)] == ["0", "1", "2"]
    assert client.get("/session").json() == {"visits": 3, "seen": 2}


@pytest.mark.parametrize("reverse", [True, False])
def test_other_middleware_keeps_its_own_headers(reverse: bool) -> None:
    """R-51: Vary holds what each of them says."""
    app = app_with()
    others: list[tuple[Any, dict[str, Any]]] = [
        (GZipMiddleware, {"minimum_size": 0}),
        (CORSMiddleware, {"allow_origins": ["https://other"], "allow_credentials": True}),
    ]
    for middleware, options in reversed(others) if reverse else others:
        app.add_middleware(middleware, **options)
    client = client_of(installed(app))
    response = client.get("/visits", headers={"origin": "https://other"})
    assert response.headers["content-encoding"] == "gzip"
    assert {part.strip() for part in response.headers["vary"].split(",")} == {"Accept-Encoding", "Origin", "Cookie"}
    assert client.get("/visits").json() == 2


def test_authentication_and_error_handlers_can_use_the_session() -> None:
    """R-51."""

    class Backend(AuthenticationBackend):
        async def authenticate(self, conn: HTTPConnection) -> tuple[AuthCredentials, SimpleUser] | None:
            user = conn.session.get("user")
            return (AuthCredentials(["authenticated"]), SimpleUser(user)) if user else None

    @requires("authenticated")
    async def private(request: Request) -> Response:
        return PlainTextResponse(request.user.display_name)

    async def login(request: Request) -> Response:
        request.session["user"] = "ann"
        return PlainTextResponse("welcome")

    async def forbidden(request: Request, error: Exception) -> Response:
        request.session["refused"] = request.session.get("refused", 0) + 1
        return JSONResponse(request.session["refused"], 403)

    app = app_with(Route("/private", private), Route("/login", login), exception_handlers={403: forbidden})
    app.add_middleware(AuthenticationMiddleware, backend=Backend())
    client = client_of(installed(app))
    assert [client.get("/private").json() for _ in range(2)] == [1, 2]
    client.get("/login")
    assert client.get("/private").text == "ann"


def test_a_mounted_application_with_the_same_settings_shares_the_session() -> None:
    """R-49: one session, one cookie of each kind."""
    inner = installed(app_with())
    client = client_of(installed(app_with(Mount("/inner", inner))))
    response = client.get("/inner/visits")
    assert len(response.headers.get_list("set-cookie")) == 2
    assert [client.get(path).json() for path in ("/visits", "/inner/visits", "/visits")] == [2, 3, 4]


def test_a_mounted_application_with_a_cookie_of_its_own_has_sessions_of_its_own() -> None:
    """R-49."""
    inner = installed(app_with(), cookie={"name": "__Host-inner"})
    client = client_of(installed(app_with(Mount("/inner", inner))))
    assert [client.get(path).json() for path in ("/visits", "/inner/visits", "/visits", "/inner/visits")] == [
        1,
        1,
        2,
        2,
    ]


def test_a_host_application_of_another_kind_does_not_matter() -> None:
    app = Starlette(routes=[Mount("/shop", installed(app_with()))])
    client = client_of(app)
    response = client.get("/shop/visits")
    assert all("Path=/;" in cookie for cookie in response.headers.get_list("set-cookie"))
    assert client.get("/shop/visits").json() == 2


def test_installed_twice_the_first_stays(caplog: pytest.LogCaptureFixture) -> None:
    """R-50."""
    app = installed(app_with())
    first = app.state.wsgessions
    assert installed(app, cookie={"name": "__Host-other"}) is app
    assert app.state.wsgessions is first
    assert [record.__dict__["event"] for record in caplog.records] == ["installed_twice"]
    response = client_of(app).get("/visits")
    assert len(response.headers.get_list("set-cookie")) == 2


def test_installed_after_the_start_it_would_do_nothing() -> None:
    app = app_with()
    client_of(app).get("/untouched")
    with pytest.raises(ConfigError, match="started already"):
        installed(app)


def test_two_kinds_of_sessions_are_refused_at_the_start() -> None:
    """R-50: never a mix of two dicts."""
    app = app_with()
    app.add_middleware(ForeignSessionMiddleware, secret_key="x" * 32)
    with (
        pytest.raises(ConfigError, match=r"starlette\.middleware\.sessions\.SessionMiddleware"),
        client_of(installed(app)),
    ):
        pass


@pytest.mark.parametrize("outside", [True, False])
def test_another_session_middleware_is_refused_wherever_it_stands(outside: bool) -> None:
    """R-50: also around or inside of the bare middleware."""
    app = app_with()
    foreign = (ForeignSessionMiddleware, {"secret_key": "x" * 32})
    ours = (SessionMiddleware, {"store_url": "memory:"})
    for kind, options in (ours, foreign) if outside else (foreign, ours):
        app.add_middleware(kind, **options)
    with pytest.raises(ConfigError, match="two kinds of sessions would be mixed"), client_of(app):
        pass
    with pytest.raises(ConfigError):
        client_of(app).get("/visits")


@pytest.mark.parametrize("placed", ["installed", "added"])
def test_another_session_middleware_is_found_behind_a_layer_that_hides_it(placed: str) -> None:
    """R-50: a layer that is a function shows nothing of what is inside of it; the application's list does."""
    app = app_with()
    app.add_middleware(ForeignSessionMiddleware, secret_key="x" * 32)
    app.add_middleware(marking)
    if placed == "installed":
        installed(app)
    else:
        app.add_middleware(SessionMiddleware, store_url="memory:")
    with pytest.raises(ConfigError, match=r"starlette\.middleware\.sessions\.SessionMiddleware"), client_of(app):
        pass


@pytest.mark.parametrize("failure", [409, 503])
def test_an_error_response_of_a_mounted_application_passes_the_layers_of_both(failure: int) -> None:
    """R-34, R-49: each of the two has the inner part of the middleware."""
    manager = SessionManager(store_url="memory:")
    seen: dict[str, list[int]] = {"whole": [], "mounted": []}

    async def fail(request: Request) -> Response:
        request.session["n"] = 1
        if failure == 503:
            raise StoreUnavailable("the store is away")
        async with manager.open(get_session(request).id) as other:
            await other.invalidate()
        return PlainTextResponse("lost")

    def layered(name: str, *routes: BaseRoute) -> Starlette:
        app = app_with(*routes)
        app.add_middleware(measuring(seen[name]))
        return StarletteAdapter(manager=manager).install(app)

    client = client_of(layered("whole", Mount("/shop", layered("mounted", Route("/fail", fail)))))
    client.get("/visits")
    assert client.get("/shop/fail").status_code == failure
    assert seen == {"whole": [200, failure], "mounted": [failure]}


@pytest.mark.parametrize("server", ["uvicorn", "hypercorn"])
def test_a_server_refuses_to_start_with_two_kinds_of_sessions(server: str, tmp_path: Path) -> None:
    """R-50: instead of a 500 for each request."""
    (tmp_path / "doubled.py").write_text(
        "from starlette.applications import Starlette\n"
        "from starlette.middleware.sessions import SessionMiddleware\n"
        "from wsgessions_starlette import StarletteAdapter\n"
        "app = Starlette()\n"
        "app.add_middleware(SessionMiddleware, secret_key='x')\n"
        "StarletteAdapter(store_url='memory:').install(app)\n"
    )
    address = ["--port", "0"] if server == "uvicorn" else ["--bind", "127.0.0.1:0"]
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "adapters")))
    refused = subprocess.run(
        [sys.executable, "-m", server, "doubled:app", *address],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert refused.returncode != 0 or server == "hypercorn"  # which ends with 0
    assert "the application has starlette.middleware.sessions.SessionMiddleware too" in refused.stderr


@pytest.mark.parametrize("outside", ["metrics", "sessions"])
def test_applications_place_the_middleware_themselves(outside: str) -> None:
    """R-51: what stands outside of it sees its error responses as any other."""
    statuses: list[int] = []
    app, manager = app_with(), SessionManager(store_url="memory:")
    layers: list[tuple[Any, dict[str, Any]]] = [
        (CORSMiddleware, {"allow_origins": ["https://spa.example"], "allow_credentials": True}),
        (measuring(statuses), {}),
    ]
    ours: tuple[Any, dict[str, Any]] = (SessionMiddleware, {"manager": manager})
    for layer, options in [ours, *layers] if outside == "metrics" else [*layers, ours]:
        app.add_middleware(layer, **options)

    async def end(request: Request) -> Response:
        request.session["late"] = 1
        async with manager.open(get_session(request).id) as other:
            await other.invalidate()
        return PlainTextResponse("ended", headers={"access-control-expose-headers": "x", "location": "/lost"})

    app.add_route("/end", end)
    client = client_of(app)
    client.headers["origin"] = "https://spa.example"
    client.get("/visits")
    response = client.get("/end")
    assert response.status_code == 409
    assert response.headers["access-control-allow-origin"] == "https://spa.example"
    assert "location" not in response.headers
    assert statuses == [200, 409 if outside == "metrics" else 200]  # inside, the application's own was measured


def test_the_first_request_is_refused_without_a_lifespan_too() -> None:
    app = Starlette(middleware=[Middleware(ForeignSessionMiddleware, secret_key="x" * 32)])
    for _ in range(2):
        with pytest.raises(ConfigError, match="two kinds of sessions would be mixed"):
            client_of(SessionMiddleware(app, store_url="memory:")).get("/")


def test_sessions_of_a_mounted_application_are_its_own_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """As those of administration sites, which bring Starlette's."""
    admin = Starlette(
        routes=[Route("/", lambda request: JSONResponse(type(request.session).__module__))],
        middleware=[Middleware(ForeignSessionMiddleware, secret_key="x" * 32)],
    )
    app = app_with(Mount("/staff", routes=[Mount("/admin", admin)]))
    with client_of(installed(app)) as client:
        assert client.get("/staff/admin/").json() == "starlette.middleware.sessions"
        assert client.get("/visits").json() == 1
    found = [record for record in caplog.records if record.__dict__.get("event") == "foreign_middleware"]
    assert [record.args for record in found] == [("/staff/admin", "starlette.middleware.sessions.SessionMiddleware")]


def test_the_middleware_alone_does_it_as_well() -> None:
    app = app_with()
    app.add_middleware(SessionMiddleware, store_url="memory:")
    client = client_of(app)
    assert [client.get("/visits").json() for _ in range(3)] == [1, 2, 3]


async def test_a_store_out_of_reach_is_a_503_and_the_same_cookies_work_afterwards(shared_server: RawServer) -> None:
    """F-00a, F-00b: over real connections, refused and cut."""
    async with FaultProxy(shared_server.path) as proxy:
        store_url = f"valkey://{proxy.host}:{proxy.port}"
        manager = SessionManager(store_url=store_url, nonstop_timeout=timedelta(seconds=1))
        app = StarletteAdapter(manager=manager).install(make_app())
        browser = Browser(app, "__Host-sid")
        await browser.do("set-color")
        proxy.refuse()
        proxy.end_connections()
        async with asyncio.timeout(20):
            while (await browser.get("/do/read")).status_code == 200:
                pass  # from memory, until the loss is noticed
        for path in ("/do/read", "/do/set-size", "/do/invalidate"):
            response = await browser.get(path)
            assert (response.status_code, response.headers["retry-after"]) == (503, "1")
            assert "set-cookie" not in response.headers
        assert (await browser.get("/untouched")).status_code == 200
        await proxy.accept()
        async with asyncio.timeout(20):
            while (await browser.get("/do/read")).status_code == 503:
                pass  # each try waits for the link by itself
        assert await browser.do("names") == ["color"]
        await manager.close()


def test_a_websocket_of_the_test_client_shares_the_session() -> None:
    async def count(websocket: WebSocket) -> None:
        websocket.session["visits"] += 1
        await websocket.accept()
        await websocket.send_json(websocket.session["visits"])
        await websocket.close()

    client = client_of(installed(app_with(WebSocketRoute("/count", count))))
    client.get("/visits")
    with client.websocket_connect("wss://testserver/count") as websocket:
        assert websocket.receive_json() == 2
    assert client.get("/visits").json() == 3
