"""What the tests of Django packages share: the store, the visitors, and a page that shows the session.

Each module of tests has its own routes (`ROOT_URLCONF` is its name) and the middleware that its package asks for.
"""

from __future__ import annotations

from typing import Final

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token

from tests.adapters.django_stores import manager, shared_server
from tests.adapters.django_users import ann, database
from tests.adapters.django_visitors import Answer, Visitor, visitor
from tests.packages.django_project import COMMON

__all__ = [
    "COMMON",
    "ON_VALKEY",
    "Visitor",
    "ann",
    "database",
    "manager",
    "send",
    "shared_server",
    "show",
    "user_of",
    "visitor",
]

ON_VALKEY: Final = pytest.mark.parametrize("manager", ["valkey"], indirect=True)
"""One kind of store: what differs between them is tested with the adapter."""


def show(request: HttpRequest) -> HttpResponse:
    """A view: the user, the names in the session, and the token for forms."""
    name = request.user.get_username() if request.user.is_authenticated else None
    return JsonResponse({"user": name, "session": sorted(request.session.keys()), "token": get_token(request)})


def send(visitor: Visitor, path: str, **form: str) -> Answer:
    """Send a form of the site, with the token that its pages have."""
    return visitor.post(path, csrfmiddlewaretoken=visitor.json("/show")["token"], **form)


def user_of(visitor: Visitor) -> str | None:
    """The name of the user that is logged in, as the view `show` at ``/show`` says."""
    name: str | None = visitor.json("/show")["user"]
    return name
