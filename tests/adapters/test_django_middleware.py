"""The middleware, over WSGI, over ASGI alone, and inside the adapter; with sync views and with async ones."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import caches
from django.http import HttpRequest
from django.test import AsyncRequestFactory, override_settings

from tests.adapters.diagnoses import BROWSER, observe_at_once
from tests.adapters.django_stores import manager, shared_server
from tests.adapters.django_visitors import KINDS, Answer, Visitor, views, visitor
from tests.record.test_clock import Times
from wsgessions import SessionManager
from wsgessions.internal.last_resort import START_LOGGER
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.adapters.watched_store import WatchedStore
from wsgessions_django.configuration import current_manager, use_manager

__all__ = ["manager", "shared_server", "views", "visitor"]

SITE = {
    "MIDDLEWARE": ["wsgessions_django.SessionMiddleware", "tests.adapters.django_views.ending_meanwhile"],
    "ROOT_URLCONF": "tests.adapters.django_views",
}

SESSIONS = {"max_inactive_interval": "30m"}
"""The project says itself how long sessions last, so that no lifetime of Django's is in force."""

pytestmark = pytest.mark.usefixtures("manager")


@pytest.fixture
def store(manager: SessionManager) -> WatchedStore:
    """The store, watched."""
    watched = WatchedStore(manager.store)
    use_manager(SessionManager(manager.settings, store=watched))
    return watched


def attributes(cookie: str) -> set[str]:
    return set(cookie.split("; ")[1:])


# -- the client's cookies ----------------------------------------------------------------------------------------------


def test_a_new_session_is_given_by_two_cookies(visitor: Visitor, views: str) -> None:
    """S-20, S-40, S-41."""
    answer = visitor.get(f"/{views}/put/color")
    assert set(answer.cookies) == {"__Host-sid", "__Host-sid-v"}
    for cookie in answer.cookies.values():
        assert attributes(cookie) == {"Path=/", "Secure", "HttpOnly", "SameSite=Lax"}
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Cookie", "no-store")
    assert visitor.json(f"/{views}/show") == {"color": "color"}


def test_reads_set_no_cookie_and_writes_raise_the_watermark(visitor: Visitor, views: str) -> None:
    """S-33, C-13."""
    visitor.get(f"/{views}/put/color")
    for _ in range(3):
        answer = visitor.get(f"/{views}/show")
        assert (answer.cookies, answer.headers["vary"]) == ({}, "Cookie")
    answer = visitor.get(f"/{views}/put/size")
    assert set(answer.cookies) == {"__Host-sid-v"}
    assert answer.headers["cache-control"] == "private, no-cache"


def test_an_untouched_view_costs_no_header_and_at_most_a_load(
    store: WatchedStore, visitor: Visitor, views: str
) -> None:
    """R-30."""
    for known in (False, True):
        store.forget()
        answer = visitor.get(f"/{views}/untouched")
        assert answer.cookies == {}
        assert not {"vary", "cache-control"} & set(answer.headers)
        assert store.calls.total() <= store.calls["load"] <= known
        visitor.get(f"/{views}/put/color")


