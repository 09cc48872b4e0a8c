"""From Django's own engines: written by each, read through our middleware, over every way to serve a project."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.core.signing import TimestampSigner
from django.test import RequestFactory, override_settings

from tests.adapters.django_visitors import KINDS
from tests.migration.django_move import (
    BACKENDS,
    ENGINES,
    ann,
    before,
    database,
    files,
    kind,
    logged_in,
    moving,
    nothing_logged_yet,
    present,
    store,
)
from tests.stores.valkey.shared_server import shared_server
from wsgessions.errors import ConfigError
from wsgessions_django import SessionMiddleware, SessionStore, TakeoverMiddleware

__all__ = ["ann", "database", "files", "kind", "nothing_logged_yet", "shared_server", "store"]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return f"{BACKENDS}.{request.param}"


@pytest.mark.parametrize("views", ["sync", "async"])
def test_who_was_logged_in_stays_so(engine: str, kind: str, views: str, ann: Any) -> None:
    """S-03: with an id of ours; the hash that Django keeps of the password is good."""
    old = logged_in(engine, ann)
    with moving(engine) as manager:
        visitor = KINDS[kind]()
        answer = present(visitor, old, f"/{views}/mine")
        assert answer.text == ann.username
        assert {"__Host-sid", "__Host-sid-v", "sessionid"} == set(answer.cookies)
        assert "Max-Age=0" in answer.cookies["sessionid"]
        assert visitor.id not in (None, old)
        assert visitor.json(f"/{views}/show")["color"] == "color"
        assert manager.statistics.taken_over == 1
        assert SessionStore(visitor.id)._get_session().principal == str(ann.pk)
    with before(engine) as client:
        client.cookies["sessionid"] = old
        gone = engine.endswith("signed_cookies") or client.get("/sync/mine").status_code == 302
    assert gone


@pytest.mark.parametrize("middleware", [SessionMiddleware, TakeoverMiddleware])
@pytest.mark.parametrize("kind", ["asgi", "adapter"])
def test_called_by_djangos_name_for_async_calls_it_is_the_same(
    kind: str, middleware: Any, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Sentry calls each middleware of a project."""
    old, call = logged_in(f"{BACKENDS}.db", ann), middleware.__call__

    def call_by_name(self: Any, request: Any) -> Any:
        return self.__acall__(request) if self.async_mode else call(self, request)

    monkeypatch.setattr(middleware, "__call__", call_by_name)
    with moving(f"{BACKENDS}.db"):
        answer = present(KINDS[kind](), old, "/async/mine")
        assert answer.text == ann.username
        assert {"__Host-sid", "__Host-sid-v", "sessionid"} == set(answer.cookies)


@pytest.mark.parametrize("keep", [False, True])
def test_a_logout_is_not_undone_by_the_old_cookie(engine: str, kind: str, keep: bool, ann: Any) -> None:
    """S-75."""
    old = logged_in(engine, ann)
    with moving(engine, keep=keep):
        visitor = KINDS[kind]()
        assert present(visitor, old, "/sync/mine").text == ann.username
        visitor.get("/sync/logout")
        thief = present(KINDS[kind](), old, "/sync/mine")
        assert (thief.status, set(thief.cookies)) == (302, set())


def test_kept_the_old_project_goes_on_with_it_until_the_logout(engine: str, kind: str, ann: Any) -> None:
    """The way back."""
    old = logged_in(engine, ann)
    with moving(engine, keep=True):
        visitor = KINDS[kind]()
        assert "sessionid" not in present(visitor, old, "/async/mine").cookies
    with before(engine) as client:
        client.cookies["sessionid"] = old
        assert client.get("/sync/mine").content.decode() == ann.username
    with moving(engine, keep=True):
        left = present(visitor, old, "/async/logout")
        assert "Max-Age=0" in left.cookies["sessionid"]
    with before(engine) as client:
        client.cookies["sessionid"] = old
        status = client.get("/sync/mine").status_code
        assert status == (200 if engine.endswith("signed_cookies") else 302)


def test_what_has_expired_is_not_revived(kind: str, ann: Any) -> None:
    old = logged_in(f"{BACKENDS}.db", ann)
    apps.get_model("sessions", "Session").objects.filter(session_key=old).update(expire_date=datetime.now(UTC))
    with moving(f"{BACKENDS}.db"):
        answer = present(KINDS[kind](), old, "/sync/show")
        assert (answer.text, answer.cookies) == ("{}", {})


def test_a_file_that_has_expired_is_not_revived_and_leaves_none(kind: str, ann: Any, tmp_path: Path) -> None:
    """Django's engine makes a new session in the place of an expired one."""
    old = logged_in(f"{BACKENDS}.file", ann)
    os.utime(tmp_path / f"sessionid{old}", (1, 1))
    with moving(f"{BACKENDS}.file"):
        answer = present(KINDS[kind](), old, "/sync/show")
        assert (answer.text, answer.cookies) == ("{}", {})
    assert list(tmp_path.iterdir()) == []


