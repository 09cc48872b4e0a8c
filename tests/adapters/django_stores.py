"""What Django's tests run over: a store of their own, and the session's methods in both spellings."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.test import override_settings

from tests.adapters.django_project import configure
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import SessionManager
from wsgessions_django import SessionStore, configuration, current_manager
from wsgessions_django.configuration import use_manager

__all__ = ["Words", "manager", "shared_server", "url_of", "words"]

configure()

KINDS = {"memory": {}, "valkey": {}, "no near cache": {"max_bytes_on_heap": 0}}


def url_of(kind: str, server: RawServer) -> str:
    return "memory:" if kind == "memory" else server.url


@pytest.fixture(params=KINDS)
def manager(request: pytest.FixtureRequest, shared_server: RawServer) -> Iterator[SessionManager]:
    """The manager of the process, for this test alone: on every kind of store, with the module's other settings."""
    ours: dict[str, Any] = {"store_url": url_of(request.param, shared_server), "namespace": f"t{secrets.token_hex(4)}"}
    site = getattr(request.module, "SITE", {})
    ours |= KINDS[request.param] | getattr(request.module, "SESSIONS", {})
    with all_managers_closed(), override_settings(WSGESSIONS=ours, **site):
        yield current_manager()


@contextmanager
def all_managers_closed() -> Iterator[None]:
    """Close, in the end, the managers that were made meanwhile: each change of Django's settings makes another."""
    made: list[SessionManager] = []

    def note(manager: SessionManager) -> None:
        made.append(manager)
        use_manager(manager)

    with mock.patch.object(configuration, "use_manager", note):
        yield
    for each in made:
        asyncio.run(each.close())


class Words:
    """Calls a method of a session by its name, or its async twin, each time in an event loop of its own."""

    def __init__(self, *, twins: bool) -> None:
        self.twins = twins

    def __call__(self, store: SessionStore, method: str, *args: Any, **named: Any) -> Any:
        if not self.twins:
            return getattr(store, method)(*args, **named)

        async def call() -> Any:
            return await getattr(store, f"a{method}")(*args, **named)

        return asyncio.run(call())


@pytest.fixture(params=["sync", "async"])
def words(request: pytest.FixtureRequest) -> Words:
    return Words(twins=request.param == "async")