def test_a_read_asks_memory_or_once_the_store(store: WatchedStore, visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/put/color")
    visitor.get(f"/{views}/show")
    store.forget()
    visitor.get(f"/{views}/show")
    assert set(store.calls) <= {"load", "touch"}
    assert store.calls["load"] <= 1


def test_what_views_say_of_caches_is_merged_and_overruled(visitor: Visitor, views: str) -> None:
    """S-41: no shared cache keeps a session's response."""
    answer = visitor.get(f"/{views}/cached/color")
    assert answer.headers["cache-control"] == "no-store"
    assert "cdn-cache-control" not in answer.headers
    assert {part.strip() for part in answer.headers["vary"].split(",")} == {"Accept", "Cookie"}


def test_strays_of_a_release_without_the_domain_are_removed(visitor: Visitor, views: str) -> None:
    """S-29: two cookies of a name in one response, of which Django would keep one."""
    ours = {**django_settings.WSGESSIONS, "cookie": {"name": "__Secure-sid", "domain": "testserver.local"}}
    with override_settings(WSGESSIONS=ours):
        answer = visitor.another().get(f"/{views}/put/color", headers={"cookie": f"__Secure-sid={'A' * 43}"})
        pairs = [field.partition(";")[0] for field in answer.fields]
        removed = [field for field in answer.fields if "Max-Age=0" in field]
        assert len(pairs) == 4
        assert [field.partition(";")[0] for field in removed] == ["__Secure-sid-v=", "__Secure-sid="]
        assert [pair.partition("=")[0] for pair in pairs[2:]] == ["__Secure-sid-v", "__Secure-sid"]
        assert all("; Domain=testserver.local;" in field for field in answer.fields if field not in removed)
        assert not any("Domain" in field for field in removed)
        given = "; ".join(pair for pair in pairs if not pair.endswith("="))
        shown = visitor.another().get(f"/{views}/show", headers={"cookie": f"__Secure-sid={'A' * 43}; {given}"})
        assert shown.text == '{"color": "color"}'


def test_among_more_cookies_than_are_read_nothing_is_changed(store: WatchedStore, visitor: Visitor, views: str) -> None:
    """S-31."""
    many = {"cookie": "; ".join(f"f{index}=x" for index in range(300))}
    assert (visitor.get(f"/{views}/show", headers=many).status, store.calls.total()) == (200, 0)
    answer = visitor.get(f"/{views}/put/color", headers=many)
    assert (answer.status, answer.fields, store.calls.total()) == (431, [], 0)


def test_an_unknown_id_is_not_adopted(visitor: Visitor, views: str) -> None:
    """S-03."""
    unknown = "A" * 43
    visitor.get(f"/{views}/put/color", headers={"cookie": f"__Host-sid={unknown}"})
    assert visitor.id not in (None, unknown)


def test_nested_changes_are_kept(visitor: Visitor, views: str) -> None:
    """R-03."""
    for item in ("tea", "milk"):
        visitor.get(f"/{views}/append/{item}")
    assert visitor.json(f"/{views}/show") == {"cart": {"lines": ["tea", "milk"]}}


def test_an_id_can_be_had_before_there_is_anything_in_the_session(visitor: Visitor, views: str) -> None:
    """As many a cart does: ``if not request.session.session_key: request.session.create()``."""
    answer = visitor.get(f"/{views}/create")
    assert answer.text == visitor.id
    assert set(answer.cookies) == {"__Host-sid", "__Host-sid-v"}
    assert visitor.get(f"/{views}/create").text == visitor.id
    assert visitor.json(f"/{views}/show") == {}


def test_a_session_that_is_created_once_more_moves_to_the_new_id(visitor: Visitor, views: str) -> None:
    """S-06: no old one stays behind."""
    visitor.get(f"/{views}/put/color")
    before = visitor.copy()
    assert visitor.get(f"/{views}/create-again").text == visitor.id != before.id
    assert visitor.json(f"/{views}/show") == {"color": "color"}
    assert before.json(f"/{views}/show") == {}


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_a_new_id_is_known_at_once_and_ends_the_old_one(visitor: Visitor, views: str, known: bool) -> None:
    """S-06; who listens to logins may note the id."""
    if known:
        visitor.get(f"/{views}/put/color")
    before = visitor.copy()
    answer = visitor.get(f"/{views}/cycle/user")
    assert answer.text == visitor.id != before.id
    assert visitor.json(f"/{views}/show") == {"user": "user", **({"color": "color"} if known else {})}
    assert before.json(f"/{views}/show") == {}


def test_a_flush_ends_the_session_and_removes_the_cookies(visitor: Visitor, views: str) -> None:
    """S-32, S-54."""
    given = visitor.get(f"/{views}/put/color").cookies
    thief = visitor.copy()
    taken = visitor.get(f"/{views}/flush").cookies
    assert {name: attributes(cookie) for name, cookie in taken.items()} == {
        name: {"Max-Age=0", *attributes(cookie)} for name, cookie in given.items()
    }
    assert thief.json(f"/{views}/show") == {}
    assert visitor.get(f"/{views}/flush").cookies == {}


# -- how a request ends ------------------------------------------------------------------------------------------------


def test_a_view_that_fails_changes_nothing(visitor: Visitor, views: str) -> None:
    """R-31, R-33."""
    visitor.get(f"/{views}/put/color")
    for path in ("fail/size", "answer/502/size", "keep/size"):
        answer = visitor.get(f"/{views}/{path}")
        assert (answer.status >= 500, answer.cookies) == (True, {})
    assert visitor.json(f"/{views}/show") == {"color": "color"}
    assert visitor.another().get(f"/{views}/fail/size").cookies == {}


def test_a_flush_stays_in_force_when_the_view_fails(visitor: Visitor, views: str) -> None:
    """R-31."""
    visitor.get(f"/{views}/put/color")
    thief = visitor.copy()
    assert visitor.get(f"/{views}/flush-and-fail").status == 500
    assert thief.json(f"/{views}/show") == {}


@pytest.mark.parametrize("path", ["answer/404/size", "answer/303/size", "miss/size"])
def test_other_answers_keep_what_was_changed(visitor: Visitor, views: str, path: str) -> None:
    """R-33."""
    answer = visitor.get(f"/{views}/{path}")
    assert answer.status in {303, 404}
    assert visitor.json(f"/{views}/show") == {"size": "size"}


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_request_for_headers_creates_no_session(store: WatchedStore, visitor: Visitor, method: str) -> None:
    """R-47."""
    assert visitor.get("/sync/put/color", method).cookies == {}
    assert store.calls["create"] == 0


def test_a_session_that_ended_elsewhere_is_djangos_interruption(visitor: Visitor, views: str) -> None:
    """S-62: with a warm copy in memory; the project's page for a 400 may look at the session."""
    visitor.get(f"/{views}/put/color")
    visitor.get(f"/{views}/show")
    answer = visitor.get(f"/{views}/put/size", headers={"x-ends-meanwhile": "yes"})
    assert (answer.status, answer.text) == (400, "SessionInterrupted: []")
    assert "__Host-sid" not in answer.cookies
    assert visitor.json(f"/{views}/show") == {}


def test_a_session_that_ended_elsewhere_is_so_for_a_commit_within_the_view_too(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/put/color")
    answer = visitor.get(f"/{views}/commit", headers={"x-ends-meanwhile": "yes"})
    assert (answer.status, answer.text) == (400, "SessionInterrupted: []")
    assert visitor.get(f"/{views}/commit").status == 200
    assert visitor.json(f"/{views}/show") == {"size": "size"}


def test_a_view_may_remove_the_session_from_its_request(visitor: Visitor, views: str) -> None:
    """As with Django's own middleware, nobody fails over it; what was changed before is kept."""
    visitor.get(f"/{views}/put/color")
    assert visitor.get(f"/{views}/forget").status == 200
    assert visitor.json(f"/{views}/show") == {"color": "color", "size": "size"}
    assert visitor.get(f"/{views}/forget", headers={"x-ends-meanwhile": "yes"}).status == 200
    visitor.get(f"/{views}/put/color")


def test_an_error_that_django_lets_through_changes_nothing_and_a_flush_stays_in_force(
    visitor: Visitor, views: str
) -> None:
    """R-31: ``DEBUG_PROPAGATE_EXCEPTIONS``."""
    visitor.get(f"/{views}/put/color")
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True):
        for path, left in (("fail/size", {"color": "color"}), ("flush-and-fail", {})):
            with suppress(RuntimeError):
                visitor.get(f"/{views}/{path}")
            assert visitor.copy().json(f"/{views}/show") == left


IN_KIND = pytest.mark.parametrize(
    ("visitor", "views"),
    [("wsgi", "sync"), ("asgi", "async"), ("adapter", "async")],  # Django warns of streams in other combinations
    indirect=True,
)


@IN_KIND
def test_a_stream_that_fails_drops_what_it_has_changed(visitor: Visitor, views: str) -> None:
    """R-32."""
    visitor.get(f"/{views}/put/color")
    with suppress(RuntimeError):
        visitor.get(f"/{views}/break/size")
    assert visitor.json(f"/{views}/show") == {"color": "color"}


@IN_KIND
def test_a_stream_keeps_what_it_changes(visitor: Visitor, views: str) -> None:
    """R-37."""
    visitor.get(f"/{views}/put/color")
    assert visitor.get(f"/{views}/stream/size").text == "first last"
    assert visitor.json(f"/{views}/show") == {"color": "color", "size": "size"}


# -- trouble -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["show", "put/size", "append/tea", "flush", "cycle/user"])
def test_without_the_store_a_view_that_uses_the_session_is_answered_503(
    store: WatchedStore, visitor: Visitor, views: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F-00a: no cookie goes, and none comes. It is no error to be mailed to the administrators."""
    visitor.get(f"/{views}/put/color")
    before = visitor.id
    store.stopped = True
    for _ in range(2):
        answer = visitor.get(f"/{views}/{path}")
        assert (answer.status, answer.cookies) == (503, {})
        assert int(answer.headers["retry-after"]) > 0
    assert "django.request" not in {record.name for record in caplog.records}
    assert visitor.get(f"/{views}/untouched").status == 200
    store.stopped = False
    assert visitor.id == before
    assert visitor.json(f"/{views}/show") == {"color": "color"}


@pytest.mark.parametrize("path", ["put/size", "flush", "cycle/user"])
def test_a_commit_that_fails_is_answered_503(
    store: WatchedStore, visitor: Visitor, views: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-34: the view has done its work, and its 200 is not sent."""
    visitor.get(f"/{views}/put/color")
    for call in ("apply", "rotate", "delete"):
        monkeypatch.setattr(store, call, stopping(store, getattr(store, call)))
    answer = visitor.get(f"/{views}/{path}")
    assert (answer.status, answer.cookies) == (503, {})
    store.stopped = False
    assert visitor.json(f"/{views}/show") == {"color": "color"}


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_response_keeps_what_the_middleware_inside_says_of_any_response(
    store: WatchedStore, kind: str, views: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R-34: the origins that may read it, the id of the request, and Vary."""
    middleware = [*django_settings.MIDDLEWARE, "tests.adapters.django_views.allowing"]
    watched = current_manager()
    with override_settings(MIDDLEWARE=middleware):
        use_manager(watched)
        visitor = KINDS[kind]()
        assert visitor.get(f"/{views}/put/color").headers["etag"] == '"lost"'
        monkeypatch.setattr(store, "apply", stopping(store, store.apply))
        answer = visitor.get(f"/{views}/put/size")
        assert answer.status == 503
        assert answer.headers["access-control-allow-origin"] == "https://other"
        assert answer.headers["x-request-id"] == "7"
        assert "Origin" in answer.headers["vary"].split(", ")
        assert "etag" not in answer.headers


def test_an_error_page_over_a_store_that_is_down_is_a_503(store: WatchedStore, visitor: Visitor, views: str) -> None:
    """F-00a: another middleware has met the trouble, or a logout was to be carried out."""
    visitor.get(f"/{views}/put/color")
    store.stopped = True
    answer = visitor.get(f"/{views}/untouched", headers={"x-looks": "yes"})
    assert (answer.status, answer.cookies) == (503, {})
    store.stopped = False
    visitor.get(f"/{views}/show")
    store.delete = stopping(store, store.delete)  # type: ignore[method-assign]
    answer = visitor.get(f"/{views}/flush-and-fail")
    assert (answer.status, answer.cookies) == (503, {})
    store.stopped = False
    assert visitor.json(f"/{views}/show") == {"color": "color"}


def stopping(store: WatchedStore, call: Any) -> Any:
    async def stop_and_call(*args: Any, **named: Any) -> Any:
        store.stopped = True
        return await call(*args, **named)

    return stop_and_call


def test_no_session_is_given_that_was_not_stored(store: WatchedStore, visitor: Visitor, views: str) -> None:
    """R-34."""
    store.stopped = True
    answer = visitor.get(f"/{views}/put/color")
    assert (answer.status, answer.cookies) == (503, {})


# -- paths, headers, settings ------------------------------------------------------------------------------------------


def with_settings(manager: SessionManager, **more: Any) -> Any:
    ours = {"store_url": manager.settings.store_url.get_secret_value(), "namespace": f"t{secrets.token_hex(4)}", **more}
    return override_settings(WSGESSIONS=ours)


def test_an_excluded_path_loads_the_session_when_it_is_used(manager: SessionManager, views: str) -> None:
    """R-30, R-48: what ``await session.load()`` is elsewhere, Django's words do by themselves."""
    for kind in KINDS:
        with with_settings(manager, exclude=["/sync", "/async/show", "/async/untouched"]):
            visitor = KINDS[kind]()
            visitor.get("/async/put/color")
            watched = WatchedStore(current_manager().store)
            use_manager(SessionManager(current_manager().settings, store=watched))
            visitor = visitor.copy()
            visitor.get(f"/{views}/untouched")
            assert watched.calls.total() == 0
            assert visitor.json(f"/{views}/show") == {"color": "color"}


def _client_keeps_names() -> bool:
    """Whether Django's test client names headers as servers do. That of its first releases 5.2.x writes underscores."""
    scope: Any = AsyncRequestFactory().get("/", headers={"x-session": "none"}).scope
    return b"x-session" in dict(scope["headers"])


def test_clients_without_cookies_may_use_a_header(manager: SessionManager, views: str) -> None:
    """S-05."""
    for kind in KINDS if _client_keeps_names() else KINDS.keys() - {"asgi"}:
        with with_settings(manager, header="X-Session"):
            visitor = KINDS[kind]()
            answer = visitor.get(f"/{views}/put/color", headers={"x-session": "none"})
            assert answer.cookies == {}
            given = answer.headers["x-session"]
            answer = KINDS[kind]().get(f"/{views}/show", headers={"x-session": given})
            assert answer.text == '{"color": "color"}'


def test_djangos_settings_of_the_cookie_hold_where_the_project_has_changed_them(visitor: Visitor) -> None:
    with override_settings(SESSION_COOKIE_NAME="shop", SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PATH="/sync"):
        visitor = visitor.another()
        answer = visitor.get("/sync/put/color")
        assert set(answer.cookies) == {"shop", "shop-v"}
        for cookie in answer.cookies.values():
            assert attributes(cookie) == {"Path=/sync", "Secure", "HttpOnly", "SameSite=Strict"}
        assert visitor.json("/sync/show") == {"color": "color"}


def test_an_insecure_cookie_is_one_of_plain_http(visitor: Visitor) -> None:
    with override_settings(SESSION_COOKIE_SECURE=False):
        visitor = visitor.another()
        answer = visitor.get("/sync/put/color")
        assert set(answer.cookies) == {"sid", "sid-v"}
        assert "Secure" not in attributes(answer.cookies["sid"])
        assert visitor.json("/sync/show") == {"color": "color"}


def test_the_age_of_the_cookie_is_that_of_the_session(visitor: Visitor, views: str) -> None:
    weeks = timedelta(weeks=2)
    with override_settings(SESSION_COOKIE_AGE=int(weeks.total_seconds())):
        settings = current_manager().settings
        assert (settings.cookie.max_age, settings.absolute_timeout) == (1209600, timedelta(days=400))
        visitor = visitor.another()
        for name in ("color", "size"):
            cookies = visitor.get(f"/{views}/put/{name}").cookies
            assert {age_of(cookie) for cookie in cookies.values()} <= {1209600, 1209599, 1209598}
            assert set(cookies) == {"__Host-sid", "__Host-sid-v"}


def test_an_expiry_of_its_own_is_what_the_browser_is_told(visitor: Visitor, views: str) -> None:
    for seconds, age in (("600", 600), ("none", None), ("700", 700), ("0", None)):
        cookies = visitor.get(f"/{views}/expire/{seconds}").cookies
        assert {name: age_of(cookie) for name, cookie in cookies.items()} == {"__Host-sid": age, "__Host-sid-v": age}
        told = visitor.get(f"/{views}/put/a{seconds}").cookies
        assert set(told) == ({"__Host-sid", "__Host-sid-v"} if age else {"__Host-sid-v"})


def test_zero_is_until_the_browser_closes_whatever_the_settings_say(visitor: Visitor, views: str) -> None:
    with override_settings(SESSION_COOKIE_AGE=600):
        visitor = visitor.another()
        visitor.get(f"/{views}/expire/0")
        cookies = visitor.get(f"/{views}/put/color").cookies
        assert {name: age_of(cookie) for name, cookie in cookies.items()} == {"__Host-sid": None, "__Host-sid-v": None}


@pytest.mark.parametrize("every", [True, False])
def test_a_cookie_that_each_request_shall_renew_is_renewed_by_use_now_and_then(visitor: Visitor, every: bool) -> None:
    """S-33: not with every response, which might undo a login in another tab (S-209)."""
    times, ours = Times(), {"store_url": "memory:"}
    with override_settings(SESSION_SAVE_EVERY_REQUEST=every, SESSION_COOKIE_AGE=60 * 86_400, WSGESSIONS=ours):
        settings = current_manager().settings
        use_manager(SessionManager(settings, store=MemoryStore(clock=times.clock())))
        visitor = visitor.another()
        visitor.get("/async/untouched")
        visitor.get("/sync/put/color")
        given = []
        for views in ("sync", "async", "sync"):
            times.pass_seconds(32 * 3600)
            answer = visitor.get(f"/{views}/untouched")
            given.append("__Host-sid" in answer.cookies)
            assert answer.headers.get("vary") == ("Cookie" if every else None)
        assert given == [False, every, False]


def test_without_a_persistent_cookie_each_request_is_a_use_and_no_more(visitor: Visitor) -> None:
    with override_settings(SESSION_SAVE_EVERY_REQUEST=True):
        visitor = visitor.another()
        visitor.get("/sync/put/color")
        assert visitor.get("/async/untouched").cookies == {}


def age_of(cookie: str) -> int | None:
    ages = [part.partition("=")[2] for part in cookie.split("; ") if part.startswith("Max-Age")]
    return int(ages[0]) if ages else None


# -- all at once -------------------------------------------------------------------------------------------------------


def test_concurrent_requests_of_both_kinds_lose_nothing(visitor: Visitor) -> None:
    """K-02."""
    visitor.get("/sync/put/color")
    visitors = [(visitor.copy(), f"/{'sync' if index % 2 else 'async'}/put/a{index}") for index in range(20)]
    with ThreadPoolExecutor(8) as threads:
        answers: list[Answer] = list(threads.map(lambda pair: pair[0].get(pair[1]), visitors))
    assert {answer.status for answer in answers} == {200}
    assert set(visitor.json("/async/show")) == {"color", *(f"a{index}" for index in range(20))}


# -- what stands before the sessions in MIDDLEWARE, and sees their headers (S-40) --------------------------------------

CACHED = {
    "MIDDLEWARE": [
        "django.middleware.cache.UpdateCacheMiddleware",
        *SITE["MIDDLEWARE"],
        "django.middleware.cache.FetchFromCacheMiddleware",
    ],
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "of the site"}},
}


@pytest.fixture
def cached_site(manager: SessionManager) -> Iterator[None]:
    with override_settings(**CACHED):
        caches["default"].clear()
        yield


@pytest.mark.usefixtures("cached_site")
def test_the_cache_of_a_site_gives_each_visitor_its_own_page(visitor: Visitor, views: str) -> None:
    """S-44: under WSGI, under ASGI, and inside of the adapter."""
    ann, bob, stranger = (visitor.another() for _ in range(3))
    ann.get(f"/{views}/put/ann")
    bob.get(f"/{views}/put/bob")
    for _ in range(2):
        assert ann.json(f"/{views}/show") == {"ann": "ann"}
        assert bob.json(f"/{views}/show") == {"bob": "bob"}
        assert stranger.json(f"/{views}/show") == {}


@pytest.mark.usefixtures("cached_site")
def test_the_cache_of_a_site_still_keeps_what_is_for_all(store: WatchedStore, visitor: Visitor, views: str) -> None:
    for _ in range(2):
        answer = visitor.another().get(f"/{views}/untouched")
        assert "vary" not in answer.headers
    assert "age" in answer.headers or "expires" in answer.headers


@IN_KIND
def test_a_stream_depends_on_the_visitor_before_it_looks(visitor: Visitor, views: str) -> None:
    """S-40."""
    visitor.get(f"/{views}/put/color")
    answer = visitor.get(f"/{views}/stream/size")
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Cookie", "private")


def stricter(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A middleware of the project that changes what a cookie of ours says."""

    def change(response: Any) -> Any:
        assert "Cookie" in response.headers["Vary"]
        for name in {"__Host-sid", "__Host-sid-v"} & set(response.cookies):
            response.cookies[name]["samesite"] = "Strict"
        return response

    if iscoroutinefunction(get_response):

        async def of_async(request: HttpRequest) -> Any:
            return change(await get_response(request))

        return of_async
    return lambda request: change(get_response(request))


stricter.async_capable = stricter.sync_capable = True  # type: ignore[attr-defined]  # Django asks for it


def test_what_the_project_changes_of_our_cookies_holds(visitor: Visitor, views: str) -> None:
    ours = {**django_settings.WSGESSIONS, "cookie": {"partitioned": True}}
    with override_settings(MIDDLEWARE=[f"{__name__}.stricter", *SITE["MIDDLEWARE"]], WSGESSIONS=ours):
        changing = visitor.another()
        answer = changing.get(f"/{views}/put/color")
        assert len(answer.fields) == 2
        for cookie in answer.cookies.values():
            wanted = {"Path=/", "Secure", "HttpOnly", "SameSite=Strict", "Partitioned"}
            assert attributes(cookie) == wanted
        assert changing.json(f"/{views}/show") == {"color": "color"}


# -- what the log says -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_browser_that_returns_no_cookie_is_told(
    manager: SessionManager, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the adapter around, too."""
    observe_at_once(monkeypatch)
    visitor: Any = KINDS[kind]()
    for _ in range(5):
        visitor.client.cookies.clear()
        visitor.get("/sync/append/tea", headers={**BROWSER, "host": "testserver"})
    (line,) = [each for each in caplog.records if getattr(each, "event", "") == "cookies_not_returned"]
    assert "a browser at 'testserver' was given 4 sessions in a row" in line.getMessage()


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_session_of_a_process_says_what_is_in_force(
    manager: SessionManager, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Under WSGI no server announces the start; the store is started when a request needs it."""
    caplog.set_level(logging.INFO, logger=START_LOGGER)
    visitor = KINDS[kind]()
    for _ in range(2):
        visitor.get("/sync/append/tea")
    (line,) = [record.getMessage() for record in caplog.records if record.name == START_LOGGER]
    settings = manager.settings
    for fact in (f"store {settings.store_url}", f"namespace {settings.namespace}", f"cookie {settings.cookie.name}"):
        assert fact in line
