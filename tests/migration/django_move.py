"""A Django project that moves from one of Django's own engines: before the move, and while it goes on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections
from django.test import Client, override_settings

from tests.adapters.django_project import configure
from tests.adapters.django_visitors import KINDS, Answer, Visitor
from tests.stores.valkey.raw_server import RawServer
from wsgessions import SessionManager
from wsgessions_django import migration as our_takeover
from wsgessions_django import migration_source
from wsgessions_django.configuration import current_manager

__all__ = [
    "BACKENDS",
    "ENGINES",
    "OURS",
    "ann",
    "before",
    "database",
    "files",
    "give",
    "kind",
    "logged_in",
    "moving",
    "nothing_logged_yet",
    "present",
    "store",
]

configure()

OURS = [
    "wsgessions_django.SessionMiddleware",
    "wsgessions_django.TakeoverMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
THEIRS = ["django.contrib.sessions.middleware.SessionMiddleware", *OURS[2:]]
BACKENDS = "django.contrib.sessions.backends"
ENGINES = ("db", "cache", "cached_db", "file", "signed_cookies")


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    call_command("migrate", verbosity=0)
    yield
    connections.close_all()


@pytest.fixture(autouse=True)
def nothing_logged_yet() -> None:
    for module in (migration_source, our_takeover):
        module._log._lines.clear()


@pytest.fixture(autouse=True)
def files(tmp_path: Path) -> Iterator[None]:
    """A folder of this test for the engine of files, which remembers the first one that it has seen."""
    from django.contrib.sessions.backends.file import SessionStore as FileStore

    with override_settings(SESSION_FILE_PATH=str(tmp_path)):
        if "_storage_path" in FileStore.__dict__:
            del FileStore._storage_path  # type: ignore[attr-defined]
        yield


@pytest.fixture(autouse=True)
def store(shared_server: RawServer) -> Iterator[None]:
    """A Valkey for our sessions."""
    ours = {"store_url": shared_server.url, "namespace": f"t{secrets.token_hex(4)}"}
    with override_settings(WSGESSIONS=ours):
        yield


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def ann() -> Any:
    name = f"ann{secrets.token_hex(4)}"
    users: Any = get_user_model().objects
    return users.create_user(name, password=name)


@contextmanager
def before(engine: str) -> Iterator[Client]:
    """The project with its old engine, and a client."""
    with override_settings(
        SESSION_ENGINE=engine,
        MIDDLEWARE=THEIRS,
        SESSION_COOKIE_NAME="sessionid",
        ROOT_URLCONF="tests.adapters.django_views",
    ):
        yield Client()


@contextmanager
def moving(engine: str, *, outside: Sequence[str] = (), **more: Any) -> Iterator[SessionManager]:
    """The project while it moves, and its manager; ``outside`` is middleware around the sessions."""
    plan = {"engine": engine, "until": datetime.now(UTC) + timedelta(days=1), **more}
    with override_settings(
        MIDDLEWARE=[*outside, *OURS], WSGESSIONS_TAKEOVER=plan, ROOT_URLCONF="tests.adapters.django_views"
    ):
        manager = current_manager()
        yield manager
        asyncio.run(manager.close())


def logged_in(engine: str, user: Any) -> str:
    """A session of the old engine: the value of its cookie."""
    with before(engine) as client:
        client.get(f"/sync/login/{user.username}")
        client.get("/sync/put/color")
        return str(client.cookies["sessionid"].value)


def give(visitor: Visitor, name: str, value: str) -> None:
    """A cookie for a visitor, beside those that it has."""
    cookies: Any = visitor.client.cookies if hasattr(visitor, "client") else visitor._cookies  # type: ignore[attr-defined]
    cookies[name] = value


def present(visitor: Visitor, old: str, path: str) -> Answer:
    """What a visitor gets who has the old cookie, beside those that it was given since."""
    give(visitor, "sessionid", old)
    return visitor.get(path)
