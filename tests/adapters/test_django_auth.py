"""What of Django lives in the session: logins, messages, CSRF tokens, the admin, and the test client."""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.signals import user_logged_in
from django.db import connections
from django.http import HttpRequest
from django.test import AsyncClient, Client

from tests.adapters.django_stores import Words, manager, shared_server, words
from tests.adapters.django_users import ann, database, user
from tests.adapters.django_visitors import Visitor, views, visitor
from wsgessions.session import unit_of
from wsgessions_django import SessionStore, current_manager

__all__ = ["ann", "database", "manager", "shared_server", "views", "visitor", "words"]

SITE = {
    "CSRF_USE_SESSIONS": True,
    "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
    "MIDDLEWARE": [
        "wsgessions_django.SessionMiddleware",
        "tests.adapters.django_views.ending_meanwhile",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ],
    "ROOT_URLCONF": "tests.adapters.django_views",
}

pytestmark = pytest.mark.usefixtures("manager")


# -- logins ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_a_login_gives_a_new_id_and_ends_the_old_one(visitor: Visitor, views: str, ann: Any, known: bool) -> None:
    """S-06, through Django's own call."""
    if known:
        visitor.get(f"/{views}/put/color")
    before = visitor.copy()
    answer = visitor.get(f"/{views}/login/{ann.username}")
    assert answer.text == visitor.id != before.id
    assert visitor.get(f"/{views}/mine").text == ann.username
    assert visitor.json(f"/{views}/show")["_auth_user_id"] == str(ann.pk)
    assert "color" in visitor.json(f"/{views}/show") or not known
    assert before.json(f"/{views}/show") == {}
    assert before.get(f"/{views}/mine").status == 302
    assert not SessionStore().exists(before.id or "")


def test_a_logout_ends_the_session_for_everybody(visitor: Visitor, views: str, ann: Any) -> None:
    """S-54."""
    visitor.get(f"/{views}/login/{ann.username}")
    thief = visitor.copy()
    answer = visitor.get(f"/{views}/logout")
    assert all("Max-Age=0" in cookie for cookie in answer.cookies.values())
    assert set(answer.cookies) == {"__Host-sid", "__Host-sid-v"}
    assert visitor.get(f"/{views}/mine").headers["location"].startswith("/login?next=")
    assert thief.get(f"/{views}/mine").status == 302


def test_another_user_never_finds_what_the_first_one_left(visitor: Visitor, views: str, ann: Any) -> None:
    visitor.get(f"/{views}/login/{ann.username}")
    visitor.get(f"/{views}/put/secret")
    before = visitor.id
    bob = user("bob")
    visitor.get(f"/{views}/login/{bob.username}")
    assert visitor.id != before
    assert "secret" not in visitor.json(f"/{views}/show")
    assert visitor.get(f"/{views}/mine").text == bob.username


def test_a_new_password_logs_the_other_sessions_out(visitor: Visitor, views: str, ann: Any) -> None:
    visitor.get(f"/{views}/login/{ann.username}")
    ann.set_password("another")
    ann.save()
    assert visitor.get(f"/{views}/mine").status == 302
    assert visitor.json(f"/{views}/show") == {}


def test_a_login_that_meets_a_logout_is_interrupted(visitor: Visitor, views: str, ann: Any) -> None:
    """S-62: it does not bring the session back."""
    visitor.get(f"/{views}/put/color")
    answer = visitor.get(f"/{views}/login/{ann.username}", headers={"x-ends-meanwhile": "yes"})
    assert answer.status == 400
    assert visitor.get(f"/{views}/mine").status == 302
    visitor.get(f"/{views}/login/{ann.username}")
    assert "color" not in visitor.json(f"/{views}/show")


# -- the sessions of a user --------------------------------------------------------------------------------------------


def refs_of(user: Any) -> set[str]:
    return {live.ref for live in asyncio.run(current_manager().sessions_of(user.pk))}


def test_a_login_is_found_by_its_user_and_a_logout_is_not(visitor: Visitor, views: str, ann: Any) -> None:
    """S-55: bound with the commit of the login, under the id that listeners were told."""
    for known in (True, False):
        if known:
            visitor.get(f"/{views}/put/color")
        told = visitor.get(f"/{views}/login/{ann.username}").text
        assert told == visitor.id
        (ref,) = refs_of(ann)
        assert ref == ref_of(told)
        assert visitor.get(f"/{views}/mine").text == ann.username
        visitor.get(f"/{views}/cycle/again")
        (ref,) = refs_of(ann)
        assert ref == ref_of(visitor.id)
        visitor.get(f"/{views}/logout")
        assert refs_of(ann) == set()


