"""What frameworks keep in a session for themselves stands side by side in one that they share."""

from __future__ import annotations

from itertools import combinations
from typing import Any

from quart import Quart, flash, get_flashed_messages
from quart import session as quart_session

from tests.adapters.django_project import configure
from wsgessions import SessionManager
from wsgessions_quart import QuartAdapter
from wsgessions_quart.session import PERMANENT

configure()

from django.contrib import auth  # noqa: E402 - Django has to be configured first
from django.contrib.messages import INFO  # noqa: E402
from django.contrib.messages.storage.session import SessionStorage  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.middleware.csrf import CSRF_SESSION_KEY  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from wsgessions_django import SessionStore  # noqa: E402
from wsgessions_django.configuration import use_manager  # noqa: E402

DJANGO = {
    auth.SESSION_KEY,
    auth.BACKEND_SESSION_KEY,
    auth.HASH_SESSION_KEY,
    CSRF_SESSION_KEY,
    SessionStorage.session_key,
    "_session_expiry",
}
QUART = {"_flashes", PERMANENT}
FLASK_LOGIN = {"_user_id", "_fresh", "_id", "_remember", "_remember_seconds"}


def test_no_framework_calls_anything_as_another_one_does() -> None:
    assert all(not one & other for one, other in combinations((DJANGO, QUART, FLASK_LOGIN), 2))


async def test_messages_of_django_and_of_quart_are_in_one_session_and_each_reads_its_own() -> None:
    manager = SessionManager(store_url="memory:")
    app = Quart("tests.adapters.test_reserved_attributes")

    @app.get("/")
    async def say() -> Any:
        await flash("from Quart")
        await quart_session.commit()  # type: ignore[attr-defined]  # it is ours
        return quart_session.id.get_secret_value()  # type: ignore[attr-defined]

    @app.get("/hear")
    async def hear() -> Any:
        return {"names": sorted(quart_session), "heard": get_flashed_messages()}

    QuartAdapter(manager=manager).install(app)
    use_manager(manager)
    client = app.test_client()
    session_id = await (await client.get("/", scheme="https")).get_data(as_text=True)
    storage = await messages_of(session_id)
    storage.add(INFO, "from Django")
    storage.update(HttpResponse())
    await storage.request.session.asave()
    heard = await (await client.get("/hear", headers={"cookie": f"__Host-sid={session_id}"})).get_json()
    assert heard == {"heard": ["from Quart"], "names": ["_flashes", "_messages"]}
    assert [message.message for message in await messages_of(session_id)] == ["from Django"]
    await manager.close()


async def messages_of(session_id: str) -> Any:
    request = RequestFactory().get("/")
    request.session = SessionStore(session_id)
    await request.session.aload()
    return SessionStorage(request)
