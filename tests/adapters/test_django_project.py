"""What a Django project says about sessions: its settings, checks and commands, and how it is served."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any, cast

import httpx2
import pytest
from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import SessionBase
from django.core.asgi import get_asgi_application
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpRequest
from django.test import AsyncClient, Client, override_settings
from django.test.utils import isolate_apps
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.adapters.django_project import configure
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import Session, SessionManager, SessionMiddleware, SessionSettings, install
from wsgessions.errors import ConfigError, WsgessionsError
from wsgessions.settings.assurance import ASSURANCE_LIMITS
from wsgessions.store.capabilities import Countable
from wsgessions.testing.adapters.client import BASE_URL
from wsgessions.testing.adapters.watched_store import WatchedStore
from wsgessions.web import ASGIApp
from wsgessions_django import DjangoAdapter, SessionStore, checks, get_session
from wsgessions_django.asgi import Call, wrap
from wsgessions_django.configuration import current_manager, settings_of_project, use_manager
from wsgessions_django.stock import STOCK_MIDDLEWARE

__all__ = ["shared_server"]

configure()

OURS = "wsgessions_django.SessionMiddleware"
VIEWS = "tests.adapters.django_views"


@pytest.fixture(autouse=True)
def site() -> Iterator[None]:
    with override_settings(ROOT_URLCONF=VIEWS, MIDDLEWARE=[OURS], WSGESSIONS={"store_url": "memory:"}):
        yield


def django_app() -> ASGIApp:
    return cast("ASGIApp", get_asgi_application())


async def get(app: ASGIApp, *paths: str) -> list[httpx2.Response]:
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        return [await client.get(path) for path in paths]


# -- settings ----------------------------------------------------------------------------------------------------------


def test_what_the_project_leaves_alone_is_as_safe_as_elsewhere() -> None:
    """S-20. How long a session and its cookie last is Django's, as before the move."""
    settings = current_manager().settings
    cookie = settings.cookie
    assert (cookie.name, cookie.secure, cookie.httponly, cookie.samesite) == ("__Host-sid", True, True, "lax")
    assert cookie.max_age == settings.max_inactive_interval.total_seconds() == 1209600
    assert settings.absolute_timeout.days == 400
    assert django_settings.SESSION_COOKIE_NAME == "__Host-sid", "told, for Django's test client and whoever asks"


def test_code_goes_before_the_project_and_that_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WSGESSIONS_NAMESPACE", "environment")
    monkeypatch.setenv("WSGESSIONS_LATE_COMMIT", "refuse")
    ours = {"namespace": "project", "cookie": {"samesite": "strict"}, "store_url": "memory:"}
    with override_settings(WSGESSIONS=ours, SESSION_COOKIE_NAME="__Host-shop", SESSION_COOKIE_SAMESITE="None"):
        chosen = settings_of_project()
        assert (chosen.namespace, chosen.late_commit) == ("project", "refuse")
        assert (chosen.cookie.name, chosen.cookie.samesite) == ("__Host-shop", "strict")
        assert chosen.origin("namespace") == "Django's setting WSGESSIONS"
        assert chosen.origin("cookie.name") == "Django's setting SESSION_COOKIE_NAME"
        by_code = settings_of_project(SessionSettings(namespace="code", cookie={"name": "__Host-code"}))
        assert (by_code.namespace, by_code.cookie.name, by_code.cookie.samesite) == ("code", "__Host-code", "strict")
        assert settings_of_project(None, {"namespace": "override"}).namespace == "override"


def test_an_age_never_exceeds_an_absolute_timeout_that_is_set() -> None:
    with override_settings(SESSION_COOKIE_AGE=1209600, WSGESSIONS={"absolute_timeout": "7d", "store_url": "memory:"}):
        chosen = settings_of_project()
        assert chosen.max_inactive_interval.days == chosen.absolute_timeout.days == 7


@pytest.mark.parametrize(
    ("debug", "words", "other"),
    [
        (True, {}, "sid"),
        (False, {}, None),
        (True, {"SESSION_COOKIE_SECURE": True}, None),
        (True, {"SESSION_COOKIE_SECURE": False}, None),
        (False, {"WSGESSIONS": {"store_url": "memory:", "cookie": {"insecure": True}}}, None),
    ],
)
def test_while_it_is_debugged_plain_http_has_a_cookie_of_its_own(
    debug: bool, words: dict[str, Any], other: str | None
) -> None:
    """S-24, S-25: a project in use may be behind a proxy with TLS, and get its requests over plain http."""
    with override_settings(DEBUG=debug, **words):
        plain = settings_of_project().plain_http_cookie
        assert (plain and plain.name) == other


