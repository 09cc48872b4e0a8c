"""The database of Django's tests, with users in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connections

__all__ = ["ann", "database", "user"]


@pytest.fixture(scope="module", autouse=True)
def database() -> Iterator[None]:
    call_command("migrate", verbosity=0)
    yield
    connections.close_all()


@pytest.fixture
def ann() -> Any:
    return user("ann")


def user(name: str, **more: Any) -> Any:
    """A user whose password is the name."""
    name = f"{name}{secrets.token_hex(4)}"
    users: Any = get_user_model().objects
    return users.create_user(name, password=name, **more)
