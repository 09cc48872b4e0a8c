"""sqladmin's pages behind a login that its `AuthenticationBackend` keeps in the session."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqladmin import Admin, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqladmin.flash import Flash
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.testclient import TestClient

from tests.packages.starlette_client import Serve, serve
from wsgessions_starlette import get_session

__all__ = ["serve"]

GREETING = "Welcome back"


class Base(DeclarativeBase): ...


class Tea(Base):
    __tablename__ = "tea"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class TeaAdmin(ModelView, model=Tea):  # type: ignore[call-arg]  # an argument of its metaclass
    column_list = (Tea.id, Tea.name)


class LoginOfItsOwn(AuthenticationBackend):
    """As in sqladmin's documentation."""

    async def login(self, request: Request) -> bool:
        form = await request.form()
        if form["password"] != "right":
            return False
        request.session["user_id"] = form["username"]
        Flash.success(request, GREETING)
        return True

    async def logout(self, request: Request) -> bool:
        request.session.clear()
        return True

    async def authenticate(self, request: Request) -> bool:
        return "user_id" in request.session


@pytest.fixture
def teas(tmp_path: Path) -> str:
    """The URL of a database with a row in it."""
    url = f"sqlite:///{tmp_path / 'teas'}"
    engine = create_engine(url)
    Base.metadata.create_all(engine)
    with Session(engine) as database:
        database.add(Tea(name="Assam"))
        database.commit()
    engine.dispose()
    return url


def site(teas: str, login: AuthenticationBackend) -> Starlette:
    app = Starlette()
    Admin(app, create_engine(teas), authentication_backend=login).add_view(TeaAdmin)
    return app


class Login(LoginOfItsOwn):
    """The sessions of the application are those of its admin too."""

    def __init__(self) -> None:
        self.middlewares: list[Middleware] = []


class EndingLogin(Login):
    async def logout(self, request: Request) -> bool:
        get_session(request).invalidate()
        return True


def log_in(client: TestClient, given: str = "right") -> int:
    form = {"username": "ann", "password": given}
    return client.post("/admin/login", data=form, follow_redirects=False).status_code


def test_a_login_opens_the_pages_and_a_logout_closes_them(teas: str, serve: Serve) -> None:
    client = serve(site(teas, Login()))
    refused = client.get("/admin/tea/list", follow_redirects=False)
    assert (refused.status_code, refused.headers["location"]) == (302, "https://testserver/admin/login")
    assert log_in(client, "wrong") == 400
    assert "Assam" not in client.get("/admin/tea/list").text
    assert log_in(client) == 302
    assert "Assam" in client.get("/admin/tea/list").text
    assert client.get("/admin/logout").status_code == 200
    assert "Assam" not in client.get("/admin/tea/list").text


def test_a_cookie_of_before_a_logout_that_ends_the_session_opens_nothing_at_any_server(teas: str, serve: Serve) -> None:
    client, another = serve(site(teas, EndingLogin())), serve(site(teas, EndingLogin()))
    log_in(client)
    another.cookies.update(client.cookies)
    assert "Assam" in another.get("/admin/tea/list").text
    client.get("/admin/logout")
    assert "Assam" not in another.get("/admin/tea/list").text


def test_what_is_flashed_is_shown_once(teas: str, serve: Serve) -> None:
    client = serve(site(teas, Login()))
    log_in(client)
    assert GREETING in client.get("/admin/tea/list").text
    assert GREETING not in client.get("/admin/tea/list").text


def test_its_own_sessions_work_beside_those_of_the_application_which_says_so(
    teas: str, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """`AuthenticationBackend` brings Starlette's middleware, for the pages of the admin alone."""
    client = serve(site(teas, LoginOfItsOwn("a secret")))
    assert "mounted at /admin has starlette.middleware.sessions.SessionMiddleware" in caplog.text
    assert log_in(client) == 302
    assert "Assam" in client.get("/admin/tea/list").text
    assert list(client.cookies) == ["session"]
    client.get("/admin/logout")
    assert "Assam" not in client.get("/admin/tea/list").text
