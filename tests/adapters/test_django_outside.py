"""A `SessionStore` outside of a request of our middleware: jobs, tests, and code with a middleware of its own.

In both spellings of its methods. What Django's own engines do is expected, unless a rule of security forbids it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import alogin, login
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends.base import UpdateError
from django.http import HttpRequest
from django.test import Client

from tests.adapters.django_stores import Words, manager, shared_server, words
from tests.adapters.django_users import ann, database
from wsgessions_django import SessionStore, current_manager

__all__ = ["ann", "database", "manager", "shared_server", "words"]

SITE = {
    "MIDDLEWARE": ["wsgessions_django.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware"],
    "ROOT_URLCONF": "tests.adapters.django_views",
}
UNKNOWN = "A" * 43

pytestmark = pytest.mark.usefixtures("manager")


@pytest.fixture
def stored() -> SessionStore:
    """A session that the store has, with the attribute "color", not looked at yet."""
    store = SessionStore()
    store["color"] = "red"
    store.save()
    return SessionStore(store.session_key)


@pytest.fixture
def heard() -> Iterator[list[str | None]]:
    """The ids that receivers of ``user_logged_in`` note."""
    ids: list[str | None] = []

    def hear(request: Any, **_: Any) -> None:
        ids.append(request.session.session_key)

    user_logged_in.connect(hear)
    yield ids
    user_logged_in.disconnect(hear)


def content_of(store: SessionStore) -> dict[str, Any]:
    """What another object finds in the store under its id."""
    return SessionStore(store.session_key).load()


def log_in(words: Words, store: SessionStore, user: Any) -> None:
    request = HttpRequest()
    request.session = store
    if words.twins:
        asyncio.run(alogin(request, user, backend="django.contrib.auth.backends.ModelBackend"))
    else:
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")


# -- logins ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [True, False])
def test_a_login_has_its_id_before_it_is_saved(
    stored: SessionStore, words: Words, ann: Any, heard: list[str | None], known: bool
) -> None:
    """S-06, S-55: receivers of the signal note it, and code that gives it to a client does so before the save."""
    store = stored if known else SessionStore()
    before = store.session_key
    log_in(words, store, ann)
    told = store.session_key
    words(store, "save")
    assert heard == [told] == [store.session_key]
    assert told != before
    assert content_of(store)["_auth_user_id"] == str(ann.pk)
    assert not words(store, "exists", before)
    assert [live.ref for live in asyncio.run(current_manager().sessions_of(ann.pk))] == [store._get_session().ref]
    words(store, "save")
    assert store.session_key == told


def test_the_test_client_has_the_id_that_receivers_of_the_login_have_noted(ann: Any, heard: list[str | None]) -> None:
    client = Client()
    for _ in range(2):
        session = client.session
        session["color"] = "red"
        session.save()
        client.force_login(ann)
        assert heard[-1] == client.session.session_key
    assert client.get("/sync/mine").content.decode() == ann.username


@pytest.mark.parametrize("method", ["set", "update", "setdefault", "pop", "__delitem__", "clear"])
def test_the_id_of_a_change_of_the_user_is_known_before_it_is_saved(
    stored: SessionStore, words: Words, method: str
) -> None:
    """S-06: however the attribute is changed."""
    arguments: dict[str, list[Any]] = {
        "set": ["_auth_user_id", "2"],
        "update": [{"_auth_user_id": "2"}],
        "setdefault": ["_auth_user_id", "2"],
    }
    if method not in {"set", "update", "setdefault"}:
        stored["_auth_user_id"] = "1"
        stored.save()
    before = stored.session_key
    if method in {"__delitem__", "clear"}:
        getattr(stored, method)(*(["_auth_user_id"] if method == "__delitem__" else []))
    elif method == "set" and not words.twins:
        stored["_auth_user_id"] = "2"
    else:
        words(stored, method, *arguments.get(method, ["_auth_user_id"]))
    told = stored.session_key
    words(stored, "save")
    assert before != told == stored.session_key
    assert not words(stored, "exists", before)
    assert words(SessionStore(), "exists", told)


def test_a_session_that_waits_for_its_new_id_exists_and_can_be_deleted(stored: SessionStore, words: Words) -> None:
    """S-54."""
    before = stored.session_key
    stored["_auth_user_id"] = "1"
    assert stored.session_key != before
    assert words(stored, "exists", stored.session_key)
    words(stored, "delete", stored.session_key)
    assert not words(SessionStore(), "exists", before)
    assert not words(stored, "exists", stored.session_key)


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_the_first_id_of_an_empty_session_lasts(words: Words) -> None:
    """And it says that it has changed, since Django's own middleware gives it to the client only then."""
    store = SessionStore()
    words(store, "save")
    told = store.session_key
    assert store.modified
    store["color"] = "red"
    words(store, "save")
    assert store.session_key == told
    assert words(SessionStore(told), "load") == {"color": "red"}


def test_an_id_that_is_asked_for_early_is_the_one_that_the_session_gets(words: Words) -> None:
    store = SessionStore()
    told = store._get_or_create_session_key()
    assert told == store.session_key
    words(store, "save")
    assert store.session_key == told
    assert words(SessionStore(), "exists", told)


