"""The stand-in for Starlette's own session middleware, beside it: the same applications through both."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any

import httpx2
import itsdangerous
import pytest
from starlette.applications import Starlette
from starlette.middleware.sessions import Session as StarletteSession
from starlette.middleware.sessions import SessionMiddleware as StarletteMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket

from tests.adapters.every_store import shared_server
from tests.stores.valkey.raw_server import RawServer
from wsgessions.errors import ConfigError
from wsgessions.migration import importer
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.compat import Session, SessionMiddleware

__all__ = ["shared_server"]

KEY = "a key that signed cookies so far, 32"
SOON = datetime.now(UTC) + timedelta(days=1)

OLD_STOCK = "partitioned" not in inspect.signature(StarletteMiddleware).parameters
"""Whether Starlette's own is that of its first releases 1.x, which knows less: ours is as the present one."""

Action = Callable[[Any], Any]

ACTIONS: dict[str, Action] = {
    "nothing": lambda request: None,
    "read": lambda request: request.session.get("user"),
    "all": lambda request: dict(request.session),
    "set": lambda request: request.session.update(user="ann", visits=1),
    "same": lambda request: request.session.__setitem__("user", "ann"),
    "count": lambda request: request.session.__setitem__("visits", request.session.get("visits", 0) + 1),
    "delete": lambda request: request.session.__delitem__("user"),
    "pop": lambda request: request.session.pop("user", None),
    "pop-missing": lambda request: request.session.pop("none", None),
    "default": lambda request: request.session.setdefault("user", "bob"),
    "clear": lambda request: request.session.clear(),
    "merge": lambda request: request.session.__ior__({"more": [1]}),
    "mark": lambda request: request.session.mark_modified(),
    "mark-by-hand": lambda request: setattr(request.session, "modified", True),
    "logout": lambda request: request.session.invalidate(),
}


async def act(request: Request) -> Response:
    ACTIONS[request.path_params["action"]](request)
    session = request.scope["session"]
    flags = [session.accessed, session.modified]
    return JSONResponse({"session": dict(request.session) if session.accessed else None, "flags": flags})


async def answer(request: Request) -> Response:
    ACTIONS[request.path_params["action"]](request)
    return PlainTextResponse("done", request.path_params["status"])


async def untouched(request: Request) -> Response:
    return PlainTextResponse("untouched")