@pytest.mark.parametrize("assurance", ["aal2", "aal3"])
def test_an_age_never_exceeds_an_assurance(assurance: str) -> None:
    """S-53."""
    with override_settings(SESSION_COOKIE_AGE=1209600, WSGESSIONS={"assurance": assurance, "store_url": "memory:"}):
        chosen = settings_of_project()
        limit = ASSURANCE_LIMITS[assurance]
        assert (chosen.max_inactive_interval, chosen.absolute_timeout) == (limit.idle, limit.absolute)


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ({"DOMAIN": ".example.org"}, {"name": "__Secure-sid", "domain": "example.org"}),
        ({"DOMAIN": ""}, {"name": "__Host-sid", "domain": None}),
        ({"PATH": "/shop"}, {"name": "__Secure-sid", "path": "/shop"}),
        ({"PATH": "/shop", "SECURE": False}, {"name": "sid", "path": "/shop"}),
        ({"PATH": "/shop", "NAME": "shop"}, {"name": "shop", "path": "/shop"}),
        ({"SAMESITE": False}, {"samesite": "off"}),
        ({"SAMESITE": "Strict"}, {"samesite": "strict"}),
        ({"AGE": 401 * 86_400}, {"max_age": 400 * 86_400}),
    ],
)
def test_what_django_takes_has_djangos_meaning(words: dict[str, Any], meant: dict[str, Any]) -> None:
    with override_settings(**{f"SESSION_COOKIE_{word}": value for word, value in words.items()}):
        cookie = settings_of_project().cookie
        assert {name: getattr(cookie, name) for name in meant} == meant
        if not {"AGE", "SECURE"} & words.keys():  # nor does it contradict a manager with such a cookie
            same: Any = cookie.model_dump(exclude={"max_age"})
            wrap(django_app(), manager=SessionManager(store_url="memory:", cookie=same))


@pytest.mark.parametrize(
    ("ours", "problem"),
    [
        ({"nmespace": "x"}, "did you mean 'namespace'"),
        ({"cookie": {"samesite": "lxa"}}, "'cookie.samesite' .from Django's setting WSGESSIONS"),
        ("memory:", "expected a dict"),
    ],
    ids=["name", "value", "no dict"],
)
def test_a_wrong_setting_names_itself_and_where_it_stands(ours: Any, problem: str) -> None:
    """R-07."""
    with override_settings(WSGESSIONS=ours):
        with pytest.raises(ConfigError, match=problem):
            SessionStore()
        with pytest.raises(ConfigError, match=problem):
            Client().get("/sync/show")


def test_settings_that_a_given_manager_makes_void_are_refused() -> None:
    """R-07."""
    manager = SessionManager(store_url="memory:")
    with (
        override_settings(SESSION_COOKIE_NAME="shop"),
        pytest.raises(ConfigError, match="a manager is given") as caught,
    ):
        wrap(django_app(), manager=manager)
    assert (caught.value.setting, caught.value.origin) == ("cookie.name", "Django's setting SESSION_COOKIE_NAME")
    with override_settings(SESSION_COOKIE_SAMESITE="Lax"):
        wrap(django_app(), manager=manager)
    for make in (wrap, lambda _, **given: DjangoAdapter(**given)):
        with pytest.raises(ConfigError, match="a manager is given"):
            make(django_app(), manager=manager, store_url="memory:")


# -- how it is served --------------------------------------------------------------------------------------------------


def test_the_adapter_is_found_by_the_class_of_the_application() -> None:
    app = install(django_app(), store_url="memory:")
    assert isinstance(app, SessionMiddleware)
    assert current_manager() is app.manager
    assert not DjangoAdapter.fits(object())


