"""Django Debug Toolbar: its panel of the request shows what is in the session."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import include, path

from tests.packages.django_site import COMMON, ON_VALKEY, Visitor, database, manager, shared_server, visitor

__all__ = ["database", "manager", "shared_server", "visitor"]

pytestmark = ON_VALKEY


def page(request: HttpRequest) -> HttpResponse:
    request.session["cart"] = [*request.session.get("cart", []), "Darjeeling"]
    return HttpResponse("<html><body>welcome</body></html>")


def plain(request: HttpRequest) -> HttpResponse:
    return HttpResponse("<html><body>no session needed</body></html>")


@pytest.fixture(autouse=True)
def shown() -> Iterator[None]:
    with override_settings(DEBUG_TOOLBAR_CONFIG={"SHOW_TOOLBAR_CALLBACK": lambda request: True}):
        yield


urlpatterns = [path("page", page), path("plain", plain), path("__debug__/", include("debug_toolbar.urls"))]

SITE = {
    "DEBUG": True,
    "MIDDLEWARE": [*COMMON[:1], "debug_toolbar.middleware.DebugToolbarMiddleware"],
    "ROOT_URLCONF": __name__,
}


def panel_of(visitor: Visitor, path: str) -> str:
    """The panel of the request that a page was asked for with."""
    shown = visitor.get(path).text
    found = re.search(r'data-request-id="(\w+)"', shown)
    assert found, shown
    return str(visitor.json(f"/__debug__/render_panel/?request_id={found[1]}&panel_id=RequestPanel")["content"])


@pytest.mark.parametrize("visitor", ["wsgi"], indirect=True)  # the toolbar has this panel under WSGI alone
def test_its_panel_shows_what_is_in_the_session(visitor: Visitor) -> None:
    for teas in (["Darjeeling"], ["Darjeeling", "Darjeeling"]):
        panel = unescape(panel_of(visitor, "/page"))
        assert "Session data" in panel
        assert str(teas) in panel


def test_a_page_that_uses_no_session_has_none_for_being_looked_at(visitor: Visitor) -> None:
    panel_of(visitor, "/plain")
    assert visitor.id is None