async def socket(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.send_json(dict(websocket.session))
    await websocket.close()


def make_app(middleware: Any, secret_key: Any = KEY, **options: Any) -> Starlette:
    app = Starlette(
        routes=[
            Route("/do/{action}", act),
            Route("/answer/{status:int}/{action}", answer),
            Route("/untouched", untouched),
            WebSocketRoute("/ws", socket),
        ]
    )
    app.add_middleware(middleware, secret_key=secret_key, **options)
    return app


def theirs(**options: Any) -> TestClient:
    return TestClient(make_app(StarletteMiddleware, **options), base_url="https://testserver")


def ours(*, store_url: str = "memory:", **options: Any) -> TestClient:
    return TestClient(make_app(SessionMiddleware, store_url=store_url, **options), base_url="https://testserver")


def close(client: TestClient) -> None:
    """End what the application of a client without the lifespan has begun."""
    app: Any = client.app
    asyncio.run(app.middleware_stack.app.manager.close())


def alone(**options: Any) -> SessionMiddleware:
    return SessionMiddleware(Starlette(), KEY, store_url="memory:", **options)


def cookies(response: httpx2.Response, name: str = "session") -> list[dict[str, str]]:
    """The attributes of each Set-Cookie of one name, without its value."""
    found = []
    for line in response.headers.get_list("set-cookie"):
        pair, *attributes = line.split(";")
        if pair.partition("=")[0] == name:
            parts = (each.strip().partition("=") for each in attributes)
            found.append({key.lower(): value.lower() for key, _, value in parts})
    return found


def removes(attributes: dict[str, str]) -> bool:
    return attributes.get("max-age") == "0" or "1970" in attributes.get("expires", "")


def seen(response: httpx2.Response) -> dict[str, Any]:
    """What both must say: status, body, Vary, and what becomes of the cookie."""
    changes = [
        "removed" if removes(each) else sorted((key, value) for key, value in each.items() if key != "expires")
        for each in cookies(response)
    ]
    return {
        "status": response.status_code,
        "body": response.text,
        "vary": response.headers.get("vary"),
        "cookie": changes,
    }


STORIES = {
    "untouched": ["nothing", "nothing"],
    "reading makes nothing": ["read", "all", "read"],
    "set and read": ["set", "read", "all", "count", "count", "all"],
    "the same value again": ["set", "same", "same"],
    "delete one": ["set", "delete", "all"],
    "pop": ["set", "pop-missing", "pop", "pop-missing", "all"],
    "default": ["default", "default", "all"],
    "clear": ["set", "clear", "all", "read"],
    "clear what is empty": ["clear", "all"],
    "clear and begin anew": ["set", "clear", "set", "all"],
    "delete the last": ["same", "delete", "all"],
    "merge": ["merge", "merge", "all"],
    "marked": ["set", "mark", "all"],
    "marked by hand": ["set", "mark-by-hand", "all"],
    "marked, and empty": ["mark", "all"],
}

OPTIONS: dict[str, dict[str, Any]] = {
    "none": {},
    "name": {"session_cookie": "shop"},
    "age": {"max_age": 3600},
    "path": {"path": "/do"},
    "strict": {"same_site": "strict"},
    "https": {"https_only": True},
    "across sites": {"same_site": "none", "https_only": True, "partitioned": True},
}

if OLD_STOCK:
    del OPTIONS["across sites"]
    del STORIES["merge"]  # `|=` was no change to it


class TestBeside:
    @pytest.mark.parametrize("options", OPTIONS)
    @pytest.mark.parametrize("story", STORIES)
    def test_each_response_says_the_same(self, story: str, options: str) -> None:
        with theirs(**OPTIONS[options]) as one, ours(**OPTIONS[options]) as other:
            for action in STORIES[story]:
                assert seen(other.get(f"/do/{action}")) == seen(one.get(f"/do/{action}")), action

    @pytest.mark.parametrize("action", ["set", "same", "clear"])
    def test_a_cookie_that_ends_with_the_browser_says_so(self, action: str) -> None:
        """The id stays the same, so after the first change only the watermark's cookie is sent again."""
        with theirs(max_age=None) as one, ours(max_age=None) as other:
            assert seen(other.get("/do/set")) == seen(one.get("/do/set"))
            bodies = [client.get(f"/do/{action}").json() for client in (other, one)]
            assert bodies[0] == bodies[1]
            assert other.get("/do/all").json() == one.get("/do/all").json()

    @pytest.mark.parametrize("max_age", [-1] if OLD_STOCK else [0, -1])
    def test_an_age_of_nothing_keeps_nothing(self, max_age: int) -> None:
        with theirs(max_age=max_age) as one, ours(max_age=max_age) as other:
            for action in ("set", "all", "count", "all"):
                assert other.get(f"/do/{action}").text == one.get(f"/do/{action}").text
            assert not other.cookies

    def test_an_age_of_nothing_ends_what_was_kept_before(self, shared_server: RawServer) -> None:
        with ours(store_url=shared_server.url) as before:
            before.get("/do/set")
            kept = dict(before.cookies)
            with ours(store_url=shared_server.url, max_age=0) as after:
                after.cookies.update(kept)
                assert content_of(after) == {}
            assert content_of(before) == {}

    @pytest.mark.skipif(OLD_STOCK, reason="Starlette's own has other words there")
    @pytest.mark.parametrize("https", [True, False])
    @pytest.mark.parametrize("options", [{}, {"max_age": None, "same_site": "strict"}, {"domain": "example.org"}])
    def test_the_cookie_is_spelled_as_by_starlette(self, options: dict[str, Any], https: bool) -> None:
        """Tests of applications look for its text."""
        options = {**options, "https_only": https, "partitioned": https}
        for actions in [("set",)] if "domain" in options else [("set",), ("set", "clear")]:
            with theirs(**options) as one, ours(**options) as other:
                given = [[client.get(f"/do/{action}") for action in actions][-1] for client in (one, other)]
            fields = [each.headers.get_list("set-cookie")[-1].partition("; ") for each in given]
            assert fields[0][2] == fields[1][2]
            assert ("clear" in actions) == (fields[0][0] == fields[1][0] == "session=null")

    def test_a_domain_is_sent_with_or_without_its_dot(self) -> None:
        for domain in ("example.org", ".example.org"):
            response = ours(domain=domain).get("/do/set")
            assert cookies(response)[0]["domain"] == "example.org"

    @pytest.mark.parametrize("status", [200, 303, 404])
    def test_what_a_response_changes_is_kept_whatever_it_says(self, status: int) -> None:
        with theirs() as one, ours() as other:
            for client in (one, other):
                client.get(f"/answer/{status}/set", follow_redirects=False)
            assert other.get("/do/all").json() == one.get("/do/all").json()

    def test_flags_are_those_of_starlette(self) -> None:
        for action in ("read", "pop-missing", "default", "set", "same"):
            for prepare in ((), ("set",)):
                with theirs() as one, ours() as other:
                    for client in (one, other):
                        for each in prepare:
                            client.get(f"/do/{each}")
                    assert other.get(f"/do/{action}").json() == one.get(f"/do/{action}").json()

    def test_positional_arguments_are_in_starlettes_order(self) -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None: ...

        made = SessionMiddleware(app, KEY, "shop", 60, "/in", "strict", True, "example.org", True, store_url="memory:")
        cookie = made.manager.settings.cookie
        assert (cookie.name, cookie.max_age, cookie.path, cookie.samesite) == ("shop", 60, "/in", "strict")
        assert (cookie.secure, cookie.domain, cookie.partitioned) == (True, "example.org", True)


class TestSession:
    def operations(self) -> list[Action]:
        return [
            lambda session: session.__setitem__("a", 1),
            lambda session: session.get("a"),
            lambda session: session.pop("b", None),
            lambda session: session.setdefault("a", 2),
            lambda session: session.setdefault("c", 2),
            lambda session: session.popitem(),
            lambda session: session.update(),
            lambda session: session.clear(),
            lambda session: session.__ior__({"a": 1}),
            lambda session: session.mark_modified(),
        ]

    @pytest.mark.skipif(OLD_STOCK, reason="the flags of Starlette's first releases 1.x miss some operations")
    def test_made_by_hand_it_has_starlettes_flags_after_each_operation(self) -> None:
        for content in ({"a": 1}, {"a": 1, "b": 2}):
            for operation in self.operations():
                one, other = StarletteSession(content), Session(content)
                operation(one)
                operation(other)
                assert (other == one, other.modified) == (True, one.modified)

    def test_flags_can_be_set(self) -> None:
        session = Session()
        session.accessed = session.modified = True
        assert (session.accessed, session.modified) == (True, True)
        session.modified = False
        assert not session.modified

    async def test_update_with_a_function_is_ours(self) -> None:
        session = Session(visits=1)
        await session.update("visits", lambda visits: visits + 1)  # type: ignore[misc]  # this form is awaited
        assert session == {"visits": 2}


class TestDifferences:
    """Each is in docs/how-to/migrate-from-starlette.md."""

    def test_the_cookie_holds_an_id_and_a_second_one_the_version(self) -> None:
        client = ours()
        client.get("/do/set")
        assert sorted(client.cookies) == ["session", "session-v"]
        assert "ann" not in str(dict(client.cookies))

    def test_a_change_inside_of_a_value_is_kept(self) -> None:
        async def append(request: Request) -> Response:
            request.session["items"].append(1)
            return PlainTextResponse("done")

        for client, kept in ((theirs(), []), (ours(), [1])):
            app: Any = client.app
            app.router.routes.append(Route("/append", append))
            ACTIONS["items"] = lambda request: request.session.__setitem__("items", [])
            client.get("/do/items")
            client.get("/append")
            assert client.get("/do/all").json()["session"] == {"items": kept}

    def test_a_response_of_5xx_keeps_no_changes(self) -> None:
        for client, kept in ((theirs(), {"user": "ann", "visits": 1}), (ours(), {})):
            client.get("/answer/500/set")
            assert client.get("/do/all").json()["session"] == kept

    def test_with_5xx_kept_by_a_setting_it_is_as_before(self) -> None:
        client = ours(save_on_error=True)
        client.get("/answer/500/set")
        assert client.get("/do/all").json()["session"] == {"user": "ann", "visits": 1}

    def test_what_was_cleared_does_not_come_back_with_an_old_cookie(self) -> None:
        for client, after in ((theirs(), {"user": "ann", "visits": 1}), (ours(), {})):
            client.get("/do/set")
            stolen = dict(client.cookies)
            client.get("/do/clear")
            client.cookies.update(stolen)
            assert client.get("/do/all").json()["session"] == after

    def test_a_cookie_that_browsers_refuse_is_refused_at_the_start(self) -> None:
        for options in ({"same_site": "none"}, {"partitioned": True}):
            with pytest.raises(ConfigError):
                alone(**options)

    def test_without_https_only_production_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="insecure"):
            SessionMiddleware(Starlette(), KEY, store_url="embedded:", env="production")

    def test_a_session_that_is_shown_is_not_for_shared_caches(self) -> None:
        response = ours().get("/do/set")
        assert response.headers["cache-control"] == "no-store"


