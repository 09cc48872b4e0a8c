"""Django under WSGI while the store is out of reach, which it waits for in the request's thread (F-00a)."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path as url

from tests.adapters.django_project import configure

configure()

from tests.stores.valkey.raw_server import RawServer  # noqa: E402
from wsgessions import SessionManager  # noqa: E402
from wsgessions.store.capabilities import find_capability  # noqa: E402
from wsgessions.stores.loop.sync import SyncBridge  # noqa: E402
from wsgessions_django.configuration import use_manager  # noqa: E402


@pytest.fixture
def server() -> Iterator[RawServer]:
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory))
        server.start()
        yield server
        server.kill()


@contextmanager
def visited(
    server: RawServer, timeout: str, *, max_bytes_on_heap: str = "0"
) -> Iterator[tuple[SessionManager, Client]]:
    """A browser with a session, and its manager, whose thread ends here as with the process."""
    manager = SessionManager(store_url=server.url, nonstop_timeout=timeout, max_bytes_on_heap=max_bytes_on_heap)
    try:
        with override_settings():
            use_manager(manager)
            client = Client(raise_request_exception=False)
            client.get("/sync/set-color")
            yield manager, client
    finally:
        async_to_sync(manager.close)()


def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("the view failed")


urlpatterns = [url("fail", fail)]

PATHS = ["/sync/read", "/sync/set-size", "/sync/invalidate"]
"""What waits for the store in the view, and what does so after it."""


def is_out_of_reach(response: Any) -> bool:
    return (response.status_code, response.headers.get("Retry-After")) == (503, "1")


@pytest.mark.parametrize("timeout", ["300ms", "1s", "2s"])
@pytest.mark.parametrize("path", PATHS)
def test_each_response_is_a_503_at_every_timeout(
    server: RawServer, timeout: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also at 1 and 2 seconds, when the thread that waits looks whether the store's event loop is alive."""
    with visited(server, timeout) as (_, client):
        server.pause()
        assert all(is_out_of_reach(client.get(path)) for _ in range(2))
        server.resume()
        assert client.get("/sync/read").json() == {"color": "color"}
    assert "event loop" not in caplog.text


@pytest.mark.parametrize("path", PATHS)
def test_each_response_is_a_503_when_the_server_has_ended(
    server: RawServer, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with visited(server, "300ms") as (_, client):
        server.kill()
        assert all(is_out_of_reach(client.get(path)) for _ in range(3))
    assert "event loop" not in caplog.text


@pytest.mark.parametrize("path", PATHS)
def test_a_store_loop_that_hangs_is_answered_as_a_store_that_does(server: RawServer, path: str) -> None:
    """The wait itself fails then, in the view or after it."""
    with visited(server, "300ms") as (manager, client), blocked(manager):
        assert is_out_of_reach(client.get(path))


def test_a_view_that_fails_without_the_session_keeps_its_own_500(server: RawServer) -> None:
    """R-30: nothing has to be waited for."""
    with visited(server, "300ms") as (manager, client), override_settings(ROOT_URLCONF=__name__), blocked(manager):
        assert client.get("/fail").status_code == 500


def test_a_view_that_fails_after_a_read_keeps_its_own_500(server: RawServer) -> None:
    """R-33: what it has read need not be stored."""
    with visited(server, "300ms", max_bytes_on_heap="1M") as (manager, client):
        assert client.get("/sync/read").json() == {"color": "color"}  # so it is in the near cache
        with blocked(manager):
            assert client.get("/sync/delete-size").status_code == 500


@contextmanager
def blocked(manager: SessionManager) -> Iterator[None]:
    """The event loop of the store stands still."""
    bridge = cast("SyncBridge", find_capability(manager.store, SyncBridge))
    begun, over = threading.Event(), threading.Event()
    blocker = threading.Thread(target=bridge.run_blocking, args=(_blocking(begun, over),))
    blocker.start()
    begun.wait()
    try:
        yield
    finally:
        over.set()
        blocker.join()


def _blocking(begun: threading.Event, over: threading.Event) -> Callable[[], Any]:
    async def block() -> None:
        begun.set()
        over.wait()

    return block
