"""What Django shows of an error: its debug page, and the mail to the administrators (S-79, S-80)."""

from __future__ import annotations

import html
import logging
from typing import Any

import pytest

from tests.adapters.django_project import MAIL_IN_MEMORY, configure
from tests.canary import VALUE, Canary
from tests.nodes import Node, make_node
from wsgessions import errors
from wsgessions.credentials.identity import new_session_id
from wsgessions.stores.memory.store import MemoryStore

configure()

from django.core import mail  # noqa: E402 - Django has to be configured first
from django.test import RequestFactory, override_settings  # noqa: E402
from django.utils.log import AdminEmailHandler  # noqa: E402
from django.views.debug import technical_500_response  # noqa: E402

from wsgessions_django import SessionStore  # noqa: E402
from wsgessions_django.configuration import use_manager  # noqa: E402


@pytest.fixture
def canary(monkeypatch: pytest.MonkeyPatch) -> Canary:
    return Canary(monkeypatch)


@pytest.fixture
def node() -> Node:
    node = make_node(MemoryStore())
    use_manager(node.manager)
    return node


def fill(store: SessionStore) -> None:
    """What a view does; the page quotes its lines, so the value is named."""
    store["secret"] = VALUE
    store["cart"] = [VALUE]


async def fail(node: Node, call: str) -> None:
    store: Any = SessionStore()
    fill(store)
    await store.asave()
    known = SessionStore(store.session_key)
    await known.aload()
    fill(known)
    node.store.down = call != "unfit"
    if call == "unfit":
        known["unfit"] = object()
        await known.asave()
    elif call == "delete":
        await known.adelete(known.session_key)
    elif call == "exists":
        await known.aexists(known.session_key or "")
    elif call == "cycle":
        await known.acycle_key()
    elif call == "create":
        new = SessionStore()
        fill(new)
        await new.asave()
    else:
        await known.asave()


async def failure(node: Node, call: str) -> errors.WsgessionsError:
    try:
        await fail(node, call)
    except errors.WsgessionsError as error:
        return error
    finally:
        node.store.down = False
    raise AssertionError("nothing has failed")


def visit(node: Node, session_id: str) -> Any:
    """A request with this cookie."""
    request = RequestFactory().get("/")
    name = node.manager.settings.cookie.name
    request.COOKIES[name] = session_id
    request.META["HTTP_COOKIE"] = f"{name}={session_id}"
    return request


@pytest.mark.parametrize("call", ["unfit", "delete", "exists", "cycle", "create", "save"])
async def test_neither_page_nor_mail_shows_an_id_or_a_value(node: Node, canary: Canary, call: str) -> None:
    with override_settings(DEBUG=True, **MAIL_IN_MEMORY):
        canary.secrets.append(new_session_id())
        request, error = visit(node, canary.secrets[-1]), await failure(node, call)
        canary.check(error)
        page = technical_500_response(request, type(error), error, error.__traceback__).content.decode()
        mailed = mailed_for(request, error)
    for text in (page, mailed.body, mailed.alternatives[0][0]):
        assert "wsgessions" in text
        for secret in canary.secrets:
            assert secret not in html.unescape(text)


def mailed_for(request: Any, error: errors.WsgessionsError) -> Any:
    """What the logger ``django.request`` has sent to the administrators."""
    info = (type(error), error, error.__traceback__)
    record = logging.LogRecord("django.request", logging.ERROR, "", 0, "failed", (), info)
    record.request = request
    AdminEmailHandler(include_html=True).emit(record)
    return mail.outbox.pop()
