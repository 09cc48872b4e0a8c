"""The pytest plugin: fixtures for tests of applications that use wsgessions.

pytest loads it by itself wherever wsgessions is installed. It registers fixtures and nothing else, and imports what
they need when a test first asks for one. They are synchronous, and serve tests with and without an event loop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .cluster import Clusters
    from .frozen_time import FreezeSessions
    from .loop_thread import LoopThread
    from .session_access import SessionAccess, SessionOf
    from .session_client import SessionClients
    from .store_of_test import ServerOfTests, StoreOfTest

__all__ = [
    "freeze_sessions",
    "session_client",
    "session_of",
    "wsgessions_cluster",
    "wsgessions_server",
    "wsgessions_store",
]


@pytest.fixture(scope="session")
def wsgessions_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerOfTests]:
    """A real embedded Valkey for all tests of this process; see `ServerOfTests`."""
    from .store_of_test import run_server

    with run_server(tmp_path_factory.mktemp("wsgessions")) as server:
        yield server


@pytest.fixture
def wsgessions_store(wsgessions_server: ServerOfTests, _wsgessions_thread: LoopThread) -> Iterator[StoreOfTest]:
    """A store of this test's own: a fresh namespace on that server; see `StoreOfTest`."""
    from .store_of_test import StoreOfTest

    store = StoreOfTest(wsgessions_server.store_url, _wsgessions_thread)
    yield store
    store.close()


@pytest.fixture
def wsgessions_cluster(wsgessions_store: StoreOfTest) -> Clusters:
    """``wsgessions_cluster(n, make_app)``: n servers that share the store of this test; see `Clusters`."""
    from .cluster import Clusters

    return Clusters(wsgessions_store)


@pytest.fixture
def session_client(_wsgessions_access: SessionAccess, _wsgessions_thread: LoopThread) -> SessionClients:
    """``session_client(app, {"user": 1})``: a client whose browser has a session; see `SessionClients`."""
    from .session_client import SessionClients

    return SessionClients(_wsgessions_access, _wsgessions_thread)


@pytest.fixture
def session_of(_wsgessions_access: SessionAccess) -> SessionOf:
    """``session_of(response)``: the session that a response belongs to, as the store has it; see `SessionOf`."""
    from .session_access import SessionOf

    return SessionOf(_wsgessions_access)


@pytest.fixture
def freeze_sessions() -> Iterator[FreezeSessions]:
    """``freeze_sessions(app).move(timedelta(hours=1))``: expiry without waiting; see `FreezeSessions`."""
    from .frozen_time import FreezeSessions

    freeze = FreezeSessions()
    yield freeze
    freeze.thaw()


@pytest.fixture
def _wsgessions_thread() -> Iterator[LoopThread]:
    from .loop_thread import LoopThread

    with LoopThread() as thread:
        yield thread


@pytest.fixture
def _wsgessions_access(_wsgessions_thread: LoopThread) -> Iterator[SessionAccess]:
    from .session_access import SessionAccess

    access = SessionAccess(_wsgessions_thread)
    yield access
    access.close()
