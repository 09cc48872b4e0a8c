"""starlette-admin's pages behind a login that its `AuthProvider` keeps in the session."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette_admin import BaseAdmin
from starlette_admin.auth import AdminUser, AuthProvider, LoginFailed

from tests.packages.starlette_client import Serve, serve
from wsgessions_starlette import get_session

__all__ = ["serve"]


class Login(AuthProvider):
    """As in starlette-admin's documentation."""

    async def login(self, username: str, password: str, remember_me: bool, request: Request) -> None:
        if password != "right":
            raise LoginFailed("not this one")
        request.session["username"] = username

    async def authenticate(self, request: Request) -> AdminUser | None:
        name = request.session.get("username")
        return AdminUser(name) if name else None

    async def logout(self, request: Request) -> None:
        request.session.clear()


class EndingLogin(Login):
    async def logout(self, request: Request) -> None:
        get_session(request).invalidate()


def site(login: Login) -> Starlette:
    app = Starlette()
    BaseAdmin(auth_provider=login, secret_key="a secret").mount_to(app)
    return app


def post(client: TestClient, path: str, **form: str) -> int:
    """Send a form of the site, with the token that its pages have."""
    client.get("/admin/login")
    token = client.cookies["starlette_admin_csrftoken"]
    return client.post(path, data=form, headers={"x-csrftoken": token}, follow_redirects=False).status_code


def is_inside(client: TestClient) -> bool:
    answer = client.get("/admin/", follow_redirects=False)
    if answer.status_code == 200:
        assert "ann" in answer.text
        return True
    assert (answer.status_code, "/admin/login" in answer.headers["location"]) == (303, True)
    return False


def test_a_login_opens_the_pages_and_a_logout_closes_them(serve: Serve) -> None:
    client = serve(site(Login()))
    assert not is_inside(client)
    assert post(client, "/admin/login", username="ann", password="wrong") == 400
    assert not is_inside(client)
    assert post(client, "/admin/login", username="ann", password="right") == 303
    assert is_inside(client)
    assert post(client, "/admin/logout") == 303
    assert not is_inside(client)


def test_a_cookie_of_before_a_logout_that_ends_the_session_opens_nothing_at_any_server(serve: Serve) -> None:
    client, another = serve(site(EndingLogin())), serve(site(EndingLogin()))
    post(client, "/admin/login", username="ann", password="right")
    another.cookies.update(client.cookies)
    assert is_inside(another)
    post(client, "/admin/logout")
    assert not is_inside(another)