class TestSettings:
    def settings_of(self, max_age: int | None = 60, **options: Any) -> Any:
        return alone(max_age=max_age, **options).manager.settings

    def test_the_age_is_the_idle_time(self) -> None:
        settings = self.settings_of(3600)
        assert settings.max_inactive_interval == timedelta(hours=1)
        assert settings.absolute_timeout == timedelta(days=400)

    def test_without_an_age_it_is_two_weeks(self) -> None:
        settings = self.settings_of(None)
        assert settings.max_inactive_interval == timedelta(days=14)
        assert settings.cookie.max_age is None

    def test_beyond_what_browsers_keep_it_is_what_they_keep(self) -> None:
        assert self.settings_of(10**9).cookie.max_age == timedelta(days=400).total_seconds()

    def test_what_is_set_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("WSGESSIONS_MAX_INACTIVE_INTERVAL", "10m")
        settings = self.settings_of(3600, absolute_timeout="30m")
        assert settings.max_inactive_interval == timedelta(minutes=10)
        assert settings.absolute_timeout == timedelta(minutes=30)

    def test_a_shorter_absolute_timeout_shortens_the_idle_time(self) -> None:
        assert self.settings_of(3600, absolute_timeout="30m").max_inactive_interval == timedelta(minutes=30)

    def test_an_assurance_level_decides_by_itself(self) -> None:
        assert self.settings_of(3600, assurance="aal3").max_inactive_interval == timedelta(minutes=15)

    def test_a_cookie_beside_the_arguments_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="session_cookie"):
            self.settings_of(cookie={"name": "x"})

    def test_installed_beside_the_adapter_it_is_refused(self) -> None:
        app = make_app(SessionMiddleware, store_url="memory:")
        with (
            pytest.raises(ConfigError, match=r"compat\.SessionMiddleware"),
            TestClient(StarletteAdapter(store_url="memory:").install(app)),
        ):
            pass

    def test_mounted_twice_it_is_one_session(self) -> None:
        inner = make_app(SessionMiddleware, store_url="memory:")
        outer = Starlette(routes=[Mount("/in", inner), Route("/do/{action}", act)])
        outer.add_middleware(SessionMiddleware, secret_key=KEY, store_url="memory:")
        client = TestClient(outer)
        client.get("/in/do/set")
        assert client.get("/do/all").json()["session"]["user"] == "ann"


