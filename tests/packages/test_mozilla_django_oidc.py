"""A login by mozilla-django-oidc, which puts another `SessionStore` into the request on its way."""

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

urlpatterns = [path("oidc/", include("mozilla_django_oidc.urls")), path("show", show)]

SITE = {
    "AUTHENTICATION_BACKENDS": ["mozilla_django_oidc.auth.OIDCAuthenticationBackend"],
    "LOGIN_REDIRECT_URL": "/show",
    "LOGOUT_REDIRECT_URL": "/show",
    "MIDDLEWARE": COMMON,
    "OIDC_RP_CLIENT_ID": CLIENT_ID,
    "OIDC_RP_CLIENT_SECRET": CLIENT_SECRET,
    "OIDC_RP_SIGN_ALGO": "RS256",
    "OIDC_USE_PKCE": True,
    "OIDC_USERNAME_ALGO": lambda email: email.partition("@")[0],
    "ROOT_URLCONF": __name__,
}


@pytest.fixture(autouse=True)
def endpoints(provider: Provider) -> Iterator[None]:
    with override_settings(
        OIDC_OP_AUTHORIZATION_ENDPOINT=f"{provider.issuer}/authorize",
        OIDC_OP_JWKS_ENDPOINT=f"{provider.issuer}/jwks",
        OIDC_OP_TOKEN_ENDPOINT=f"{provider.issuer}/token",
        OIDC_OP_USER_ENDPOINT=f"{provider.issuer}/userinfo",
    ):
        yield


def sent_back_by_the_provider(visitor: Visitor) -> str:
    """The path at which a browser that begins a login returns to the site."""
    begun = visitor.get("/oidc/authenticate/?next=/show")
    assert begun.status == 302, begun
    back = httpx2.URL(httpx2.get(begun.headers["location"], trust_env=False).headers["location"])
    return back.raw_path.decode()


def test_a_login_finds_its_state_and_the_visitor_is_logged_in(visitor: Visitor) -> None:
    assert user_of(visitor) is None
    done = visitor.get(sent_back_by_the_provider(visitor))
    assert (done.status, done.headers["location"]) == (302, "/show")
    assert user_of(visitor) == "ann"
    assert set(visitor.json("/show")["session"]) >= {"_auth_user_id", "oidc_id_token_expiration", "oidc_states"}


def test_a_login_gives_a_new_id_and_the_one_before_is_no_way_in(visitor: Visitor) -> None:
    """S-06."""
    address = sent_back_by_the_provider(visitor)
    before = visitor.copy()
    visitor.get(address)
    assert visitor.id != before.id
    assert user_of(before) is None


def test_a_login_is_used_once(visitor: Visitor) -> None:
    address = sent_back_by_the_provider(visitor)
    visitor.get(address)
    assert visitor.get(address).status == 400
    assert user_of(visitor) == "ann"


def test_the_return_of_another_visitor_is_no_login(visitor: Visitor) -> None:
    address = sent_back_by_the_provider(visitor)
    other = visitor.another()
    other.get(address)
    assert user_of(other) is None


def test_a_logout_ends_the_session(visitor: Visitor) -> None:
    visitor.get(sent_back_by_the_provider(visitor))
    before = visitor.copy()
    assert send(visitor, "/oidc/logout/").status == 302
    assert user_of(visitor) is None
    assert user_of(before) is None