def test_a_login_of_the_same_user_is_a_new_one(visitor: Visitor, views: str, ann: Any) -> None:
    """S-06, S-57: as `Session.bind_user` has it. It gives a new id, which listeners are told, and renews `bound_at`."""
    heard: list[str | None] = []

    def hear(request: Any, **_: Any) -> None:
        heard.append(request.session.session_key)

    visitor.get(f"/{views}/put/color")
    visitor.get(f"/{views}/login/{ann.username}")
    before, first = visitor.copy(), bound(visitor.id)
    visitor.get(f"/{views}/cycle/again")
    assert bound(visitor.id) == first
    user_logged_in.connect(hear)
    try:
        for _ in range(2):
            last = visitor.copy()
            assert visitor.get(f"/{views}/login/{ann.username}").text == visitor.id == heard[-1]
            assert visitor.id != last.id
            assert bound(visitor.id) > first
            first = bound(visitor.id)
            assert refs_of(ann) == {ref_of(visitor.id)}
            assert visitor.get(f"/{views}/mine").text == ann.username
            assert "color" in visitor.json(f"/{views}/show")
            for old in (before, last):
                assert old.get(f"/{views}/mine").status == 302
    finally:
        user_logged_in.disconnect(hear)


def bound(key: str | None) -> int:
    """The version that bound the session to its user: the time of the login, more exact than `bound_at`."""
    record = unit_of(SessionStore(key)._get_session()).record
    assert record is not None
    assert record.binding is not None
    return record.binding.version


def test_a_login_of_the_same_user_that_fails_is_none(visitor: Visitor, views: str, ann: Any) -> None:
    """R-33: who logs in without success has not logged in lately."""
    visitor.get(f"/{views}/login/{ann.username}")
    first = bound(visitor.id)
    assert visitor.get(f"/{views}/login-and-fail/{ann.username}").status == 500
    assert bound(visitor.id) == first
    assert visitor.get(f"/{views}/mine").text == ann.username
    assert refs_of(ann) == {ref_of(visitor.id)}


def test_a_login_is_one_however_often_it_is_saved(ann: Any, words: Words) -> None:
    """Outside of a request, as in the test client; and what is not touched is no login."""
    client = Client()
    client.force_login(ann)
    first = bound(client.session.session_key)
    store = SessionStore(client.session.session_key)
    put(words, store, "color", "red")
    words(store, "save")
    assert bound(store.session_key) == first
    assert store.session_key == client.session.session_key
    put(words, store, "_auth_user_id", str(ann.pk))
    words(store, "save")
    again, renewed = store.session_key, bound(store.session_key)
    assert again != client.session.session_key
    assert renewed > first
    for _ in range(2):
        store["color"] = secrets.token_hex(4)
        words(store, "save")
    assert (store.session_key, bound(again)) == (again, renewed)


def put(words: Words, store: SessionStore, name: str, value: str) -> None:
    words(store, "set" if words.twins else "__setitem__", name, value)


def test_a_new_password_is_no_login(ann: Any) -> None:
    """``update_session_auth_hash`` gives a new id, and `bound_at` stays."""
    client = Client()
    client.force_login(ann)
    first, before = bound(client.session.session_key), client.session.session_key
    request = HttpRequest()
    request.session, request.user = client.session, ann
    ann.set_password("another")
    update_session_auth_hash(request, ann)
    request.session.save()
    assert request.session.session_key != before
    assert bound(request.session.session_key) == first


def test_another_user_takes_over_nothing(visitor: Visitor, views: str, ann: Any) -> None:
    visitor.get(f"/{views}/login/{ann.username}")
    bob = user("bob")
    visitor.get(f"/{views}/login/{bob.username}")
    assert refs_of(ann) == set()
    assert refs_of(bob) == {ref_of(visitor.id)}


def test_a_failed_login_binds_nobody(visitor: Visitor, views: str, ann: Any) -> None:
    """R-31, R-33."""
    visitor.get(f"/{views}/put/color")
    assert visitor.get(f"/{views}/login-and-fail/{ann.username}").status == 500
    assert refs_of(ann) == set()
    assert visitor.json(f"/{views}/show") == {"color": "color"}


# Without a near cache it would wait 5 s, since the namespace is new (C-6).
@pytest.mark.parametrize("manager", ["memory", "valkey"], indirect=True)
def test_logging_out_other_devices_leaves_this_one(visitor: Visitor, views: str, ann: Any) -> None:
    """S-55."""
    others = [visitor.another() for _ in range(3)]
    for each in (visitor, *others):
        each.get(f"/{views}/login/{ann.username}")
    assert len(refs_of(ann)) == 4
    assert visitor.get(f"/{views}/log-out-others").text == "3"
    assert refs_of(ann) == {ref_of(visitor.id)}
    assert visitor.get(f"/{views}/mine").text == ann.username
    assert [each.get(f"/{views}/mine").status for each in others] == [302, 302, 302]


