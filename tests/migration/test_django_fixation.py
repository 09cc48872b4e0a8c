"""What somebody has who has planted or copied the cookie of Django's own session (S-06, S-07, S-75)."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import pytest
from django.test import override_settings

from tests.adapters.django_visitors import KINDS, Visitor
from tests.migration.django_move import BACKENDS, ann, before, database, files, kind, logged_in, moving, present, store
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import SessionManager
from wsgessions_django import SessionStore

__all__ = ["ann", "database", "files", "kind", "shared_server", "store"]

DB = f"{BACKENDS}.db"
views_of_both_kinds = pytest.mark.parametrize("views", ["sync", "async"])
engines = pytest.mark.parametrize("engine", [DB, f"{BACKENDS}.signed_cookies"], ids=["db", "signed_cookies"])


def planted() -> str:
    """A session in which nobody is logged in: the value of its cookie."""
    with before(DB) as client:
        client.get("/sync/put/color")
        return str(client.cookies["sessionid"].value)


def login_path(how: str, views: str, user: Any) -> str:
    """A page that logs in: by Django, by an attribute of Django's that is set by hand, and by one of the project's."""
    name = {"login": f"login/{user.username}", "by hand": "put/_auth_user_id", "of the project": "put/member_id"}[how]
    return f"/{views}/{name}"


def shown_to(visitor: Visitor, old: str) -> tuple[str, set[str]]:
    answer = present(visitor, old, "/sync/show")
    return answer.text, set(answer.cookies)


@views_of_both_kinds
@pytest.mark.parametrize("how", ["login", "by hand", "of the project"])
@pytest.mark.parametrize("first", ["intruder", "victim", "login"])
def test_a_planted_cookie_shows_nothing_after_the_login(kind: str, views: str, how: str, first: str, ann: Any) -> None:
    """Whoever came first, and if the login is the first request."""
    old = planted()
    with moving(DB):
        intruder, victim = KINDS[kind](), KINDS[kind]()
        if first == "intruder":
            assert present(intruder, old, "/async/show").status == 200
            assert intruder.id is not None
        if first == "victim":
            present(victim, old, "/async/show")
            assert shown_to(intruder, old) == ('{"color": "color"}', {"__Host-sid-v"})
        known = intruder.id
        before_login = victim.id
        assert present(victim, old, login_path(how, views, ann)).status == 200
        assert victim.id not in {None, known, before_login}
        for thief in (intruder, KINDS[kind]()):
            assert shown_to(thief, old) == ("{}", set())
        assert "color" in victim.json("/sync/show")
        assert len(victim.json("/sync/show")) > 1


@engines
@views_of_both_kinds
def test_a_copied_cookie_of_a_user_shows_nothing_after_the_users_next_login(
    engine: str, kind: str, views: str, ann: Any
) -> None:
    """The user is the same, and the login is one."""
    old = logged_in(engine, ann)
    with moving(engine):
        intruder, victim = KINDS[kind](), KINDS[kind]()
        assert present(intruder, old, "/async/mine").text == ann.username
        assert present(victim, old, f"/{views}/login/{ann.username}").status == 200
        assert shown_to(intruder, old) == ("{}", set())
        assert victim.get("/sync/mine").text == ann.username


@views_of_both_kinds
def test_who_is_not_told_keeps_the_old_cookie(kind: str, views: str) -> None:
    """Else the browser would have neither, since its other request may never be answered."""
    old = planted()
    with moving(DB):
        told, untold = KINDS[kind](), KINDS[kind]()
        assert set(present(told, old, f"/{views}/put/size").cookies) == {"__Host-sid", "__Host-sid-v", "sessionid"}
        answer = present(untold, old, f"/{views}/put/more")
        assert set(answer.cookies) == {"__Host-sid-v"}
        assert told.json("/sync/show") == {"color": "color", "size": "size", "more": "more"}


def test_a_cookie_with_an_age_is_not_renewed_for_who_is_not_told(kind: str, shared_server: RawServer) -> None:
    old = planted()
    with override_settings(SESSION_COOKIE_AGE=3600), moving(DB):
        told, untold = KINDS[kind](), KINDS[kind]()
        assert "Max-Age=3600" in present(told, old, "/sync/show").cookies["__Host-sid"]
        assert set(present(untold, old, "/sync/put/more").cookies) == {"__Host-sid-v"}


def test_after_the_grace_it_is_unknown(kind: str, shared_server: RawServer) -> None:
    old = planted()
    ours = {"store_url": shared_server.url, "namespace": f"t{secrets.token_hex(4)}", "renew_grace": "100ms"}
    with override_settings(WSGESSIONS=ours), moving(DB) as manager:
        visitor = KINDS[kind]()
        present(visitor, old, "/sync/show")
        asyncio.run(until(manager, manager.store.clock.now_ms() + 101))
        assert shown_to(KINDS[kind](), old) == ("{}", set())
        assert visitor.json("/sync/show") == {"color": "color"}


async def until(manager: SessionManager, instant_ms: int) -> None:
    """Wait for an instant by the store's clock."""
    while (left := instant_ms - manager.store.clock.now_ms()) >= 0:  # noqa: ASYNC110 - it is another clock
        await asyncio.sleep((left + 1) / 1000)