async def test_the_adapter_is_chosen_by_its_name_too_and_the_projects_settings_are_in_force() -> None:
    with override_settings(SESSION_COOKIE_NAME="__Host-shop"):
        for name in ("django", "DjangoAdapter", "wsgessions_django:DjangoAdapter"):
            first, second = await get(install(django_app(), adapter=name), "/async/put/color", "/sync/show")
            assert [field.partition("=")[0] for field in first.headers.get_list("set-cookie")] == [
                "__Host-shop-v",
                "__Host-shop",
            ]
            assert second.json() == {"color": "color"}


def test_what_cannot_be_wrapped_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pass get_asgi_application\(\)"):
        DjangoAdapter().install(cast("ASGIApp", get_wsgi_application()))
    with override_settings(MIDDLEWARE=[STOCK_MIDDLEWARE]), pytest.raises(ConfigError, match="commit a second time"):
        wrap(django_app())


def test_a_django_that_is_too_old_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions.framework_versions.version", lambda _: "4.2.1")
    with pytest.raises(ConfigError, match=r"django 4\.2\.1 .*5\.2"):
        DjangoAdapter().install(django_app())


async def test_a_call_that_was_cancelled_takes_no_more_tasks() -> None:
    """S-54: those that Django leaves behind end at their next step, or at once."""
    call = Call(current_manager())
    call.tasks.enter()
    waiting = asyncio.Event()

    async def left_behind() -> None:
        call.tasks.enter()
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(left_behind())
    await waiting.wait()
    await call.tidy()
    assert task.cancelled()
    with pytest.raises(asyncio.CancelledError):
        call.tasks.enter()


async def test_installed_twice_the_first_stays(caplog: pytest.LogCaptureFixture) -> None:
    """R-50."""
    app = wrap(django_app())
    assert wrap(app) is app
    said = [record for record in caplog.records if record.name == "wsgessions.adapter"]
    assert [record.__dict__["event"] for record in said] == ["installed_twice"]
    assert len((await get(app, "/sync/put/color"))[0].headers.get_list("set-cookie")) == 2