def test_a_signed_cookie_that_has_expired_is_not_revived(kind: str, ann: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as then:
        then.setattr(TimestampSigner, "timestamp", lambda signer: "1r31eq")  # of the year 2023
        old = logged_in(f"{BACKENDS}.signed_cookies", ann)
    with moving(f"{BACKENDS}.signed_cookies"):
        answer = present(KINDS[kind](), old, "/sync/show")
        assert (answer.text, answer.cookies) == ("{}", {})


@pytest.mark.parametrize("value", ["x" * 32, "short", "../../etc/passwd", "a:b:c"])
def test_what_is_no_session_is_nothing(engine: str, kind: str, value: str) -> None:
    with moving(engine):
        answer = present(KINDS[kind](), value, "/sync/show")
        assert (answer.text, answer.cookies) == ("{}", {})


def test_an_expiry_of_its_own_stays_in_force(ann: Any) -> None:
    with before(f"{BACKENDS}.db") as client:
        session = client.session
        session["color"] = "red"
        session.set_expiry(300)
        session.save()
        old = session.session_key
    with moving(f"{BACKENDS}.db"):
        visitor = KINDS["wsgi"]()
        assert present(visitor, str(old), "/sync/show").status == 200
        core = SessionStore(visitor.id)._get_session()
        assert core.max_inactive_interval == timedelta(seconds=300)


@pytest.mark.parametrize("views", ["sync", "async"])
def test_a_cache_that_is_down_is_a_503_and_nobody_is_logged_out(
    kind: str, views: str, ann: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-00a: Django's engine takes a cache that does not answer for one that knows nothing."""
    engine = f"{BACKENDS}.cache"
    old = logged_in(engine, ann)

    class Down:
        def __getattr__(self, name: str) -> Any:
            raise ConnectionError("down")

    with moving(engine):
        with monkeypatch.context() as meanwhile:
            made = CacheStore.__init__

            def with_a_cache_that_is_down(store: Any, session_key: str | None = None) -> None:
                made(store, session_key)
                store._cache = Down()

            meanwhile.setattr(CacheStore, "__init__", with_a_cache_that_is_down)
            answer = present(KINDS[kind](), old, f"/{views}/show")
            assert (answer.status, answer.cookies) == (503, {})
        assert present(KINDS[kind](), old, f"/{views}/mine").text == ann.username


def test_a_session_that_cannot_be_removed_is_taken_over_all_the_same(
    kind: str, ann: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    engine = f"{BACKENDS}.cache"
    old = logged_in(engine, ann)

    def fail(*_: Any) -> None:
        raise ConnectionError("down")

    monkeypatch.setattr(CacheStore, "delete", fail)
    monkeypatch.setattr(CacheStore, "adelete", fail)
    with moving(engine), caplog.at_level(logging.WARNING, "wsgessions.takeover"):
        assert present(KINDS[kind](), old, "/sync/mine").text == ann.username
    assert [record.__dict__["event"] for record in caplog.records if record.name == "wsgessions.takeover"] == [
        "left_behind"
    ]


def test_after_the_date_nothing_is_read(kind: str, ann: Any) -> None:
    old = logged_in(f"{BACKENDS}.db", ann)
    with moving(f"{BACKENDS}.db", until=datetime.now(UTC) - timedelta(seconds=1)):
        assert present(KINDS[kind](), old, "/sync/mine").status == 302


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        (None, "engine or until is missing"),
        ({"engine": f"{BACKENDS}.db"}, "engine or until is missing"),
        ({"engine": "nowhere", "until": datetime.now(UTC)}, "there is no engine"),
        ({"engine": "wsgessions_django", "until": datetime.now(UTC)}, "the engine of wsgessions"),
        ({"engine": f"{BACKENDS}.db", "until": datetime(2030, 1, 1)}, "time zone"),  # noqa: DTZ001 - that is the case
        ({"engine": f"{BACKENDS}.db", "until": "2030"}, "time zone"),
        ({"engine": f"{BACKENDS}.db", "until": datetime.now(UTC), "cokie": "x"}, "'cokie' is unknown"),
        ({"engine": f"{BACKENDS}.db", "until": datetime.now(UTC), "cookie": "a b"}, "expected a cookie name"),
    ],
)
def test_what_cannot_be_meant_is_refused(plan: Any, said: str) -> None:
    with override_settings(WSGESSIONS_TAKEOVER=plan), pytest.raises(ConfigError, match=said):
        TakeoverMiddleware(lambda request: None)


def test_without_our_session_before_it_it_says_so() -> None:
    with moving(f"{BACKENDS}.db"):
        request = RequestFactory().get("/", headers={"cookie": "sessionid=x"})
        with pytest.raises(ConfigError, match="put its middleware before"):
            TakeoverMiddleware(lambda _: None)(request)


def test_a_cookie_of_the_same_name_is_refused() -> None:
    with moving(f"{BACKENDS}.db", cookie="__Host-sid"):
        request = RequestFactory().get("/", headers={"cookie": "__Host-sid=x"})
        with pytest.raises(ConfigError, match="another name"):
            SessionMiddleware(TakeoverMiddleware(lambda _: None))(request)
