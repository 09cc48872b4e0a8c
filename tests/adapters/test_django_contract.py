"""What Django's own session middleware promises: what is in ``request.session`` is saved, and its hooks run.

Over WSGI, over ASGI alone, and inside the adapter; with sync views and with async ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.asgi import get_asgi_application
from django.core.checks import run_checks
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory, override_settings

from tests.adapters.django_stores import manager, shared_server
from tests.adapters.django_visitors import KINDS, Visitor, views, visitor
from wsgessions.errors import ConfigError
from wsgessions_django import SessionMiddleware, SessionStore
from wsgessions_django.asgi import wrap

__all__ = ["manager", "shared_server", "views", "visitor"]

VIEWS = "tests.adapters.django_contract_views"
OURS = "wsgessions_django.SessionMiddleware"
SITE = {"MIDDLEWARE": [OURS], "ROOT_URLCONF": VIEWS}

pytestmark = pytest.mark.usefixtures("manager")


def with_middleware(visitor: Visitor, *names: str) -> Iterator[Visitor]:
    with override_settings(MIDDLEWARE=list(names)):
        yield visitor.another()


def stored(**content: Any) -> str:
    """The id of another session, in the store."""
    store = SessionStore()
    store.update(content)
    store.save()
    return store.session_key or ""


def content_of(key: str | None) -> dict[str, Any]:
    return dict(SessionStore(key).load())


# -- another session in the request ------------------------------------------------------------------------------------


def test_a_session_that_a_view_opens_again_is_the_one_that_is_saved(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/start")
    before = visitor.id
    assert visitor.get(f"/{views}/opened-again").text == before
    assert visitor.id == before
    assert visitor.json(f"/{views}/show") == {"user": "ann"}


def test_a_login_into_a_session_that_was_opened_again_is_one(visitor: Visitor, views: str) -> None:
    """S-06: its client gets the new id, and the one before has ended."""
    visitor.get(f"/{views}/start")
    before = visitor.copy()
    assert visitor.get(f"/{views}/opened-again-with-login").text == visitor.id != before.id
    assert visitor.json(f"/{views}/show") == {"user": "ann"}
    assert before.json(f"/{views}/show") == {}


def test_a_new_session_in_the_place_of_the_old_one_is_given_to_the_client(visitor: Visitor, views: str) -> None:
    """The old one stays as it was: it was not in the request any more."""
    visitor.get(f"/{views}/start")
    before = visitor.id
    answer = visitor.get(f"/{views}/begin-another")
    assert set(answer.cookies) == {"__Host-sid", "__Host-sid-v"}
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Cookie", "no-store")
    assert visitor.id not in (None, before)
    assert visitor.json(f"/{views}/show") == {"user": "bob"}
    assert content_of(before) == {"state": 1}


def test_a_client_without_a_session_is_given_what_a_view_puts_there(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/begin-another")
    assert visitor.json(f"/{views}/show") == {"user": "bob"}


def test_a_logout_before_another_session_is_begun_stays_in_force(visitor: Visitor, views: str) -> None:
    """S-54."""
    visitor.get(f"/{views}/start")
    before = visitor.copy()
    visitor.get(f"/{views}/log-out-and-begin-another")
    assert visitor.json(f"/{views}/show") == {"user": "bob"}
    assert not SessionStore().exists(before.id or "")


@pytest.mark.parametrize("path", ["begin-another", "begin-blindly"])
def test_a_late_request_with_the_id_of_before_a_login_begins_no_other_session(
    visitor: Visitor, views: str, path: str
) -> None:
    """C-24: its response would replace the id of the login in the browser."""
    visitor.get(f"/{views}/start")
    late = visitor.copy()
    visitor.get(f"/{views}/opened-again-with-login")
    answer = late.get(f"/{views}/{path}")
    assert (answer.status, answer.cookies) == (400, {})
    assert visitor.get(f"/{views}/{path}").status == 200
    assert visitor.json(f"/{views}/show") == {"user": "bob"}


def test_a_view_that_fails_saves_no_other_session_either(visitor: Visitor, views: str) -> None:
    """R-33."""
    visitor.get(f"/{views}/start")
    other = stored(color="red")
    for path in ("begin-another-and-fail", f"change-another-and-fail/{other}"):
        answer = visitor.get(f"/{views}/{path}")
        assert (answer.status, answer.cookies) == (500, {})
        assert visitor.json(f"/{views}/show") == {"state": 1}
    assert content_of(other) == {"color": "red"}
    assert visitor.get(f"/{views}/begin-another").status == 200
    assert visitor.json(f"/{views}/show") == {"user": "bob"}


def test_a_session_that_is_only_read_is_not_given_to_the_client(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/start")
    before, other = visitor.id, stored(color="red")
    answer = visitor.get(f"/{views}/read-another/{other}")
    assert (answer.text, answer.cookies, answer.headers["vary"]) == ('{"color": "red"}', {}, "Cookie")
    assert visitor.id == before
    assert visitor.json(f"/{views}/show") == {"state": 1}


@pytest.mark.parametrize("path", ["change-another", "assign-key"])
def test_a_session_that_is_changed_in_the_place_of_another_is_given_to_the_client(
    visitor: Visitor, views: str, path: str
) -> None:
    visitor.get(f"/{views}/start")
    other = stored(color="red")
    visitor.get(f"/{views}/{path}/{other}")
    assert visitor.id == other
    assert visitor.json(f"/{views}/show") == {"color": "red", "seen": True}


def test_a_logout_from_a_session_in_the_place_of_another_is_one(visitor: Visitor, views: str) -> None:
    """S-54, R-31: although the view fails afterwards."""
    visitor.get(f"/{views}/start")
    other = stored(color="red")
    assert visitor.get(f"/{views}/assign-key-and-log-out/{other}").status == 500
    assert not SessionStore().exists(other)
    assert visitor.json(f"/{views}/show") == {"state": 1}


@pytest.mark.parametrize("path", ["change-another", "assign-key"])
def test_an_unknown_id_in_the_place_of_another_is_not_adopted(visitor: Visitor, views: str, path: str) -> None:
    """S-03."""
    visitor.get(f"/{views}/{path}/{'A' * 43}")
    assert visitor.id not in (None, "A" * 43)
    assert visitor.json(f"/{views}/show") == {"seen": True}


def test_an_empty_session_in_its_place_takes_the_cookies_away(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/start")
    answer = visitor.get(f"/{views}/empty")
    assert set(answer.cookies) == {"__Host-sid", "__Host-sid-v"}
    assert visitor.id is None
    assert visitor.another().get(f"/{views}/empty").cookies == {}


def test_what_is_no_session_at_all_saves_nothing(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/start")
    answer = visitor.get(f"/{views}/no-session-at-all")
    assert (answer.status, answer.cookies) == (200, {})
    assert visitor.json(f"/{views}/show") == {"state": 1}


# -- single methods within a request -----------------------------------------------------------------------------------


def test_an_id_that_a_view_has_told_is_one_that_lasts(visitor: Visitor, views: str) -> None:
    """Although nothing was put into the session."""
    told = visitor.get(f"/{views}/cycle-alone").text
    assert told == visitor.id
    assert SessionStore().exists(told)


def test_a_session_that_is_deleted_and_created_again_is_another_one(visitor: Visitor, views: str) -> None:
    visitor.get(f"/{views}/start")
    before = visitor.id
    assert visitor.get(f"/{views}/delete-and-create").text == visitor.id != before
    assert visitor.json(f"/{views}/show") == {"state": 1}
    assert not SessionStore().exists(before or "")


def test_a_deletion_ends_the_session_whose_new_id_is_not_stored_yet(visitor: Visitor, views: str) -> None:
    """S-54."""
    visitor.get(f"/{views}/start")
    before = visitor.copy()
    visitor.get(f"/{views}/rotate-and-delete")
    assert before.json(f"/{views}/show") == {}
    assert visitor.json(f"/{views}/show") == {}


@pytest.mark.parametrize(
    ("then", "left"),
    [("nothing", {"state": 1}), ("change", {"state": 2, "lost": True}), ("flush", {})],
    ids=["nothing", "change", "flush"],
)
def test_a_view_may_leave_its_changes_unsaved(visitor: Visitor, views: str, then: str, left: dict[str, Any]) -> None:
    """By ``modified = False``, as long as nothing else changes; a logout stays in force (S-54)."""
    visitor.get(f"/{views}/start")
    before = visitor.copy()
    assert visitor.get(f"/{views}/change-nothing/nothing").status == 200
    assert visitor.json(f"/{views}/show") == {"state": 1}
    visitor.get(f"/{views}/change-nothing/{then}")
    assert before.json(f"/{views}/show") == left


def test_a_session_that_its_own_request_deletes_is_not_given_to_the_client(visitor: Visitor, views: str) -> None:
    """It could not be saved: that is Django's interruption."""
    answer = visitor.get(f"/{views}/delete-what-is-new")
    assert (answer.status, answer.cookies) == (400, {})


