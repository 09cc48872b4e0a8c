"""The engine for itself: what ``engine.SessionStore`` does outside of requests, in both spellings of its methods."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from django import forms
from django.conf import settings as django_settings
from django.contrib.sessions.backends.base import CreateError, SessionBase, UpdateError
from django.core.exceptions import SynchronousOnlyOperation
from django.core.management import call_command
from django.core.signing import JSONSerializer
from django.db import models
from django.http import QueryDict
from django.test import override_settings
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy

from tests.adapters.django_stores import Words, manager, shared_server, words
from tests.record.test_clock import Times
from wsgessions import SessionManager
from wsgessions.codec import encode
from wsgessions.credentials.identity import new_session_id
from wsgessions.errors import CodecError, StoreUnavailable
from wsgessions.session import unit_of
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.adapters.watched_store import WatchedStore
from wsgessions_django import SessionStore
from wsgessions_django.configuration import use_manager

__all__ = ["manager", "shared_server", "words"]

pytestmark = pytest.mark.usefixtures("manager")

TWO_WEEKS = 14 * 86_400


@pytest.fixture
def stored() -> SessionStore:
    """A session that the store has, with the attribute "color"."""
    store = SessionStore()
    store["color"] = "red"
    store.save()
    return store


def again(store: SessionStore) -> SessionStore:
    """The same session, as another request sees it."""
    return SessionStore(store.session_key)


# -- what a session is -------------------------------------------------------------------------------------------------


def test_a_new_session_is_empty_and_nobody_has_looked_at_it() -> None:
    store = SessionStore()
    assert isinstance(store, SessionBase)
    assert (store.session_key, store.accessed, store.modified) == (None, False, False)
    assert store.is_empty()


def test_it_has_the_words_of_djangos_sessions(words: Words) -> None:
    store = SessionStore()
    assert words(store, "get", "color") is None
    assert words(store, "get", "color", "red") == "red"
    assert words(store, "setdefault", "color", "red") == "red"
    assert words(store, "setdefault", "color", "blue") == "red"
    words(store, "update", {"size": 4, "cart": ["tea"]})
    assert words(store, "has_key", "size")
    assert sorted(words(store, "keys")) == ["cart", "color", "size"]
    assert len(words(store, "values")) == 3
    assert dict(words(store, "items")) == {"color": "red", "size": 4, "cart": ["tea"]}
    assert words(store, "pop", "size") == 4
    assert words(store, "pop", "size", None) is None
    with pytest.raises(KeyError):
        words(store, "pop", "size")
    words(store, "set_test_cookie")
    assert words(store, "test_cookie_worked")
    words(store, "delete_test_cookie")
    assert dict(store) == {"color": "red", "cart": ["tea"]}
    assert "color" in store
    del store["color"]
    assert (store.accessed, store.modified) == (True, True)


def test_it_is_true_if_there_is_something_to_it(stored: SessionStore) -> None:
    """As Django 6.1 says; before, all sessions are true."""
    assert stored
    assert bool(SessionStore()) == (not hasattr(SessionBase, "__bool__"))


def test_what_is_saved_is_found_again(words: Words) -> None:
    store = SessionStore()
    store["color"] = "red"
    words(store, "save")
    assert store.session_key is not None
    assert words(store, "exists", store.session_key)
    other = again(store)
    assert words(other, "load") == {"color": "red"}
    assert words(other, "get", "color") == "red"


@pytest.mark.parametrize(
    "value",
    [
        Decimal("1.10"),
        UUID(int=5),
        datetime(2026, 11, 28, 3, tzinfo=UTC),
        timedelta(days=14),
        b"bytes",
        ("a", "tuple"),
        {1, 2},
        {1: "int keys"},
        2**70,
    ],
    ids=repr,
)
def test_values_come_back_as_they_went(value: Any) -> None:
    """R-02: more than JSON knows."""
    store = SessionStore()
    store["value"] = value
    store.save()
    found = again(store)["value"]
    assert (found, type(found)) == (value, type(value))


def test_a_value_that_cannot_be_stored_is_named_and_nothing_is_saved(stored: SessionStore, words: Words) -> None:
    """R-01."""
    stored["good"] = "good"
    stored["bad"] = lambda: None
    with pytest.raises(CodecError, match="'bad'"):
        words(stored, "save")
    assert dict(again(stored)) == {"color": "red"}


class Stage(models.TextChoices):
    PAID = "paid", "Paid"


class ContactForm(forms.Form):
    name = forms.CharField()


def test_values_of_django_are_what_its_own_sessions_make_of_them(words: Words) -> None:
    """R-02: the same as JSON gives, whatever the classes are."""
    values: dict[str, Any] = {
        "text": mark_safe("<b>"),
        "choice": {Stage.PAID: [Stage.PAID]},
        "query": QueryDict("a=1&a=2&b=3"),
        "errors": ContactForm({}).errors,
    }
    expected = JSONSerializer().loads(JSONSerializer().dumps(values))
    store = SessionStore()
    for name, value in values.items():
        store[name] = value
    words(store, "save")
    other = again(store)
    assert {name: other[name] for name in values} == expected
    plain = {name: encode(other[name], name=name, to_plain=None) for name in values}  # rejects subclasses
    assert plain == {name: encode(value, name=name) for name, value in values.items()}


def test_a_translation_for_later_is_refused_as_by_djangos_own_sessions(words: Words) -> None:
    """R-01: the text would be that of one language for all later requests."""
    store = SessionStore()
    store["label"] = gettext_lazy("Yes")
    with pytest.raises(CodecError, match=r"'label'.*store str\(value\)"):
        words(store, "save")
    with pytest.raises(TypeError):
        JSONSerializer().dumps(gettext_lazy("Yes"))


def test_nested_changes_are_found_announced_or_not(stored: SessionStore, words: Words) -> None:
    """R-03."""
    stored["cart"] = {"lines": []}
    words(stored, "save")
    for announced in (False, True):
        other = again(stored)
        words(other, "get", "cart")["lines"].append("tea")
        assert other.modified
        other.modified = announced
        words(other, "save")
    assert again(stored)["cart"] == {"lines": ["tea", "tea"]}


def test_only_what_changed_is_sent(manager: SessionManager, words: Words) -> None:
    store = WatchedStore(manager.store)
    use_manager(SessionManager(manager.settings, store=store))
    session = SessionStore()
    session.update({f"name{index}": "x" * 100 for index in range(20)})
    words(session, "save")
    other = again(session)
    other["color"] = "red"
    other.modified = True
    words(other, "save")
    assert [list(delta.changed) for delta in store.deltas] == [["color"]]


def test_clearing_keeps_the_session_and_its_id(stored: SessionStore) -> None:
    """R-06."""
    other = again(stored)
    other.clear()
    assert not other.is_empty()
    other.save()
    assert dict(again(stored)) == {}
    assert other.exists(stored.session_key or "")


def test_encoding_and_decoding_are_djangos(caplog: pytest.LogCaptureFixture) -> None:
    store = SessionStore()
    assert store.decode(store.encode({"color": "red"})) == {"color": "red"}
    assert store.decode("forged") == {}
    assert [record.name for record in caplog.records] == ["django.security.SuspiciousSession"]


# -- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("presented", ["A" * 43, "1", "a" * 32, "../" + "a" * 40, ""])
def test_an_id_that_nobody_issued_is_never_adopted(words: Words, presented: str) -> None:
    """S-03."""
    store = SessionStore(presented)
    assert not words(store, "exists", presented)
    assert words(store, "load") == {}
    assert not store.session_key
    store["color"] = "red"
    words(store, "save", must_create=True)
    assert store.session_key not in (None, presented)
    assert not words(store, "exists", presented)


def test_saving_nothing_makes_a_session_since_that_was_asked_for(words: Words) -> None:
    for method in ("save", "create", "cycle_key"):
        store = SessionStore()
        words(store, method)
        assert store.session_key is not None
        assert words(store, "exists", store.session_key)
        assert words(again(store), "load") == {}


def test_a_session_that_must_be_created_and_exists_is_an_error(stored: SessionStore, words: Words) -> None:
    for store in (stored, again(stored)):
        with pytest.raises(CreateError):
            words(store, "save", must_create=True)


@pytest.mark.parametrize("method", ["cycle_key", "create"])
def test_a_new_id_keeps_the_content_and_ends_the_old_id_at_once(
    stored: SessionStore, words: Words, method: str
) -> None:
    """S-06."""
    old = stored.session_key
    for store in (stored, again(stored)):
        if store is not stored:
            store._session_key = stored.session_key
        words(store, method)
        assert store.modified
        assert dict(store) == {"color": "red"}
        assert words(SessionStore(), "exists", store.session_key)
        assert dict(again(store)) == {"color": "red"}
        stored = store
    assert not words(SessionStore(), "exists", old)


def test_a_flush_ends_the_session_and_what_follows_is_another(stored: SessionStore, words: Words) -> None:
    old = stored.session_key
    words(stored, "flush")
    assert (stored.session_key, stored.is_empty(), stored.accessed, stored.modified) == (None, True, True, True)
    assert not words(stored, "exists", old)
    stored["color"] = "blue"
    words(stored, "save")
    assert stored.session_key not in (None, old)
    assert dict(again(stored)) == {"color": "blue"}


def test_an_assigned_key_is_another_session(stored: SessionStore) -> None:
    store = SessionStore()
    store._session_key = stored.session_key
    assert not hasattr(store, "_session_cache")
    assert store["color"] == "red"
    assert store._session_cache == {"color": "red"}
    with pytest.raises(AttributeError):
        store.session_key = "x" * 43  # type: ignore[misc]


# -- sessions that have ended elsewhere --------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [True, False])
@pytest.mark.parametrize("method", ["delete", "flush", "cycle_key"])
def test_what_has_ended_elsewhere_cannot_be_saved(
    stored: SessionStore, words: Words, method: str, changes: bool
) -> None:
    """S-62: the store says so; a copy in memory, however warm, is not asked."""
    words(again(stored), "load")
    words(again(stored), method)
    key = stored.session_key
    if changes:
        stored["color"] = "blue"
    for _ in range(2):
        with pytest.raises(UpdateError):
            words(stored, "save")
    assert dict(stored) == {}
    assert words(SessionStore(key), "load") == {}


def test_a_session_that_it_has_deleted_itself_cannot_be_saved(stored: SessionStore, words: Words) -> None:
    words(stored, "delete")
    stored["color"] = "blue"
    with pytest.raises(UpdateError):
        words(stored, "save")


def test_deleting_takes_any_id(stored: SessionStore, words: Words) -> None:
    for key in (None, "1", new_session_id()):
        words(SessionStore(), "delete", key)
    assert words(SessionStore(), "exists", stored.session_key)
    words(SessionStore(), "delete", stored.session_key)
    assert not words(SessionStore(), "exists", stored.session_key)


def test_changes_of_different_attributes_are_all_kept(stored: SessionStore) -> None:
    """K-02."""
    sessions = [again(stored) for _ in range(10)]
    for index, session in enumerate(sessions):
        session[f"a{index}"] = index
    for session in sessions:
        session.save()
    assert len(again(stored).keys()) == 11


# -- expiry ------------------------------------------------------------------------------------------------------------


def test_without_an_expiry_of_its_own_a_session_has_that_of_the_settings(words: Words) -> None:
    """Django's two weeks in a persistent cookie, unless the project says otherwise, in Django's words or in ours."""
    store = SessionStore()
    assert words(store, "get_expiry_age") == TWO_WEEKS
    assert not words(store, "get_expire_at_browser_close")
    brief, deadline, kept = (
        {**django_settings.WSGESSIONS, **each}
        for each in ({"max_inactive_interval": 900}, {"absolute_timeout": "8h"}, {"cookie": {"max_age": 60}})
    )
    for settings, age, closes in (
        ({"SESSION_EXPIRE_AT_BROWSER_CLOSE": True}, TWO_WEEKS, True),
        ({"WSGESSIONS": brief}, 900, True),
        ({"WSGESSIONS": deadline}, 8 * 3600, False),
        ({"WSGESSIONS": kept}, 30 * 60, False),
        ({"SESSION_COOKIE_AGE": 500 * 86_400}, 400 * 86_400, False),
        ({"SESSION_COOKIE_AGE": 600}, 600, False),
        ({"SESSION_COOKIE_AGE": 600, "SESSION_EXPIRE_AT_BROWSER_CLOSE": True}, 600, True),
    ):
        with override_settings(**settings):
            store = SessionStore()
            assert (words(store, "get_expiry_age"), words(store, "get_expire_at_browser_close")) == (age, closes)


def test_seconds_are_for_how_long_it_may_be_idle(words: Words) -> None:
    store = SessionStore()
    words(store, "set_expiry", 600)
    words(store, "save")
    other = again(store)
    assert words(other, "get_expiry_age") == 600
    assert not words(other, "get_expire_at_browser_close")
    assert idle_of(other) == timedelta(seconds=600)


def test_zero_is_until_the_browser_closes(words: Words) -> None:
    store = SessionStore()
    words(store, "set_expiry", 600)
    words(store, "set_expiry", 0)
    words(store, "save")
    other = again(store)
    assert words(other, "get_expire_at_browser_close")
    assert words(other, "get_expiry_age") == TWO_WEEKS
    assert idle_of(other) == timedelta(weeks=2)


def test_none_is_back_to_the_settings(stored: SessionStore, words: Words) -> None:
    for value in (600, None, None):
        words(stored, "set_expiry", value)
        words(stored, "save")
    assert idle_of(again(stored)) == timedelta(weeks=2)
    assert "_session_expiry" not in stored


@pytest.mark.parametrize("instant", [True, False])
def test_an_instant_ends_a_session_however_much_it_is_used(words: Words, instant: bool) -> None:
    now = timezone.now()
    store = SessionStore()
    words(store, "set_expiry", now + timedelta(hours=1) if instant else timedelta(hours=1))
    words(store, "save")
    other = again(store)
    date = words(other, "get_expiry_date")
    assert abs(date - now - timedelta(hours=1)) < timedelta(minutes=1)
    assert 3500 < words(other, "get_expiry_age") <= 3600
    assert abs((idle_of(other) or timedelta(0)) - timedelta(hours=1)) < timedelta(minutes=1)


@pytest.mark.parametrize("value", [-3600, -timedelta(seconds=10), datetime(2020, 1, 1, tzinfo=UTC)])
def test_an_expiry_in_the_past_ends_a_session_with_its_save(words: Words, value: Any) -> None:
    store = SessionStore()
    store["color"] = "red"
    words(store, "set_expiry", value)
    words(store, "save")
    other = again(store)
    assert words(other, "load") == {}
    assert other.session_key is None
    assert not words(SessionStore(), "exists", store.session_key)


@pytest.mark.parametrize("value", [10**13, -(10**13), 10**20])
def test_an_expiry_that_no_record_holds_is_refused_and_changes_nothing(
    stored: SessionStore, words: Words, value: int
) -> None:
    with pytest.raises(ValueError, match="number of seconds"):
        words(stored, "set_expiry", value)
    words(stored, "save")
    assert "_session_expiry" not in again(stored)
    assert idle_of(again(stored)) == timedelta(weeks=2)


def test_an_expiry_that_was_assigned_directly_is_as_long_as_a_record_holds(stored: SessionStore, words: Words) -> None:
    stored["_session_expiry"] = 10**20
    words(stored, "save")
    assert dict(again(stored))["_session_expiry"] == 10**20
    assert 399 * 86_400 < words(again(stored), "get_expiry_age") <= 400 * 86_400


@pytest.mark.parametrize("ours", [{}, {"max_inactive_interval": "20m"}], ids=["Django's lifetime", "a short one"])
def test_an_expiry_is_in_force_and_its_age_is_the_truth(words: Words, ours: dict[str, Any]) -> None:
    """No absolute timeout that was not set shortens it."""
    with override_settings(WSGESSIONS={**django_settings.WSGESSIONS, **ours}):
        store = SessionStore()
        words(store, "set_expiry", 30 * 86_400)
        words(store, "save")
        assert words(again(store), "get_expiry_age") == 30 * 86_400
        record = unit_of(again(store)._get_session()).record
        assert record is not None
        assert record.expires_ms - record.created_ms == 30 * 86_400_000


def test_an_age_is_no_longer_than_the_absolute_timeout_that_is_set(words: Words) -> None:
    with override_settings(WSGESSIONS={**django_settings.WSGESSIONS, "absolute_timeout": "1h"}):
        store = SessionStore()
        words(store, "set_expiry", 30 * 86_400)
        words(store, "save")
        assert 3590 <= words(again(store), "get_expiry_age") <= 3600
        assert words(again(store), "get_expiry_date") <= timezone.now() + timedelta(hours=1)


def test_a_use_does_not_move_the_instant() -> None:
    times = Times()
    use_manager(SessionManager(store=MemoryStore(clock=times.clock())))
    store = SessionStore()
    now = datetime.fromtimestamp(times.clock().now_ms() / 1000, UTC)
    store.set_expiry(now + timedelta(minutes=10))
    store.save()
    times.pass_seconds(8 * 60)
    again(store).save()
    assert not again(store).is_empty()
    times.pass_seconds(3 * 60)
    assert dict(again(store)) == {}


def idle_of(store: SessionStore) -> timedelta | None:
    return store._get_session().max_inactive_interval


def test_there_is_nothing_to_clear_and_the_command_says_so(stored: SessionStore, words: Words) -> None:
    words(stored, "clear_expired")
    told = StringIO()
    call_command("clearsessions", stdout=told)
    assert dict(again(stored)) == {"color": "red"}


# -- from anywhere -----------------------------------------------------------------------------------------------------


def test_it_works_from_many_threads_at_once(stored: SessionStore) -> None:
    """R-57."""

    def put(index: int) -> Any:
        session = again(stored)
        session[f"a{index}"] = index
        session.save()
        return again(stored)[f"a{index}"]

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(put, range(40))) == list(range(40))
    assert len(again(stored).keys()) == 41


def test_it_works_inside_a_running_loop_that_is_not_the_stores(stored: SessionStore) -> None:
    """R-57: as a plain method called in an async test."""

    async def use() -> Any:
        session = again(stored)
        session["size"] = 4
        session.save()
        await session.aset("weight", 5)
        await session.asave()
        return dict(again(stored))

    for _ in range(2):
        assert asyncio.run(use()) == {"color": "red", "size": 4, "weight": 5}


def test_it_works_from_a_thread_while_the_stores_loop_is_elsewhere(manager: SessionManager) -> None:
    """R-57: as in a sync view of a server that has started the manager."""

    async def serve() -> Any:
        await manager.start()

        def view() -> Any:
            session = SessionStore()
            session["color"] = "red"
            session.save()
            return dict(again(session))

        return await asyncio.to_thread(view)

    assert asyncio.run(serve()) == {"color": "red"}


@pytest.mark.parametrize("manager", ["valkey"], indirect=True)
def test_a_call_that_would_wait_for_itself_is_an_error_and_no_deadlock(manager: SessionManager) -> None:
    async def serve() -> None:
        await manager.start()
        session = SessionStore()
        await session.aset("color", "red")
        with pytest.raises(SynchronousOnlyOperation, match=r"await request\.session\.asave"):
            session.save()
        await session.asave()
        assert session["color"] == "red"  # what is loaded needs no waiting
        with pytest.raises(SynchronousOnlyOperation):
            again(session).get("color")
        assert await again(session).aget("color") == "red"

    asyncio.run(serve())


def test_a_new_home_is_found_when_the_old_one_has_ended(stored: SessionStore, manager: SessionManager) -> None:
    """R-57."""

    async def come_and_go() -> None:
        await manager.start()
        assert await again(stored).aget("color") == "red"

    for _ in range(2):
        asyncio.run(come_and_go())
        if manager.settings.store_url.get_secret_value() != "memory:":
            asyncio.run(manager.close())
            asyncio.run(manager.start())
        assert again(stored)["color"] == "red"


# -- trouble -----------------------------------------------------------------------------------------------------------


def test_a_store_that_does_not_answer_is_no_empty_session(manager: SessionManager, words: Words) -> None:
    """F-00a."""
    store = WatchedStore(manager.store)
    use_manager(SessionManager(manager.settings, store=store))
    session = SessionStore()
    session["color"] = "red"
    words(session, "save")
    store.stopped = True
    other = again(session)
    uses: list[Callable[[], Any]] = [
        lambda: words(other, "load"),
        lambda: words(other, "get", "color"),
        lambda: words(other, "save"),
        lambda: words(other, "flush"),
        lambda: words(other, "exists", session.session_key),
        lambda: words(other, "delete"),
        other.keys,
        other.clear,
    ]
    for use in uses:
        with pytest.raises(StoreUnavailable):
            use()
    assert (other.is_empty(), other.modified, other.session_key) == (False, False, session.session_key)
    session["color"] = "blue"
    with pytest.raises(StoreUnavailable):
        words(session, "save")
    store.stopped = False
    assert words(other, "load") == {"color": "red"}
    words(session, "save")
    assert dict(again(session)) == {"color": "blue"}


def test_a_server_out_of_reach_is_told_within_the_deadline() -> None:
    """F-00b."""
    use_manager(SessionManager(store_url="valkey://127.0.0.1:1", nonstop_timeout=timedelta(seconds=0.2)))
    done = threading.Event()

    def use() -> None:
        with pytest.raises(StoreUnavailable):
            SessionStore(new_session_id()).get("color")
        done.set()

    threading.Thread(target=use, daemon=True).start()
    assert done.wait(30)
