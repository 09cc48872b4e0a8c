"""Whatever takes settings takes the connection of a client, too, or a store of the application's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis.asyncio
from fastapi import FastAPI
from quart import Quart

from tests.adapters.django_project import configure
from tests.canary import PASSWORD, Canary
from wsgessions import SessionManager, SessionMiddleware, SessionSettings, from_redis, install
from wsgessions.errors import ConfigError
from wsgessions.stores.memory.store import MemoryStore
from wsgessions_fastapi import FastAPIAdapter
from wsgessions_litestar import LitestarAdapter
from wsgessions_quart import QuartAdapter, WsgessionsSessionInterface
from wsgessions_starlette import StarletteAdapter
from wsgessions_starlette.compat import SessionMiddleware as CompatMiddleware

configure()

from django.core.asgi import get_asgi_application  # noqa: E402 - Django has to be configured first

from wsgessions_django import DjangoAdapter  # noqa: E402

DJANGO: Any = get_asgi_application()


async def _app(scope: Any, receive: Any, send: Any) -> None: ...


def _of_quart(**given: Any) -> SessionManager:
    app = QuartAdapter(**given).install(Quart(__name__))
    manager: SessionManager = app.extensions["wsgessions"]
    return manager


def _of_interface(**given: Any) -> SessionManager:
    return WsgessionsSessionInterface(**given).join(Quart(__name__))


def _installed(app: Any, **given: Any) -> SessionManager:
    manager: SessionManager = install(app, **given).state.wsgessions
    return manager


TAKING: dict[str, Callable[..., SessionManager]] = {
    "manager": SessionManager,
    "middleware": lambda **given: SessionMiddleware(_app, **given).manager,
    "starlette": lambda **given: StarletteAdapter(**given).manager,
    "compat": lambda **given: CompatMiddleware(_app, "a key", **given).manager,
    "fastapi": lambda **given: FastAPIAdapter(**given).manager,
    "litestar": lambda **given: LitestarAdapter(**given).manager,
    "quart": _of_quart,
    "quart interface": _of_interface,
    "django": lambda **given: DjangoAdapter(**given).install(DJANGO).manager,  # type: ignore[attr-defined]
    "install": lambda **given: install(_app, **given).manager,  # type: ignore[attr-defined]
    "install with an adapter": lambda **given: _installed(
        FastAPI(), adapter="wsgessions_fastapi:FastAPIAdapter", **given
    ),
}


@pytest.fixture(autouse=True)
def _others_see_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions_django.asgi.use_manager", lambda manager: None)


@pytest.mark.parametrize("taking", TAKING)
def test_the_connection_of_a_client_is_taken(taking: str) -> None:
    """In production too, where the store has to be named: it is."""
    client = redis.asyncio.Redis(host="db.example", ssl=True, db=3)
    manager = TAKING[taking](store=from_redis(client), namespace="shop", **_of_production(taking))
    assert str(manager.settings.store_url) == "valkeys://db.example:6379/3"
    assert manager.settings.origin("store_url") == "constructor"
    assert manager.settings.namespace == "shop"


def _of_production(taking: str) -> dict[str, Any]:
    """Starlette's own default is a cookie that production refuses."""
    return {} if taking == "compat" else {"env": "production"}


@pytest.mark.parametrize("taking", TAKING)
def test_a_store_of_the_application_is_taken(taking: str) -> None:
    store = MemoryStore()
    assert TAKING[taking](store=store).store is store


@pytest.mark.parametrize("taking", TAKING)
@pytest.mark.parametrize("name", ["store_url", "tcConfigUrl"])
def test_a_client_beside_a_url_is_refused(monkeypatch: pytest.MonkeyPatch, taking: str, name: str) -> None:
    """R-07, S-79."""
    store = from_redis(redis.asyncio.Redis(password=PASSWORD))
    with Canary(monkeypatch).expecting(ConfigError):
        TAKING[taking](store=store, **{name: f"redis://:{PASSWORD}@host"})


@pytest.mark.parametrize("taking", sorted(TAKING.keys() - {"manager", "compat", "install", "install with an adapter"}))
def test_a_client_beside_a_manager_is_refused(taking: str) -> None:
    """R-07: it would be without effect."""
    with pytest.raises(ConfigError, match="a manager is given"):
        TAKING[taking](store=MemoryStore(), manager=SessionManager(store_url="memory:"))


def test_the_settings_take_it_as_a_url() -> None:
    """Which is how a Django project without `wrap` gives it."""
    settings = SessionSettings(store_url=from_redis(redis.asyncio.Redis(host="h", port=7)))
    assert str(SessionSettings.load(settings, {"namespace": "n"}).store_url) == "valkey://h:7/0"