# -- signed cookies ----------------------------------------------------------------------------------------------------


def signed(content: Any, key: str = KEY, *, raw: bytes | None = None) -> str:
    data = base64.b64encode(json.dumps(content).encode() if raw is None else raw)
    return itsdangerous.TimestampSigner(key).sign(data).decode()


def migrating(cookie: str | None, *, until: datetime | None = SOON, **options: Any) -> TestClient:
    client = ours(signed_cookies_until=until, **options)
    if cookie is not None:
        client.cookies.set("session", cookie)
    return client


def content_of(client: TestClient) -> Any:
    return client.get("/do/all").json()["session"]


def beside(other: TestClient, cookie: str) -> TestClient:
    """Another browser at the same application."""
    client = TestClient(other.app, base_url="https://testserver")
    client.cookies.set("session", cookie)
    return client


def newest(client: TestClient) -> str:
    """The cookie that came last: the client keeps one that was given without a domain beside that of a response."""
    return [cookie.value or "" for cookie in client.cookies.jar if cookie.name == "session"][-1]


class TestTakingOver:
    def test_what_starlette_has_signed_is_in_our_session_and_the_cookie_is_ours(self) -> None:
        before = theirs()
        before.get("/do/set")
        client = migrating(before.cookies["session"])
        assert content_of(client) == {"user": "ann", "visits": 1}
        values = [SimpleCookie(f"session={cookie.value}") for cookie in client.cookies.jar if cookie.name == "session"]
        assert all("." not in each["session"].value for each in values[-1:])
        client.get("/do/count")
        assert content_of(client) == {"user": "ann", "visits": 2}

    def test_the_response_replaces_the_cookie_under_its_own_name(self) -> None:
        response = migrating(signed({"user": "ann"})).get("/do/read")
        [cookie] = cookies(response)
        assert cookie == cookies(theirs().get("/do/set"))[0]

    def test_reading_counts_as_no_change(self) -> None:
        assert migrating(signed({"user": "ann"})).get("/do/read").json()["flags"] == [True, False]

    def test_a_route_that_does_not_look_takes_over_too_and_loses_nothing(self) -> None:
        client = migrating(signed({"user": "ann"}))
        assert "set-cookie" in client.get("/untouched").headers
        assert content_of(client) == {"user": "ann"}

    def test_the_application_still_sees_its_own_headers(self) -> None:
        client = migrating(signed({"user": "ann"}))
        ACTIONS["cookies"] = lambda request: request.session.__setitem__("old", "." in request.cookies["session"])
        client.get("/do/cookies")
        assert content_of(client)["old"] is True

    async def test_requests_at_the_same_time_get_one_session(self) -> None:
        app = make_app(SessionMiddleware, store_url="memory:", signed_cookies_until=SOON)
        cookie = signed({"user": "ann", "visits": 0})
        headers = {"cookie": f"other=1; session={cookie}"}
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=app), base_url="https://testserver", headers=headers
        ) as client:
            responses = await asyncio.gather(*(client.get("/do/read") for _ in range(20)))
        told = [
            line for each in responses for line in each.headers.get_list("set-cookie") if line.startswith("session=")
        ]
        assert len(told) == 1

    @pytest.mark.parametrize("max_age", [None, 3600])
    @pytest.mark.parametrize("first", ["intruder", "victim", "login"])
    def test_a_planted_cookie_shows_nothing_after_the_login(self, first: str, max_age: int | None) -> None:
        """S-06, S-75: as with Starlette's own, where the cookie of before the login never shows what came after it."""
        planted = signed({"cart": ["tea"]})
        intruder = migrating(planted, max_age=max_age)
        victim = beside(intruder, planted)
        if first == "intruder":
            assert content_of(intruder) == {"cart": ["tea"]}
        if first == "victim":
            assert content_of(victim) == {"cart": ["tea"]}
            response = intruder.get("/do/all")
            assert response.json()["session"] == {"cart": ["tea"]}
            assert cookies(response) == []
        known = newest(victim)
        assert cookies(victim.get("/do/set")) != []
        assert newest(victim) not in {known, newest(intruder)}
        for thief in (beside(intruder, newest(intruder)), beside(intruder, planted)):
            response = thief.get("/do/all")
            assert (response.json()["session"], response.headers.get_list("set-cookie")) == ({}, [])
        assert content_of(victim)["user"] == "ann"

    def test_a_login_at_a_server_that_has_taken_nothing_over_gives_a_new_id(self, shared_server: RawServer) -> None:
        with (
            migrating(signed({"cart": []}), store_url=shared_server.url) as one,
            ours(store_url=shared_server.url, signed_cookies_until=SOON) as other,
        ):
            one.get("/do/read")
            told = newest(one)
            other.cookies.set("session", told)
            other.get("/do/set")
            assert newest(other) != told
            assert content_of(one) == {}

    def test_a_cookie_with_an_age_is_not_renewed_for_who_was_not_told(self) -> None:
        """Starlette's says the age again with every change."""
        planted = signed({"cart": ["tea"]})
        told = migrating(planted, max_age=3600)
        untold = beside(told, planted)
        assert len(cookies(told.get("/do/count"))) == 1
        for action in ("count", "mark"):
            response = untold.get(f"/do/{action}")
            assert (cookies(response), len(cookies(response, "session-v"))) == ([], 1)
        assert content_of(told)["visits"] == 2

    def test_whose_a_session_is_says_what_a_login_is(self) -> None:
        planted = signed({"who": "eve"})
        intruder = migrating(planted, user_of=lambda values: values.get("who"))
        ACTIONS["who"] = lambda request: request.session.__setitem__("who", "ann")
        ACTIONS["principal"] = lambda request: request.session.__setitem__("is", request.session.principal)
        victim = beside(intruder, planted)
        intruder.get("/do/principal")
        assert content_of(intruder)["is"] == "eve"
        victim.get("/do/set")
        assert newest(victim) == planted
        victim.get("/do/who")
        assert newest(victim) not in {planted, newest(intruder)}
        assert content_of(intruder) == {}

    @pytest.mark.parametrize("action", ["logout", "clear"])
    def test_who_logs_out_is_not_brought_back_by_the_old_cookie(self, action: str) -> None:
        """S-75."""
        old = signed({"user": "ann"})
        client = migrating(old)
        assert content_of(client) == {"user": "ann"}
        client.get(f"/do/{action}")
        client.cookies.clear()
        client.cookies.set("session", old)
        assert content_of(client) == {}

    @pytest.mark.parametrize("action", ["logout", "clear"])
    def test_a_logout_as_the_first_request_removes_the_old_cookie_too(self, action: str) -> None:
        old = signed({"user": "ann"})
        client = migrating(old)
        response = client.get(f"/do/{action}")
        assert seen(response)["cookie"] == ["removed"]
        client.cookies.clear()
        client.cookies.set("session", old)
        assert content_of(client) == {}

    def test_the_session_of_an_id_goes_before_an_old_cookie(self) -> None:
        client = migrating(None)
        client.get("/do/set")
        cookie = f"session={client.cookies['session']}; session={signed({'user': 'eve'})}"
        client.cookies.clear()
        assert client.get("/do/all", headers={"cookie": cookie}).json()["session"]["user"] == "ann"

    @pytest.mark.parametrize(
        "cookie",
        [
            pytest.param(signed({"user": "ann"})[:-2] + "xx", id="tampered"),
            pytest.param(signed({"user": "ann"}, "another key"), id="of another key"),
            pytest.param(base64.b64encode(b'{"user": "ann"}').decode() + ".a.b", id="without a signature"),
            pytest.param(signed(None, raw=b"{"), id="no JSON"),
            pytest.param(signed(None, raw=b"\xff\xfe"), id="no text"),
            pytest.param(signed(["user"]), id="no object"),
            pytest.param(signed({}), id="empty"),
            pytest.param(itsdangerous.TimestampSigner(KEY).sign(b"a").decode(), id="no base64"),
        ],
    )
    def test_what_is_not_genuine_is_nothing(self, cookie: str) -> None:
        client = migrating(cookie)
        response = client.get("/do/all")
        assert response.json()["session"] == {}
        assert "set-cookie" not in response.headers

    def test_what_is_too_old_is_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with monkeypatch.context() as then:
            then.setattr(itsdangerous.TimestampSigner, "get_timestamp", lambda self: 1_700_000_000)
            old = signed({"user": "ann"})
        assert content_of(migrating(old)) == {}
        assert content_of(migrating(old, max_age=None)) == {"user": "ann"}

    def test_after_the_date_and_without_one_nothing_is_read(self) -> None:
        old = signed({"user": "ann"})
        assert content_of(migrating(old, until=None)) == {}
        assert content_of(migrating(old, until=datetime.now(UTC) - timedelta(seconds=1))) == {}

    def test_an_age_of_nothing_reads_nothing(self) -> None:
        assert content_of(migrating(signed({"user": "ann"}), max_age=0)) == {}

    def test_a_date_without_a_time_zone_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="time zone"):
            alone(signed_cookies_until=datetime(2030, 1, 1))  # noqa: DTZ001 - that is the case

    def test_what_cannot_be_stored_is_left_out_and_said(self, caplog: pytest.LogCaptureFixture) -> None:
        importer._log._lines.clear()
        client = migrating(signed({"user": "ann", "": 1, "half": "\ud800"}))
        with caplog.at_level(logging.WARNING, "wsgessions.takeover"):
            assert content_of(client) == {"user": "ann"}
        assert any(record.__dict__.get("event") == "left_out" for record in caplog.records)

    def test_a_websocket_brings_its_session_too(self) -> None:
        client = migrating(signed({"user": "ann"}))
        with client.websocket_connect("wss://testserver/ws") as websocket:
            assert websocket.receive_json() == {"user": "ann"}

    def test_two_servers_bring_it_once(self, shared_server: RawServer) -> None:
        old, url = signed({"user": "ann", "visits": 1}), shared_server.url
        with migrating(old, store_url=url) as one, migrating(old, store_url=url) as other:
            one.get("/do/count")
            assert content_of(other)["visits"] == 2
            one.get("/do/logout")
            other.cookies.clear()
            other.cookies.set("session", old)
            assert content_of(other) == {}

    def test_a_store_out_of_reach_is_a_503_and_the_old_cookie_works_afterwards(self, shared_server: RawServer) -> None:
        """F-00a."""
        client = migrating(signed({"user": "ann"}), store_url="valkey://127.0.0.1:1", nonstop_timeout="200ms")
        response = client.get("/do/all")
        assert (response.status_code, response.headers.get_list("set-cookie")) == (503, [])
        assert client.get("/untouched").status_code == 200
        close(client)
        with migrating(client.cookies["session"], store_url=shared_server.url) as healthy:
            assert content_of(healthy) == {"user": "ann"}

    def test_without_itsdangerous_it_is_said_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "itsdangerous", None)
        monkeypatch.delitem(sys.modules, "wsgessions_starlette.signed_cookies", raising=False)
        with pytest.raises(ConfigError, match="pip install itsdangerous"):
            alone(signed_cookies_until=SOON)
        assert migrating(None, until=None).get("/do/all").status_code == 200
