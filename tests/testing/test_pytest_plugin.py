"""The fixtures that users get for their tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.responses import PlainTextResponse
from starlette.requests import Request
from starlette.testclient import TestClient

from tests.adapters.bare_app import app as bare_app
from wsgessions import SessionManager, SessionMiddleware
from wsgessions.errors import CodecError, ConfigError
from wsgessions.settings import CookieOverrides, SettingOverrides
from wsgessions.testing import Clusters, FreezeSessions, ServerOfTests, SessionClients, SessionOf, StoreOfTest
from wsgessions.testing.adapters.client import http_scope, talk
from wsgessions.testing.fixtures.pytest_plugin import (
    _wsgessions_access,
    _wsgessions_thread,
    freeze_sessions,
    session_client,
    session_of,
    wsgessions_cluster,
    wsgessions_server,
    wsgessions_store,
)
from wsgessions_fastapi import FastAPIAdapter, SessionDep

__all__ = [
    "_wsgessions_access",
    "_wsgessions_thread",
    "freeze_sessions",
    "session_client",
    "session_of",
    "wsgessions_cluster",
    "wsgessions_server",
    "wsgessions_store",
]


def make_app(manager: SessionManager, *, events: list[str] | None = None) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, str]]:
        if events is not None:
            events.append("start")
        yield {"greeting": "hello"}
        if events is not None:
            events.append("end")

    app = FastAPI(lifespan=lifespan)

    @app.get("/me")
    async def me(session: SessionDep) -> dict[str, Any]:
        if "user" not in session:
            raise HTTPException(401)
        return {"user": session["user"], "server": app.state.name}

    @app.post("/login/{user}")
    async def login(user: str, session: SessionDep) -> None:
        session.rotate_id()
        session["user"] = user

    @app.post("/logout")
    async def logout(session: SessionDep) -> None:
        session.invalidate()

    @app.post("/count")
    async def count(session: SessionDep) -> int:
        session["count"] = number = int(session.get("count", 0)) + 1
        return number

    @app.get("/greeting")
    async def greeting(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.state.greeting)

    @app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("the handler failed")

    app.state.name = "one"
    return FastAPIAdapter(manager=manager).install(app)


@pytest.fixture(params=["memory", "valkey"])
def app(request: pytest.FixtureRequest, wsgessions_store: StoreOfTest) -> FastAPI:
    overrides: SettingOverrides = {"store_url": "memory:"} if request.param == "memory" else {}
    return make_app(wsgessions_store.manager(**overrides))


# -- session_client ----------------------------------------------------------------------------------------------------


def test_the_browser_of_a_client_has_the_session(app: FastAPI, session_client: SessionClients) -> None:
    with session_client(app, {"user": "ada"}) as client:
        assert client.get("/me").json() == {"user": "ada", "server": "one"}
        assert [client.post("/count").json() for _ in range(2)] == [1, 2]


async def test_an_asynchronous_client_works_alike(app: FastAPI, session_client: SessionClients) -> None:
    async with session_client(app, {"user": "ada"}) as client:
        assert (await client.get("/me")).json()["user"] == "ada"
        answers = await asyncio.gather(*(client.get("/me") for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}


@pytest.mark.parametrize("attributes", [None, {}])
def test_a_browser_may_come_without_a_session(
    app: FastAPI, session_client: SessionClients, attributes: dict[str, Any] | None
) -> None:
    with session_client(app, attributes) as client:
        assert client.get("/me").status_code == 401
        assert "cookie" not in client.get("/me").request.headers


def test_two_clients_are_two_browsers(app: FastAPI, session_client: SessionClients) -> None:
    with session_client(app, {"user": "ada"}) as ada, session_client(app, {"user": "bob"}) as bob:
        assert [client.get("/me").json()["user"] for client in (ada, bob)] == ["ada", "bob"]


def test_a_new_id_takes_the_place_of_the_one_that_was_given(app: FastAPI, session_client: SessionClients) -> None:
    with session_client(app, {"count": 1}) as client:
        (before,) = client.cookies.values()
        client.post("/login/ada")
        assert before not in client.cookies.values()
        assert client.get("/me").json()["user"] == "ada"
        assert client.post("/count").json() == 2


def test_the_application_has_its_start_and_end_once(
    wsgessions_store: StoreOfTest, session_client: SessionClients
) -> None:
    events: list[str] = []
    app = make_app(wsgessions_store.manager(), events=events)
    with session_client(app, {"user": "ada"}) as client, session_client(app) as other:
        assert client.get("/greeting").text == other.get("/greeting").text == "hello"
        assert events == ["start"]
    assert events == ["start", "end"]
    with session_client(app) as client:
        assert client.post("/count").json() == 1
    assert events == ["start", "end"] * 2


async def test_the_application_has_its_start_and_end_in_the_loop_of_the_test(
    wsgessions_store: StoreOfTest, session_client: SessionClients
) -> None:
    events: list[str] = []
    app = make_app(wsgessions_store.manager(), events=events)
    async with session_client(app, {"user": "ada"}) as client, session_client(app) as other:
        assert (await client.get("/greeting")).text == (await other.get("/greeting")).text == "hello"
        assert events == ["start"]
    assert events == ["start", "end"]


def test_a_start_that_fails_is_told(session_client: SessionClients) -> None:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if app.state.broken:
            raise RuntimeError("no database")
        yield

    app = FastAPIAdapter(store_url="memory:").install(FastAPI(lifespan=lifespan))
    app.state.broken = True
    with pytest.raises(RuntimeError, match=r"startup has failed(.|\n)*no database"), session_client(app):
        pass


def test_an_application_without_lifespan_events_is_served_too(session_client: SessionClients) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise NotImplementedError
        await bare_app(scope, receive, send)

    with session_client(SessionMiddleware(app, store_url="memory:"), {"color": "red"}) as client:
        assert client.get("/session").json() == {"color": "red"}


def test_an_error_of_the_application_comes_out_unless_it_shall_not(
    app: FastAPI, session_client: SessionClients
) -> None:
    with session_client(app) as client, pytest.raises(RuntimeError, match="the handler failed"):
        client.get("/fail")
    with session_client(app, raise_app_exceptions=False) as client:
        assert client.get("/fail").status_code == 500


def test_what_cannot_be_in_a_session_is_refused_and_the_application_stopped(
    wsgessions_store: StoreOfTest, session_client: SessionClients
) -> None:
    events: list[str] = []
    app = make_app(wsgessions_store.manager(store_url="memory:"), events=events)
    with pytest.raises(CodecError), session_client(app, {"lock": object()}):
        pass
    assert events == ["start", "end"]


async def test_the_same_holds_for_an_asynchronous_client(
    wsgessions_store: StoreOfTest, session_client: SessionClients
) -> None:
    events: list[str] = []
    app = make_app(wsgessions_store.manager(store_url="memory:"), events=events)
    with pytest.raises(CodecError):
        async with session_client(app, {"lock": object()}):
            pass
    assert events == ["start", "end"]


def test_a_browser_over_plain_http_has_the_cookie_of_development(app: FastAPI, session_client: SessionClients) -> None:
    """S-24."""
    with session_client(app, {"user": "ada"}, base_url="http://testserver") as client:
        assert set(client.cookies) == {"sid"}
        assert client.get("/me").json()["user"] == "ada"


def test_a_browser_that_would_not_send_the_cookie_is_refused(
    wsgessions_store: StoreOfTest, session_client: SessionClients
) -> None:
    """S-20: over plain http a `Secure` cookie stays at home."""
    app = make_app(wsgessions_store.manager(store_url="memory:", cookie={"secure": True}))
    with (
        pytest.raises(ConfigError, match="would not send"),
        session_client(app, {"user": "ada"}, base_url="http://testserver"),
    ):
        pass


def test_the_cookie_follows_the_settings(wsgessions_store: StoreOfTest, session_client: SessionClients) -> None:
    cookie: CookieOverrides = {"name": "sid", "path": "/me", "insecure": True, "secure": False}
    app = make_app(wsgessions_store.manager(store_url="memory:", id_length=64, cookie=cookie))
    with session_client(app, {"user": "ada"}, base_url="http://testserver") as client:
        assert client.get("/me").json()["user"] == "ada"
        assert len(client.cookies["sid"]) == 64


def test_an_application_without_sessions_is_refused(session_client: SessionClients) -> None:
    with pytest.raises(ConfigError, match="has no sessions that can be found"):
        session_client(FastAPI(), {"user": "ada"})


def test_a_manager_that_cannot_be_found_may_be_given(
    wsgessions_store: StoreOfTest, session_client: SessionClients
) -> None:
    manager = wsgessions_store.manager(store_url="memory:")
    app = make_app(manager)

    async def around(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    with session_client(around, {"user": "ada"}, manager=manager) as client:
        assert client.get("/me").json()["user"] == "ada"


# -- session_of --------------------------------------------------------------------------------------------------------


def test_the_session_of_a_response_is_what_the_store_has(
    app: FastAPI, session_client: SessionClients, session_of: SessionOf
) -> None:
    with session_client(app) as client:
        assert session_of(client.get("/me")).is_new
        response = client.post("/login/ada")
        assert session_of(response) == {"user": "ada"}
        later = client.post("/count")
        assert session_of(later) == session_of(response) == {"user": "ada", "count": 1}
        assert session_of(later).ref == session_of(response).ref
        over = client.post("/logout")
        assert session_of(over).is_new
        assert session_of(later) == {}
    assert session_of(over) == {}


async def test_the_session_of_a_response_is_known_in_a_loop_too(
    app: FastAPI, session_client: SessionClients, session_of: SessionOf
) -> None:
    async with session_client(app, {"user": "ada"}) as client:
        response = await client.post("/count")
        assert session_of(response) == {"user": "ada", "count": 1}


def test_the_session_of_a_response_of_another_client_needs_the_application(app: FastAPI, session_of: SessionOf) -> None:
    with TestClient(app, base_url="https://testserver") as client:
        response = client.post("/login/ada")
        assert session_of(response, app) == {"user": "ada"}
        with pytest.raises(TypeError, match="does not tell the application"):
            session_of(response)


def test_clients_that_carry_their_session_by_a_header_are_known(
    wsgessions_store: StoreOfTest, session_client: SessionClients, session_of: SessionOf
) -> None:
    """S-05."""
    app = make_app(wsgessions_store.manager(store_url="memory:", header="X-Session-Id"))
    with session_client(app, headers={"X-Session-Id": "none"}) as client:
        response = client.post("/login/ada")
        client.headers["X-Session-Id"] = response.headers["X-Session-Id"]
        assert session_of(response) == session_of(client.get("/me")) == {"user": "ada"}
        assert session_of(client.post("/logout")) == {}


# -- stores and servers ------------------------------------------------------------------------------------------------


async def test_every_store_of_a_test_has_a_namespace_of_its_own(
    wsgessions_server: ServerOfTests, wsgessions_store: StoreOfTest
) -> None:
    other = SessionManager(store_url=wsgessions_server.store_url, namespace="other")
    async with wsgessions_store.manager().open() as session:
        session["user"] = "ada"
    async with other.open(session.id) as stranger:
        assert stranger.is_new
    async with wsgessions_store.manager().open(session.id) as same:
        assert same == {"user": "ada"}
    await other.close()


def test_a_browser_goes_from_server_to_server(
    wsgessions_cluster: Clusters, session_client: SessionClients, session_of: SessionOf
) -> None:
    names = iter(["one", "two", "three"])

    def named(manager: SessionManager) -> FastAPI:
        app = make_app(manager)
        app.state.name = next(names)
        return app

    cluster = wsgessions_cluster(3, named)
    with session_client(cluster, {"user": "ada"}) as client:
        assert [client.get("/me").json()["server"] for _ in range(4)] == ["one", "two", "three", "one"]
        responses = [client.post("/count") for _ in range(6)]
        assert [response.json() for response in responses] == [1, 2, 3, 4, 5, 6]
        assert session_of(responses[0])["count"] == 6
        with session_client(cluster.servers[1], cookies=client.cookies) as same:
            assert same.post("/count").json() == 7


async def test_a_cluster_may_be_of_managers_only(wsgessions_cluster: Clusters, session_client: SessionClients) -> None:
    cluster = wsgessions_cluster(2)
    one, two = cluster.managers
    async with one.open() as session:
        session["user"] = "ada"
    async with two.open(session.id) as session:
        assert session["user"] == "ada"
    assert one.store is not two.store
    with pytest.raises(TypeError, match="make_app"):
        await talk(cluster, http_scope("/"))


# -- freeze_sessions ---------------------------------------------------------------------------------------------------


def test_sessions_expire_without_waiting(
    wsgessions_cluster: Clusters,
    session_client: SessionClients,
    session_of: SessionOf,
    freeze_sessions: FreezeSessions,
) -> None:
    cluster = wsgessions_cluster(2, make_app, store_url="memory:", max_inactive_interval="30 min")
    time = freeze_sessions(cluster)
    with session_client(cluster, {"user": "ada"}) as client:
        for _ in range(3):
            time.move(timedelta(minutes=29))
            response = client.get("/me")
            assert response.status_code == 200
        time.move(timedelta(minutes=31))
        assert session_of(response).is_new
        assert client.get("/me").status_code == 401


def test_ids_are_renewed_by_that_time_too(
    wsgessions_store: StoreOfTest, session_client: SessionClients, freeze_sessions: FreezeSessions
) -> None:
    """S-07: whoever has taken hold of the clock sees it move."""
    app = make_app(wsgessions_store.manager(store_url="memory:", renew_interval="10 min"))
    time = freeze_sessions(app)
    assert freeze_sessions(app) is time
    with session_client(app, {"user": "ada"}) as client:
        before = set(client.cookies.values())
        client.get("/me")
        assert before <= set(client.cookies.values())
        time.move(timedelta(minutes=11))
        client.get("/me")
        assert not before & set(client.cookies.values())


def test_time_stands_still_and_runs_on_after_the_test(wsgessions_store: StoreOfTest) -> None:
    manager = wsgessions_store.manager(store_url="memory:")
    clock, freeze = manager.store.clock, FreezeSessions()
    time = freeze(manager)
    at = clock.now_ms()
    time.move(timedelta(days=1))
    assert clock.now_ms() == at + 86_400_000
    with pytest.raises(ValueError, match="never goes back"):
        time.move(timedelta(seconds=-1))
    freeze.thaw()
    assert at <= clock.now_ms() < at + 86_400_000


def test_the_time_of_a_server_cannot_be_moved(wsgessions_store: StoreOfTest, freeze_sessions: FreezeSessions) -> None:
    with pytest.raises(ConfigError, match="cannot be moved"):
        freeze_sessions(wsgessions_store.manager())
