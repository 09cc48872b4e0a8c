"""quart-auth, which keeps the login in a cookie of its own, beside the session of the same visitor."""

from __future__ import annotations

from quart import Quart, session
from quart_auth import AuthUser, QuartAuth, current_user, login_required, login_user, logout_user

from wsgessions.testing.fixtures.store_of_test import StoreOfTest
from wsgessions_quart import QuartAdapter


def shop(store: StoreOfTest) -> Quart:
    app = Quart(__name__)
    app.secret_key = "a secret"
    QuartAuth(app)

    @app.get("/add")
    async def add() -> list[str]:
        session["cart"] = [*session.get("cart", []), "tea"]
        return list(session["cart"])

    @app.get("/login")
    async def login() -> list[str]:
        login_user(AuthUser("ann"))
        return await add()

    @app.get("/orders")
    @login_required
    async def orders() -> dict[str, object]:
        return {"of": current_user.auth_id, "cart": session["cart"]}

    @app.get("/logout")
    async def logout() -> str:
        logout_user()
        session.clear()
        return "goodbye"

    return QuartAdapter(manager=store.manager()).install(app)


async def test_a_login_and_a_session_are_of_one_visitor(wsgessions_store: StoreOfTest) -> None:
    client = shop(wsgessions_store).test_client()
    assert (await client.get("/orders", scheme="https")).status_code == 401
    assert await (await client.get("/add", scheme="https")).get_json() == ["tea"]
    assert await (await client.get("/login", scheme="https")).get_json() == ["tea", "tea"]
    orders = await client.get("/orders", scheme="https")
    assert await orders.get_json() == {"of": "ann", "cart": ["tea", "tea"]}
    await client.get("/logout", scheme="https")
    assert (await client.get("/orders", scheme="https")).status_code == 401


async def test_the_cookie_of_the_id_is_the_last_of_a_response_with_both(wsgessions_store: StoreOfTest) -> None:
    """For front ends that pass on one of them only, which would lose the session."""
    answer = await shop(wsgessions_store).test_client().get("/login", scheme="https")
    names = [field.partition("=")[0] for field in answer.headers.getlist("set-cookie")]
    assert names == ["QUART_AUTH", "__Host-sid-v", "__Host-sid"]
