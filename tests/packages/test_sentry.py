"""Sentry with its integrations of the frameworks: no event of a failed request has a session's id or cookie (S-80)."""

from __future__ import annotations

import pytest
from django.http import HttpRequest, HttpResponse
from django.urls import path
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sentry_sdk.integrations.django import DjangoIntegration
from sentry_sdk.integrations.fastapi import FastApiIntegration
from sentry_sdk.integrations.starlette import StarletteIntegration

from tests.packages.django_site import COMMON, ON_VALKEY, Visitor, database, manager, shared_server, visitor
from tests.sentry_events import Sent, sending
from wsgessions.scrubbing import FILTERED
from wsgessions.testing.fixtures.store_of_test import StoreOfTest
from wsgessions_django import get_session
from wsgessions_fastapi import FastAPIAdapter, SessionDep

__all__ = ["database", "manager", "shared_server", "visitor"]

pytestmark = pytest.mark.filterwarnings("ignore:The send_default_pii option:DeprecationWarning")


def begin(request: HttpRequest) -> HttpResponse:
    request.session["cart"] = ["tea"]
    return HttpResponse()


def fail(request: HttpRequest) -> HttpResponse:
    session, cookies, headers = get_session(request), request.COOKIES, dict(request.headers)
    raise RuntimeError(f"no such tea for {session!r}, {len(cookies)}, {len(headers)}")


urlpatterns = [path("begin", begin), path("fail", fail)]

SITE = {"MIDDLEWARE": COMMON, "ROOT_URLCONF": __name__}


def check(sent: Sent, *secrets: str | None) -> None:
    """An event of the error, and one of the request, without these."""
    assert any("no such tea" in envelope and '"vars"' in envelope for envelope in sent.envelopes)
    assert any(FILTERED in envelope for envelope in sent.envelopes)
    for secret in secrets:
        assert secret
        assert not any(secret in envelope for envelope in sent.envelopes)


@ON_VALKEY
def test_of_a_view_of_django(visitor: Visitor) -> None:
    visitor.get("/begin")
    with sending(DjangoIntegration()) as sent:
        assert visitor.get("/fail").status == 500
    check(sent, visitor.id)


def test_of_an_endpoint_of_fastapi(wsgessions_store: StoreOfTest) -> None:
    app = FastAPI()

    @app.get("/begin")
    async def begin(session: SessionDep) -> None:
        session["cart"] = ["tea"]

    @app.get("/fail")
    async def fail(session: SessionDep) -> None:
        raise RuntimeError(f"no such tea for {session!r}")

    with sending(StarletteIntegration(), FastApiIntegration()) as sent:
        FastAPIAdapter(manager=wsgessions_store.manager()).install(app)
        with TestClient(app, base_url="https://testserver", raise_server_exceptions=False) as client:
            client.get("/begin")
            assert client.get("/fail").status_code == 500
            check(sent, *client.cookies.values())
