"""A browser of an application for Starlette, with a store of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TypeAlias

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from wsgessions.testing.fixtures.store_of_test import StoreOfTest
from wsgessions_starlette import StarletteAdapter

__all__ = ["Serve", "serve"]

Serve: TypeAlias = Callable[[Starlette], TestClient]
"""Installs the sessions, starts the application, and gives a browser of it."""


@pytest.fixture
def serve(wsgessions_store: StoreOfTest) -> Iterator[Serve]:
    with ExitStack() as stack:

        def serve(app: Starlette) -> TestClient:
            served = StarletteAdapter(manager=wsgessions_store.manager()).install(app)
            return stack.enter_context(TestClient(served, base_url="https://testserver"))

        yield serve