def test_who_removes_the_users_attribute_unbinds_the_session(ann: Any) -> None:
    client = Client()
    client.force_login(ann)
    assert refs_of(ann) == {ref_of(client.session.session_key)}
    session = client.session
    del session["_auth_user_id"]
    session.save()
    assert refs_of(ann) == set()
    assert dict(SessionStore(session.session_key))


def ref_of(key: str | None) -> str | None:
    return SessionStore(key)._get_session().ref


# -- messages and CSRF -------------------------------------------------------------------------------------------------


def test_a_message_is_heard_once(visitor: Visitor, views: str) -> None:
    """The session's storage is not async, and is read from async views too: it finds the session loaded."""
    for text in ("first", "second"):
        visitor.get(f"/{views}/say/{text}")
    assert visitor.json(f"/{views}/hear") == ["first", "second"]
    assert visitor.json(f"/{views}/hear") == []


def test_the_csrf_token_may_be_in_the_session(visitor: Visitor, views: str, ann: Any) -> None:
    """``CSRF_USE_SESSIONS``."""
    token = visitor.get(f"/{views}/token").text
    assert visitor.post(f"/{views}/put/color").status == 403
    assert visitor.post(f"/{views}/put/color", csrfmiddlewaretoken=token).status == 200
    assert "color" in visitor.json(f"/{views}/show")


def test_the_admin_lets_in_and_out(visitor: Visitor) -> None:
    boss = user("boss", is_staff=True, is_superuser=True)
    login = "/admin/login/?next=/admin/"
    token = token_in(visitor.get(login).text)
    before = visitor.copy()
    answer = visitor.post(login, username=boss.username, password=boss.username, csrfmiddlewaretoken=token)
    assert (answer.status, answer.headers.get("location")) == (302, "/admin/")
    page = visitor.get("/admin/auth/user/")
    assert page.status == 200
    assert boss.username in page.text
    assert before.get("/admin/").status == 302
    assert visitor.post("/admin/logout/", csrfmiddlewaretoken=token_in(page.text)).status == 200
    assert visitor.get("/admin/").status == 302


def token_in(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    assert found is not None
    return found[1]


# -- Django's test client ----------------------------------------------------------------------------------------------


def test_the_test_client_reads_and_writes_the_session() -> None:
    client = Client()
    session = client.session
    session["color"] = "red"
    session.save()
    assert client.get("/sync/show").json() == {"color": "red"}
    client.get("/sync/put/size")
    assert dict(client.session) == {"color": "red", "size": "size"}


def test_the_test_client_logs_in_and_out(ann: Any) -> None:
    client = Client()
    client.force_login(ann)
    assert client.get("/sync/mine").content.decode() == ann.username
    assert client.session["_auth_user_id"] == str(ann.pk)
    before = client.session.session_key
    client.logout()
    assert client.get("/sync/mine").status_code == 302
    assert not SessionStore().exists(before or "")
    assert client.login(username=ann.username, password=ann.username)
    assert client.get("/async/mine").content.decode() == ann.username


def test_the_async_test_client_does_so_too(ann: Any) -> None:
    async def use() -> None:
        client = AsyncClient()
        session = await client.asession()
        await session.aset("color", "red")
        await session.asave()
        assert (await client.get("/async/show")).json() == {"color": "red"}
        await client.aforce_login(ann)
        assert (await client.get("/async/mine")).content.decode() == ann.username
        assert (await client.get("/sync/mine")).content.decode() == ann.username
        assert await (await client.asession()).aget("color") == "red"
        before = (await client.asession()).session_key
        await client.alogout()
        assert (await client.get("/async/mine")).status_code == 302
        assert not await SessionStore().aexists(before or "")
        assert await client.alogin(username=ann.username, password=ann.username)
        assert (await client.get("/async/mine")).content.decode() == ann.username
        await sync_to_async(connections.close_all)()

    asyncio.run(use())


def test_the_session_of_a_request_can_be_looked_at_after_it() -> None:
    """As tests do, to see the messages of a response."""
    client = Client()
    response: Any = client.get("/sync/put/color")
    assert dict(response.wsgi_request.session) == {"color": "color"}
    assert response.wsgi_request.session.session_key == client.cookies["__Host-sid"].value
