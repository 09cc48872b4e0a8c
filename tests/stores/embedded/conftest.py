"""Real processes that use an embedded store, and the promise that none of them outlives its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.stores.embedded.supervised import Watched
from tests.stores.embedded.watched import Client, Place, User
from wsgessions.stores.embedded.endpoint import Endpoint


class MakeUser(Protocol):
    def __call__(self, *arguments: str, cwd: Path | None = None) -> User: ...


class MakeClient(Protocol):
    def __call__(self, endpoint: Endpoint, *, signs_in: bool = True) -> Client: ...


class Supervise(Protocol):
    def __call__(self, server: Path, **how: Any) -> Watched: ...


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A directory that does not exist yet. Whatever runs in it ends with the test."""
    made = Place(tmp_path / "store")
    yield made
    made.end_everything()


@pytest.fixture
def make_user(place: Place) -> Iterator[MakeUser]:
    users: list[User] = []

    def make(*arguments: str, cwd: Path | None = None) -> User:
        users.append(User(place.path, *arguments, cwd=cwd))
        return users[-1]

    yield make
    for user in users:
        user.close()


@pytest.fixture
def make_client() -> Iterator[MakeClient]:
    clients: list[Client] = []

    def make(endpoint: Endpoint, *, signs_in: bool = True) -> Client:
        clients.append(Client(endpoint, signs_in=signs_in))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def supervise(place: Place) -> Iterator[Supervise]:
    watched: list[Watched] = []

    def make(server: Path, **how: Any) -> Watched:
        watched.append(Watched(place, server, **how))
        return watched[-1]

    yield make
    for each in watched:
        each.close()