def test_to_load_is_to_read_the_store_anew(visitor: Visitor, views: str) -> None:
    """What another request has changed while this one ran."""
    visitor.get(f"/{views}/start")
    assert visitor.json(f"/{views}/load-again") == [1, 2]


# -- ids in request.COOKIES --------------------------------------------------------------------------------------------


@pytest.fixture(params=["function", "hook", "own lookup"])
def by_token(request: pytest.FixtureRequest, visitor: Visitor) -> Iterator[Visitor]:
    """A visitor of a site whose middleware takes the id from a header."""
    names = {
        "function": [f"{VIEWS}.id_from_header", OURS],
        "hook": [f"{VIEWS}.Hooked"],
        "own lookup": [f"{VIEWS}.OwnLookup"],
    }
    yield from with_middleware(visitor, *names[request.param])


def test_an_id_that_code_puts_into_the_cookies_counts(by_token: Visitor, views: str) -> None:
    token = stored(color="red")
    assert by_token.get(f"/{views}/show", headers={"x-token": token}).text == '{"color": "red"}'
    by_token.get(f"/{views}/start", headers={"x-token": token})
    assert content_of(token) == {"color": "red", "state": 1}
    by_token = by_token.another()
    by_token.get(f"/{views}/start")
    assert by_token.get(f"/{views}/show", headers={"x-token": token}).text == '{"color": "red", "state": 1}'


