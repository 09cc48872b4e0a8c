"""A login by Authlib, as its documentation has it for Starlette and FastAPI."""

from __future__ import annotations

import httpx2
import pytest
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.starlette_client import OAuth
from authlib.oidc.core import UserInfo
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.packages.oidc_provider import CLIENT_ID, CLIENT_SECRET, PERSON, Provider, provider
from tests.packages.starlette_client import Serve, serve
from wsgessions.testing.fixtures.session_access import SessionOf

__all__ = ["provider", "serve"]


def shop(provider: Provider) -> Starlette:
    oauth = OAuth()
    oauth.register(
        "sso",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        server_metadata_url=f"{provider.issuer}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid email", "code_challenge_method": "S256"},
    )

    async def login(request: Request) -> Response:
        answer: Response = await oauth.sso.authorize_redirect(request, str(request.url_for("callback")))
        return answer

    async def callback(request: Request) -> Response:
        token = await oauth.sso.authorize_access_token(request)
        assert type(token["userinfo"]) is UserInfo
        request.session["user"] = token["userinfo"]
        return RedirectResponse("/")

    async def home(request: Request) -> Response:
        return JSONResponse(request.session.get("user"))

    async def logout(request: Request) -> Response:
        request.session.pop("user", None)
        return RedirectResponse("/")

    return Starlette(
        routes=[
            Route("/", home),
            Route("/login", login),
            Route("/callback", callback, name="callback"),
            Route("/logout", logout),
        ]
    )


def sent_back_by_the_provider(client: TestClient) -> str:
    """The address at which a browser that begins a login returns to the application."""
    begun = client.get("/login", follow_redirects=False)
    assert begun.status_code == 302
    return str(httpx2.get(begun.headers["location"], trust_env=False).headers["location"])


def test_a_login_finds_its_state_and_leaves_the_person_in_the_session(provider: Provider, serve: Serve) -> None:
    client = serve(shop(provider))
    assert client.get("/").json() is None
    person = client.get(sent_back_by_the_provider(client)).json()
    assert person == person | PERSON
    assert client.get("/").json()["email"] == PERSON["email"]
    assert client.get("/logout").json() is None


def test_the_person_is_stored_as_a_plain_dict_and_the_state_of_the_login_is_gone(
    provider: Provider, serve: Serve, session_of: SessionOf
) -> None:
    client = serve(shop(provider))
    client.get(sent_back_by_the_provider(client))
    stored = session_of(client.get("/"), client.app)
    assert list(stored) == ["user"]
    assert type(stored["user"]) is dict


def test_a_second_begin_of_the_login_takes_the_place_of_the_first(
    provider: Provider, serve: Serve, session_of: SessionOf
) -> None:
    client = serve(shop(provider))
    sent_back_by_the_provider(client)
    address = sent_back_by_the_provider(client)
    states = [name for name in session_of(client.get("/"), client.app) if name.startswith("_state_sso_")]
    assert len(states) == 1
    assert client.get(address).json()["sub"] == PERSON["sub"]


def test_a_login_that_begins_at_one_server_ends_at_another(provider: Provider, serve: Serve) -> None:
    first, second = serve(shop(provider)), serve(shop(provider))
    address = sent_back_by_the_provider(first)
    second.cookies.update(first.cookies)
    assert second.get(address).json()["sub"] == PERSON["sub"]
    first.cookies.update(second.cookies)
    assert first.get("/").json()["sub"] == PERSON["sub"]


@pytest.mark.parametrize("begins", [False, True], ids=["without a session", "with a login of its own"])
def test_the_callback_of_another_browser_is_refused(provider: Provider, serve: Serve, *, begins: bool) -> None:
    client = serve(shop(provider))
    address = sent_back_by_the_provider(client)
    client.cookies.clear()
    if begins:
        sent_back_by_the_provider(client)
    with pytest.raises(MismatchingStateError):
        client.get(address)
    assert client.get("/").json() is None