async def test_lifespans_of_an_application_in_front_of_django_are_its_own() -> None:
    """Finding 8: only where nobody answers is Django answered for."""
    events: list[str] = []

    async def router(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await django_app()(scope, receive, send)
            return
        for _ in range(2):
            kind = (await receive())["type"]
            events.append(kind)
            await send({"type": f"{kind}.complete"})

    for app in (router, django_app()):
        assert await lifespan_of(wrap(app)) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert events == ["lifespan.startup", "lifespan.shutdown"]


async def test_an_application_that_fails_to_start_is_not_answered_for() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await lifespan_of(wrap(failing))


async def lifespan_of(app: ASGIApp) -> list[str]:
    messages = iter(["lifespan.startup", "lifespan.shutdown"])
    sent: list[str] = []

    async def receive() -> Any:
        return {"type": next(messages)}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    with suppress(WsgessionsError):  # raised after the server was notified
        await app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
    return sent


async def show(request: Request) -> Response:
    return JSONResponse(dict(request.scope["session"]))


@pytest.mark.parametrize("shared", [True, False])
async def test_mounted_in_another_application_it_has_the_same_session_or_its_own(shared: bool) -> None:
    """R-49: the same where the settings are, one load and one set of cookies; else each its own."""
    store = WatchedStore(current_manager().store)
    use_manager(SessionManager(current_manager().settings, store=store))
    other = current_manager() if shared else SessionManager(store_url="memory:", cookie={"name": "__Host-other"})
    site = Starlette(routes=[Route("/show", show), Mount("/shop", django_app())])
    app = SessionMiddleware(site, manager=other)
    put, seen, outside = await get(app, "/shop/async/put/color", "/shop/sync/show", "/show")
    assert sorted(field.partition("=")[0] for field in put.headers.get_list("set-cookie")) == [
        "__Host-sid",
        "__Host-sid-v",
    ]
    assert seen.json() == {"color": "color"}
    assert outside.json() == ({"color": "color"} if shared else {})
    assert (store.calls["create"], store.calls["apply"]) == (1, 0)


async def test_a_session_of_another_kind_in_the_scope_is_left_alone() -> None:
    """R-50: Django's is not in the scope, so the two do not mix."""

    async def foreign(scope: Any, receive: Any, send: Any) -> None:
        scope["session"] = {"foreign": True}
        await django_app()(scope, receive, send)
        assert scope["session"] == {"foreign": True}

    _, seen = await get(foreign, "/async/put/color", "/async/show")
    assert seen.json() == {"color": "color"}


async def test_a_start_without_the_store_fails_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """R-45."""
    monkeypatch.setattr("wsgessions.web.lifespan.START_SECONDS", 0.2)
    assert await lifespan_of(wrap(django_app(), store_url="valkey://127.0.0.1:1")) == ["lifespan.startup.failed"]


def test_who_asks_for_a_session_where_none_is_hears_how_to_have_one() -> None:
    with pytest.raises(ConfigError, match=r"put .wsgessions_django\.SessionMiddleware. into MIDDLEWARE"):
        get_session(HttpRequest())


def test_the_session_of_typed_code_is_the_same_one(monkeypatch: pytest.MonkeyPatch) -> None:
    request = HttpRequest()
    request.session = SessionStore()
    request.session["color"] = "red"
    session = get_session(request)
    assert isinstance(session, Session)
    assert session == {"color": "red"}


# -- Django's own middleware over our engine ---------------------------------------------------------------------------


@pytest.fixture(params=["memory", "valkey"])
def stock(request: pytest.FixtureRequest, shared_server: RawServer) -> Iterator[SessionManager]:
    url = "memory:" if request.param == "memory" else shared_server.url
    with override_settings(MIDDLEWARE=[STOCK_MIDDLEWARE], WSGESSIONS={"store_url": url, "namespace": "stock"}):
        django_settings.SESSION_COOKIE_NAME = "sessionid"
        manager = current_manager()
        yield manager
        asyncio.run(manager.close())


def test_djangos_own_middleware_works_with_the_id_alone(stock: SessionManager) -> None:
    client = Client()
    response: Any = client.get("/sync/put/color")
    assert set(response.cookies) == {"sessionid"}
    assert client.get("/sync/append/tea").json() == {"color": "color", "cart": {"lines": ["tea"]}}
    assert client.get("/async/append/milk").json()["cart"] == {"lines": ["tea", "milk"]}
    response = client.get("/sync/show")
    assert dict(response.cookies) == {}
    old = client.cookies["sessionid"].value
    assert client.get("/sync/cycle/user").content.decode() == client.cookies["sessionid"].value != old
    assert not SessionStore().exists(old)
    client.get("/sync/flush")
    assert client.get("/sync/show").json() == {}


def test_djangos_own_middleware_works_in_an_async_stack(stock: SessionManager) -> None:
    async def use() -> None:
        client = AsyncClient()
        for name in ("color", "size"):
            assert (await client.get(f"/async/put/{name}")).status_code == 200
        assert (await client.get("/async/show")).json() == {"color": "color", "size": "size"}
        assert (await client.get("/sync/show")).json() == {"color": "color", "size": "size"}

    asyncio.run(use())


def test_each_request_is_one_conditional_read_there(stock: SessionManager) -> None:
    store = WatchedStore(stock.store)
    use_manager(SessionManager(stock.settings, store=store))
    client = Client()
    client.get("/sync/put/color")
    store.forget()
    client.get("/sync/show")
    client.get("/sync/untouched")
    assert dict(store.calls) == {"load": 1}


def test_djangos_own_middleware_interrupts_what_has_ended_elsewhere(stock: SessionManager) -> None:
    client = Client()
    client.get("/sync/put/color")
    with override_settings(
        MIDDLEWARE=[STOCK_MIDDLEWARE, f"{VIEWS}.ending_meanwhile"], WSGESSIONS=django_settings.WSGESSIONS
    ):
        use_manager(stock)
        slow = Client()
        slow.cookies = client.cookies
        answer = slow.get("/sync/put/size", headers={"x-ends-meanwhile": "yes"})
    assert answer.status_code == 400
    assert b"SessionInterrupted" in answer.content


def test_djangos_own_middleware_deletes_no_cookie_when_the_store_is_down(stock: SessionManager) -> None:
    """F-00a: Django's cache engine would log everybody out."""
    store = WatchedStore(stock.store)
    use_manager(SessionManager(stock.settings, store=store))
    client = Client(raise_request_exception=False)
    client.get("/sync/put/color")
    store.stopped = True
    for path in ("/sync/show", "/sync/put/size", "/sync/flush"):
        answer: Any = client.get(path)
        assert (answer.status_code, answer.cookies) == (500, {})
    store.stopped = False
    assert client.get("/sync/show").json() == {"color": "color"}


# -- checks ------------------------------------------------------------------------------------------------------------


AUTH = "django.contrib.auth.middleware.AuthenticationMiddleware"
CSRF = "django.middleware.csrf.CsrfViewMiddleware"
SAFE = {"WSGESSIONS": {"store_url": "valkey://localhost"}}


@pytest.mark.parametrize("layers", [[STOCK_MIDDLEWARE, OURS], [OURS, STOCK_MIDDLEWARE]], ids=["before", "after"])
def test_djangos_own_middleware_beside_ours_fails_the_start(layers: list[str]) -> None:
    """R-50: also under a server that runs no checks. Each would commit, and give a cookie of its own."""
    with override_settings(MIDDLEWARE=layers), pytest.raises(ConfigError, match=STOCK_MIDDLEWARE.replace(".", r"\.")):
        get_wsgi_application()


class OtherEngine:
    class SessionStore(SessionBase):
        pass


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, ["W003"]),
        (SAFE, []),
        ({"DEBUG": True}, []),
        ({**SAFE, "WSGESSIONS": {"nmespace": "x"}}, ["E001"]),
        ({**SAFE, "SESSION_COOKIE_PATH": "/shop"}, ["I002"]),
        ({**SAFE, "SESSION_COOKIE_PATH": "/shop", "SESSION_COOKIE_NAME": "__Secure-shop"}, []),
        ({**SAFE, "MIDDLEWARE": []}, ["E002"]),
        ({**SAFE, "SESSION_ENGINE": "django.contrib.sessions.backends.db"}, ["E003"]),
        ({**SAFE, "SESSION_ENGINE": "no.such.module"}, ["E003"]),
        ({**SAFE, "MIDDLEWARE": [OURS, STOCK_MIDDLEWARE]}, ["E004"]),
        ({**SAFE, "MIDDLEWARE": [OURS, OURS]}, ["E004"]),
        ({**SAFE, "MIDDLEWARE": [AUTH, OURS]}, ["E005"]),
        ({**SAFE, "MIDDLEWARE": [CSRF, OURS, AUTH]}, []),
        ({**SAFE, "MIDDLEWARE": [CSRF, OURS, AUTH], "CSRF_USE_SESSIONS": True}, ["E005"]),
        ({**SAFE, "MIDDLEWARE": [STOCK_MIDDLEWARE]}, ["W001"]),
        ({**SAFE, "MIDDLEWARE": [OURS, "no.such.Middleware", f"{VIEWS}.ending_meanwhile"]}, []),
        ({**SAFE, "SESSION_COOKIE_SECURE": False}, ["W002"]),
        ({**SAFE, "SESSION_COOKIE_SECURE": False, "DEBUG": True}, []),
        ({**SAFE, "SESSION_CACHE_ALIAS": "default"}, ["W004"]),
        ({"SESSION_ENGINE": "django.contrib.sessions.backends.db", "MIDDLEWARE": [STOCK_MIDDLEWARE]}, []),
    ],
    ids=str,
)
def test_a_check_finds_what_is_wrong(changed: dict[str, Any], found: list[str]) -> None:
    with override_settings(**changed):
        told = run_checks(tags=["wsgessions"])
    assert [message.id for message in told] == [f"wsgessions.{each}" for each in found]
    assert all(message.msg for message in told)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, ["W006"]),
        ({"id_length": 41}, ["W006"]),
        ({"id_length": 40}, []),
        ({"id_length": 1}, ["E001"]),
    ],
    ids=str,
)
def test_a_column_that_is_too_short_for_an_id_is_found(
    settings: dict[str, Any], found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of packages that list a user's sessions; the model of Django's own engine is not used."""
    from django.contrib.sessions.base_session import AbstractBaseSession

    def make_model(name: str, base: type = models.Model, /, **columns: models.Field[Any, Any]) -> None:
        type(name, (base,), {**columns, "__module__": __name__, "Meta": type("Meta", (), {"app_label": "auth"})})

    with isolate_apps("django.contrib.auth") as registry:
        make_model("Device", session_key=models.CharField(max_length=40), name=models.CharField(max_length=10))
        make_model("Visit", session_key=models.TextField())
        make_model("Order", session_key=models.CharField(max_length=86))
        make_model("StockSession", AbstractBaseSession)
    monkeypatch.setattr(checks, "apps", registry)
    with override_settings(WSGESSIONS={**SAFE["WSGESSIONS"], **settings}):
        told = run_checks(tags=["wsgessions"])
    assert [message.id for message in told] == [f"wsgessions.{each}" for each in found]
    assert found != ["W006"] or "auth.Device.session_key has room for 40" in told[0].msg


@pytest.mark.parametrize("asgi", [True, False])
def test_a_project_that_is_served_by_wsgi_is_told_what_it_misses(asgi: bool) -> None:
    with override_settings(
        WSGI_APPLICATION="site.wsgi.application", ASGI_APPLICATION="site.asgi.application" if asgi else None, **SAFE
    ):
        told = run_checks(tags=["wsgessions"], include_deployment_checks=True)
    assert [message.id for message in told] == ([] if asgi else ["wsgessions.I001"])


def test_a_middleware_without_our_engine_says_so() -> None:
    with (
        override_settings(SESSION_ENGINE="django.contrib.sessions.backends.db"),
        pytest.raises(ConfigError, match='this middleware needs SESSION_ENGINE = "wsgessions_django"'),
    ):
        Client().get("/sync/show")


# -- commands ----------------------------------------------------------------------------------------------------------


def test_the_command_line_has_the_projects_settings(capsys: pytest.CaptureFixture[str]) -> None:
    with override_settings(SESSION_COOKIE_NAME="__Host-shop"), pytest.raises(SystemExit) as end:
        call_command("wsgessions", "config", "show", "--origin")
    assert end.value.code == 0
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert ["cookie.name", "__Host-shop", "Django's setting SESSION_COOKIE_NAME"] in lines
    assert ["store_url", "memory:", "Django's setting WSGESSIONS"] in lines


def test_the_doctor_runs_the_checks_and_asks_the_store(shared_server: RawServer) -> None:
    told = StringIO()
    with override_settings(WSGESSIONS={"store_url": shared_server.url, "namespace": "doctor"}):
        SessionStore().save()
        call_command("wsgessions", "doctor", stdout=told)
        assert isinstance(current_manager().store, Countable)
        asyncio.run(current_manager().close())
    in_force, answer = told.getvalue().splitlines()
    assert in_force.startswith(f"ok    the settings are valid: store {shared_server.url}, namespace doctor, context /")
    assert answer == f"ok    the store answers: {shared_server.url}, 1 sessions"


def test_each_check_speaks_once_however_often_the_apps_are_set_up() -> None:
    """As in a suite whose tests override INSTALLED_APPS."""
    with override_settings(INSTALLED_APPS=["wsgessions_django", "django.contrib.sessions"], MIDDLEWARE=[]):
        assert [each.id for each in run_checks(tags=["wsgessions"])].count("wsgessions.E002") == 1


def test_the_doctor_says_what_is_wrong() -> None:
    told = StringIO()
    with override_settings(MIDDLEWARE=[]), pytest.raises(CommandError, match="the checks have found errors"):
        call_command("wsgessions", "doctor", stdout=told)
    assert "fail  ?: (wsgessions.E002)" in told.getvalue()
    out_of_reach = {"store_url": "valkey://127.0.0.1:1", "nonstop_timeout": "200ms"}
    with override_settings(WSGESSIONS=out_of_reach), pytest.raises(CommandError, match="the store: ") as caught:
        call_command("wsgessions", "doctor", stdout=told)
    assert caught.value.returncode == 3
    with override_settings(WSGESSIONS={"nmespace": "x"}), pytest.raises(CommandError, match="did you mean") as caught:
        call_command("wsgessions", "config", "show")
    assert caught.value.returncode == 2


def test_clearing_sessions_is_explained_and_for_other_engines_done() -> None:
    told = StringIO()
    with override_settings(INSTALLED_APPS=["wsgessions_django", "django.contrib.sessions"]):
        call_command("clearsessions", stdout=told)
        with override_settings(SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies"):
            call_command("clearsessions", stdout=told)
    assert told.getvalue() == "Nothing to clear: the store removes expired sessions by itself.\n"
