"""Debug pages and error mails show no cookie of a session, the new one's or the old one's (S-80)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import iscoroutinefunction
from django.conf import settings
from django.core import mail
from django.core.checks import run_checks
from django.http import HttpRequest
from django.test import override_settings
from django.utils.decorators import sync_and_async_middleware
from django.utils.log import AdminEmailHandler
from django.views.debug import SafeExceptionReporterFilter, get_default_exception_reporter_filter

from tests.adapters.django_project import MAIL_IN_MEMORY
from tests.adapters.django_visitors import KINDS
from tests.migration.django_move import BACKENDS, ann, before, database, files, give, kind, moving, present, store
from tests.stores.valkey.shared_server import shared_server
from wsgessions_django.reports import OldCookieFilter

__all__ = ["ann", "database", "files", "kind", "shared_server", "store"]

DB = f"{BACKENDS}.db"
HERE = "tests.migration.test_django_reports"


@pytest.fixture(autouse=True)
def _filter_is_chosen_anew() -> Iterator[None]:
    """Django remembers it for the life of a process; it has made a report already."""
    chosen: Any = get_default_exception_reporter_filter
    chosen.cache_clear()
    chosen()
    yield
    chosen.cache_clear()


@sync_and_async_middleware
def failing(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A middleware that fails before the sessions have their turn."""

    def fail(request: HttpRequest) -> Any:
        raise RuntimeError("the middleware failed")

    async def afail(request: HttpRequest) -> Any:
        fail(request)

    return afail if iscoroutinefunction(get_response) else fail


class FilterOfProject(SafeExceptionReporterFilter):
    """Masks what it knows."""


class FilterThatInherits(OldCookieFilter):
    """Masks what it knows, and what ours does."""


def old_cookie() -> str:
    with before(DB) as client:
        client.get("/sync/put/color")
        return str(client.cookies["sessionid"].value)


PAGES = {"html": {}, "text": {"accept": "application/json"}}


@pytest.mark.parametrize("form", PAGES)
@pytest.mark.parametrize("views", ["sync", "async"])
def test_a_debug_page_masks_both_cookies(kind: str, views: str, form: str) -> None:
    old = old_cookie()
    with moving(DB, keep=True), override_settings(DEBUG=True):
        visitor = KINDS[kind]()
        present(visitor, old, f"/{views}/show")
        answer = visitor.get(f"/{views}/fail/color", headers=PAGES[form])
        assert answer.status == 500
        assert ("<html" in answer.text) is (form == "html")
        assert [word for word in ("RuntimeError", "sessionid", "__Host-sid") if word not in answer.text] == []
        assert [secret for secret in (old, visitor.id or "") if secret in answer.text] == []


@pytest.mark.parametrize("form", PAGES)
def test_so_does_that_of_a_failure_outside_of_the_sessions(kind: str, form: str) -> None:
    old = old_cookie()
    with moving(DB, outside=[f"{HERE}.failing"]), override_settings(DEBUG=True):
        visitor = KINDS[kind]()
        give(visitor, "sessionid", old)
        answer = visitor.get("/sync/show", headers=PAGES[form])
        assert ("the middleware failed" in answer.text, "sessionid" in answer.text) == (True, True)
        assert old not in answer.text


@pytest.mark.parametrize("cookie", ["sessionid", "shop_session"])
def test_an_error_mail_masks_both_cookies(kind: str, cookie: str) -> None:
    """Text and HTML; whatever the old cookie's name was."""
    old = old_cookie()
    handler, logger = AdminEmailHandler(include_html=True), logging.getLogger("django.request")
    logger.addHandler(handler)
    mail.outbox = []
    try:
        with moving(DB, cookie=cookie), override_settings(**MAIL_IN_MEMORY):
            visitor = KINDS[kind]()
            give(visitor, cookie, old)
            assert visitor.get("/sync/fail/color").status == 500
    finally:
        logger.removeHandler(handler)
    [message] = mail.outbox
    assert isinstance(message, mail.EmailMultiAlternatives)
    parts = [str(message.body), *(str(each[0]) for each in message.alternatives)]
    assert len(parts) == 2
    for part in parts:
        assert cookie in part
        assert old not in part


def told() -> list[str | None]:
    """What the checks say about filters."""
    return [each.id for each in run_checks(tags=["wsgessions"]) if each.id == "wsgessions.W005"]


@pytest.mark.parametrize(("name", "inherits"), [("FilterOfProject", False), ("FilterThatInherits", True)])
def test_a_filter_of_the_project_stays_and_a_check_says_what_it_lacks(name: str, inherits: bool) -> None:
    """Where it inherits from ours, it is as good."""
    with moving(DB), override_settings(DEFAULT_EXCEPTION_REPORTER_FILTER=f"{HERE}.{name}"):
        present(KINDS["wsgi"](), "x" * 32, "/sync/show")
        assert f"{HERE}.{name}" == settings.DEFAULT_EXCEPTION_REPORTER_FILTER
        chosen: Any = get_default_exception_reporter_filter
        chosen.cache_clear()
        assert told() == ([] if inherits else ["wsgessions.W005"])
        assert (get_default_exception_reporter_filter().cleanse_setting("sessionid", "x") != "x") is inherits


def test_without_a_move_there_is_nothing_to_check() -> None:
    with override_settings(DEFAULT_EXCEPTION_REPORTER_FILTER=f"{HERE}.FilterOfProject"):
        assert told() == []


def test_with_djangos_filter_there_is_nothing_to_say() -> None:
    with moving(DB):
        assert told() == []
        present(KINDS["wsgi"](), "x" * 32, "/sync/show")
        assert told() == []