@views_of_both_kinds
def test_the_first_change_by_the_new_id_leaves_nothing_to_the_cookie(kind: str, views: str) -> None:
    """Within the grace; and no parallel request of the visitor's is logged out."""
    old = planted()
    with moving(DB):
        visitor = KINDS[kind]()
        present(visitor, old, f"/{views}/show")
        parallel, told = visitor.copy(), visitor.id
        visitor.get(f"/{views}/put/size")
        assert visitor.id != told
        assert shown_to(KINDS[kind](), old) == ("{}", set())
        parallel.get(f"/{views}/put/more")
        assert parallel.id == told
        assert visitor.json("/sync/show") == {"color": "color", "size": "size", "more": "more"}


def test_a_login_by_the_new_id_at_a_server_that_has_taken_nothing_over_gives_another(
    kind: str, shared_server: RawServer
) -> None:
    ours = {"store_url": shared_server.url, "namespace": f"t{secrets.token_hex(4)}"}
    old, intruder = planted(), KINDS[kind]()
    with override_settings(WSGESSIONS=ours):
        with moving(DB):
            present(intruder, old, "/sync/show")
            known = intruder.id
        with moving(DB):
            victim = intruder.copy()
            assert victim.get("/sync/put/member_id").status == 200
            assert victim.id not in {None, known}
            assert SessionStore(known).load() == {}


def test_over_djangos_own_session_middleware_it_is_refused(shared_server: RawServer) -> None:
    """That writes the id into each response."""
    from django.contrib.sessions.middleware import SessionMiddleware
    from django.http import HttpResponse
    from django.test import RequestFactory

    from wsgessions.errors import ConfigError
    from wsgessions_django import TakeoverMiddleware

    with moving(DB):
        request = RequestFactory().get("/", headers={"cookie": "sessionid=x"})
        with pytest.raises(ConfigError, match="put its middleware before"):
            SessionMiddleware(TakeoverMiddleware(lambda _: HttpResponse()))(request)


@pytest.mark.parametrize("number", [7, "7"])
def test_a_users_number_that_is_set_by_hand_is_a_login_of_that_user(number: Any) -> None:
    """S-06: whether it is a text, as Django writes it, or not."""
    with moving(DB):
        session = SessionStore()
        session["_auth_user_id"] = "7"
        session.save()
        again = SessionStore(session.session_key)
        again["_auth_user_id"] = number
        again.save()
        assert again.session_key != session.session_key
        assert not SessionStore().exists(session.session_key or "")
