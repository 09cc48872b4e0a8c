"""social-auth: a login at a provider of OpenID Connect, whose state and pipeline are in the session."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest
from django.test import override_settings
from django.urls import include, path

from tests.packages.django_site import (
    COMMON,
    ON_VALKEY,
    Visitor,
    database,
    manager,
    send,
    shared_server,
    show,
    user_of,
    visitor,
)
from tests.packages.oidc_provider import CLIENT_ID, CLIENT_SECRET, Provider, provider

__all__ = ["database", "manager", "provider", "shared_server", "visitor"]

pytestmark = ON_VALKEY

urlpatterns = [path("", include("social_django.urls", namespace="social")), path("show", show)]

SITE = {
    "AUTHENTICATION_BACKENDS": ["social_core.backends.open_id_connect.OpenIdConnectAuth"],
    "LOGIN_REDIRECT_URL": "/show",
    "MIDDLEWARE": COMMON,
    "ROOT_URLCONF": __name__,
    "SOCIAL_AUTH_OIDC_KEY": CLIENT_ID,
    "SOCIAL_AUTH_OIDC_SECRET": CLIENT_SECRET,
    "SOCIAL_AUTH_OIDC_USERNAME_KEY": "name",
}


@pytest.fixture(autouse=True)
def endpoint(provider: Provider) -> Iterator[None]:
    with override_settings(SOCIAL_AUTH_OIDC_OIDC_ENDPOINT=provider.issuer):
        yield


def sent_back_by_the_provider(visitor: Visitor) -> str:
    """The path at which a browser that begins a login returns to the site."""
    begun = send(visitor, "/login/oidc/?next=/show")
    assert begun.status == 302, begun
    back = httpx2.URL(httpx2.get(begun.headers["location"], trust_env=False).headers["location"])
    return back.raw_path.decode()


def test_a_login_finds_its_state_and_the_visitor_is_logged_in(visitor: Visitor) -> None:
    done = visitor.get(sent_back_by_the_provider(visitor))
    assert (done.status, done.headers["location"]) == (302, "/show")
    assert user_of(visitor) == "Ann"
    names = visitor.json("/show")["session"]
    assert [name for name in names if not name.startswith("_auth_user_")] == ["social_auth_last_login_backend"]


def test_the_return_of_another_visitor_is_no_login(visitor: Visitor) -> None:
    address = sent_back_by_the_provider(visitor)
    other = visitor.another()
    assert other.get(address).status == 500
    assert user_of(other) is None