def test_an_unknown_id_among_the_cookies_is_not_adopted(by_token: Visitor, views: str) -> None:
    """S-03: it is the one that counts nevertheless, so that what follows is a new session."""
    by_token.get(f"/{views}/start")
    before = by_token.id
    assert by_token.get(f"/{views}/start", headers={"x-token": "A" * 43}).status == 200
    assert by_token.id not in (None, before, "A" * 43)


def test_a_malformed_id_that_code_puts_there_is_taken_away_by_a_logout(visitor: Visitor, views: str) -> None:
    for each in with_middleware(visitor, f"{VIEWS}.id_from_header", OURS):
        answer = each.get(f"/{views}/flush", headers={"x-token": "abc"})
        assert set(answer.cookies) == {"__Host-sid", "__Host-sid-v"}


def test_an_id_that_code_takes_out_of_the_cookies_does_not_count(visitor: Visitor, views: str) -> None:
    for each in with_middleware(visitor, f"{VIEWS}.id_from_header", OURS):
        each.get(f"/{views}/start")
        assert each.get(f"/{views}/show", headers={"x-token": "none"}).text == "{}"
        assert each.json(f"/{views}/show") == {"state": 1}


# -- subclasses --------------------------------------------------------------------------------------------------------


def test_the_hooks_of_a_subclass_run(visitor: Visitor, views: str) -> None:
    for each in with_middleware(visitor, f"{VIEWS}.Hooked"):
        answer = each.get(f"/{views}/start")
        assert answer.headers["x-hooked"] == "yes"
        assert "SameSite=None" in answer.cookies["__Host-sid"]
        assert "SameSite=Lax" in answer.cookies["__Host-sid-v"]
        assert each.json(f"/{views}/show") == {"state": 1}


def test_a_hook_may_answer_in_place_of_the_view(visitor: Visitor, views: str) -> None:
    for each in with_middleware(visitor, f"{VIEWS}.Hooked"):
        answer = each.get(f"/{views}/start", headers={"x-refuse": "yes"})
        assert (answer.status, answer.text, answer.cookies) == (403, "refused", {})
        assert answer.headers["x-hooked"] == "yes"


def test_a_request_that_a_test_prepares_with_the_middleware_has_a_session_of_its_own() -> None:
    """As tests of views do. Nothing follows that would commit the session, so its methods act at once."""
    middleware = SessionMiddleware(lambda _: HttpResponse())
    request: HttpRequest = RequestFactory(secure=True).get("/")
    middleware.process_request(request)
    request.session["color"] = "red"
    request.session.save()
    first = request.session.session_key
    request.session.flush()
    assert not SessionStore().exists(first or "")
    request.session["color"] = "blue"
    response = middleware.process_response(request, HttpResponse())
    assert content_of(response.cookies["__Host-sid"].value) == {"color": "blue"}
    assert response.cookies["__Host-sid"]["secure"]


@pytest.mark.parametrize("name", ["django.contrib.sessions.middleware.SessionMiddleware", f"{VIEWS}.Derived"])
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_djangos_own_middleware_and_what_is_derived_from_it_give_a_cookie_that_browsers_keep(
    name: str, kind: str, views: str
) -> None:
    """No browser takes a cookie named ``__Host-`` that is not Secure, as Django's settings leave it."""
    with override_settings(MIDDLEWARE=[name]):
        django_settings.SESSION_COOKIE_NAME = "sessionid"
        visitor = KINDS[kind]()
        answer = visitor.get(f"/{views}/start")
        assert set(answer.cookies) == {"sessionid"}
        assert visitor.json(f"/{views}/show") == {"state": 1}
        told = visitor.another().get(f"/{views}/save-alone")
        assert told.cookies["sessionid"].partition(";")[0] == told.text
        assert "wsgessions.W001" in {each.id for each in run_checks(tags=["wsgessions"])}
        with pytest.raises(ConfigError, match=r"MIDDLEWARE has Django's own session middleware"):
            wrap(get_asgi_application())  # type: ignore[arg-type]


# -- servers -----------------------------------------------------------------------------------------------------------


def test_fields_of_a_wsgi_server_that_are_no_text_fail_nothing() -> None:
    client = Client()
    environ: Any = {"HTTP_X_NUMBER": 5, "HTTP_X_NONE": None, "HTTP_X_OCTETS": b"\xff", "HTTP_X_TEXT": "\u2192 \udcff"}
    for path in ("/sync/start", "/sync/show"):
        answer: Any = client.get(path, **environ)
        assert answer.status_code == 200
    assert answer.json() == {"state": 1}


def test_a_cookie_field_that_is_no_text_is_read_as_its_octets() -> None:
    field = f"__Host-sid={stored(color='red')}".encode()
    answer: Any = Client().get("/sync/show", HTTP_COOKIE=field)
    assert answer.json() == {"color": "red"}
