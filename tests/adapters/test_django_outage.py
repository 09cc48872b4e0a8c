"""Django under WSGI while the store stands still: it hears of it from a store that lives in another thread (F-00a)."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client, override_settings

from tests.adapters.django_project import configure

configure()

from tests.stores.valkey.raw_server import RawServer  # noqa: E402
from wsgessions import SessionManager  # noqa: E402
from wsgessions_django.configuration import use_manager  # noqa: E402


@pytest.fixture
def server() -> Iterator[RawServer]:
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory))
        server.start()
        yield server
        server.resume()
        server.kill()


@pytest.mark.parametrize("timeout", ["300ms", "1s", "2s"])
@pytest.mark.parametrize("path", ["/sync/read", "/sync/set-size"])
def test_each_response_is_a_503_at_every_timeout(
    server: RawServer, timeout: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Also at 1 and 2 seconds, when the thread that waits looks whether the store's event loop is alive."""
    manager = SessionManager(store_url=server.url, nonstop_timeout=timeout, max_bytes_on_heap=0)
    with override_settings():
        use_manager(manager)
        client = Client(raise_request_exception=False)
        client.get("/sync/set-color")
        server.pause()
        for _ in range(2):
            response = client.get(path)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
        server.resume()
        assert client.get("/sync/read").json() == {"color": "color"}
    assert "event loop" not in caplog.text
    manager_closed(manager)


def manager_closed(manager: SessionManager) -> None:
    """End the store's thread, as the end of the process does."""
    from asgiref.sync import async_to_sync

    async_to_sync(manager.close)()