@pytest.mark.parametrize("method", ["create", "cycle_key"])
def test_changes_that_are_not_saved_yet_go_with_a_new_id(stored: SessionStore, words: Words, method: str) -> None:
    words(stored, "get", "color")
    stored["size"] = 4
    stored["color"] = "blue"
    words(stored, method)
    assert content_of(stored) == {"color": "blue", "size": 4}


@pytest.mark.parametrize("method", ["create", "cycle_key"])
def test_a_login_that_is_not_saved_yet_goes_with_a_new_id(
    stored: SessionStore, words: Words, ann: Any, method: str
) -> None:
    """S-55."""
    stored["_auth_user_id"] = str(ann.pk)
    words(stored, method)
    told = stored.session_key
    assert [live.ref for live in asyncio.run(current_manager().sessions_of(ann.pk))] == [stored._get_session().ref]
    words(stored, "save")
    assert stored.session_key == told


def test_an_unknown_id_is_no_session_that_could_be_saved(words: Words) -> None:
    """S-03: nor is another one made in its place, which has to be asked for."""
    store = SessionStore(UNKNOWN)
    with pytest.raises(UpdateError):
        words(store, "save")
    assert not words(store, "exists", UNKNOWN)
    words(store, "create")
    assert store.session_key not in {None, UNKNOWN}


# -- the content -------------------------------------------------------------------------------------------------------


def test_to_load_is_to_read_the_store_anew(stored: SessionStore, words: Words) -> None:
    """Without what is not saved yet, which stays in the object."""
    assert words(stored, "load") == {"color": "red"}
    other = SessionStore(stored.session_key)
    other.update({"color": "blue", "size": 4})
    other.save()
    stored["color"] = "green"
    assert words(stored, "load") == {"color": "blue", "size": 4}
    assert dict(stored) == {"color": "green", "size": 4}
    words(stored, "save")
    assert content_of(stored) == {"color": "green", "size": 4}


def test_to_load_what_was_never_saved_finds_nothing(words: Words) -> None:
    store = SessionStore()
    store["color"] = "red"
    assert words(store, "load") == {}
    assert dict(store) == {"color": "red"}


def test_to_load_what_has_ended_finds_nothing_and_brings_nothing_back(stored: SessionStore, words: Words) -> None:
    """S-62: what was loaded before must not become another session."""
    words(stored, "get", "color")
    SessionStore().delete(stored.session_key)
    assert words(stored, "load") == {}
    assert (stored.session_key, dict(stored)) == (None, {})
    with pytest.raises(UpdateError):
        words(stored, "save")


def test_the_content_may_be_put_in_and_read_anew_as_a_whole(stored: SessionStore, words: Words) -> None:
    """As code does that knows the innards of Django's sessions."""
    words(stored, "get", "color")
    other = SessionStore(stored.session_key)
    other["color"] = "blue"
    other.save()
    del stored._session_cache
    assert stored["color"] == "blue"
    stored._session_cache = {"size": 4}
    assert dict(stored) == {"size": 4}
    words(stored, "save")
    assert content_of(stored) == {"size": 4}


def test_what_was_called_no_change_is_none_until_the_next_one(words: Words) -> None:
    """Although an explicit save stores it."""
    store = SessionStore()
    store["color"] = "red"
    store.modified = False
    assert words(store, "pop", "absent", None) is None
    assert not store.modified
    words(store, "save")
    assert content_of(store) == {"color": "red"}
    store.modified = False
    words(store, "update", {"size": 4})
    assert store.modified


def test_what_was_removed_in_vain_hides_no_nested_change(stored: SessionStore, words: Words) -> None:
    """R-03."""
    stored["cart"] = []
    stored.save()
    store = SessionStore(stored.session_key)
    with pytest.raises(KeyError):
        words(store, "pop", "absent")
    words(store, "get", "cart").append("tea")
    assert store.modified
    store.modified = False
    assert not store.modified


# -- ends --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["create", "cycle_key", "save"])
def test_after_its_deletion_a_session_can_begin_anew(stored: SessionStore, words: Words, method: str) -> None:
    """With what was seen of it, as in Django; and a save does not bring it back by itself (S-62)."""
    before = stored.session_key
    words(stored, "get", "color")
    words(stored, "delete")
    with pytest.raises(UpdateError):
        words(stored, "save")
    words(stored, method, *([True] if method == "save" else []))
    assert content_of(stored) == {"color": "red"}
    assert not words(stored, "exists", before)
    stored["size"] = 4
    words(stored, "save")
    assert content_of(stored) == {"color": "red", "size": 4}


@pytest.mark.parametrize("method", ["create", "cycle_key", "flush"])
def test_what_has_ended_elsewhere_can_be_followed_by_another_session(
    stored: SessionStore, words: Words, method: str
) -> None:
    """S-62: which has nothing of the one before."""
    stored["size"] = 4
    SessionStore().delete(stored.session_key)
    with pytest.raises(UpdateError):
        words(stored, "save")
    words(stored, method)
    stored["color"] = "blue"
    words(stored, "save")
    assert content_of(stored) == {"color": "blue"}
