"""A store in a process whose date is frozen, and in one whose threads are none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from freezegun import freeze_time
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.stores.embedded.watched import ROOT
from wsgessions import SessionManager
from wsgessions.errors import StoreUnavailable
from wsgessions_starlette import StarletteAdapter


@pytest.fixture
def frozen() -> Iterator[None]:
    with freeze_time("2026-01-01"):
        yield


@pytest.mark.usefixtures("frozen")
async def test_the_first_start_works_while_the_date_is_frozen(tmp_path: Path) -> None:
    """The server is waited for in real time, in which it starts."""
    manager = SessionManager(store_url=f"embedded:{tmp_path / 'store'}", nonstop_timeout="20s")
    async with manager.open() as session:
        session["color"] = "red"
    async with manager.open(session.id) as session:
        assert session["color"] == "red"
    await manager.close()


@pytest.mark.usefixtures("frozen")
async def test_a_store_out_of_reach_fails_within_its_deadline_while_the_date_is_frozen() -> None:
    manager = SessionManager(store_url="valkey://127.0.0.1:1", nonstop_timeout="300ms")
    with pytest.raises(StoreUnavailable):
        async with manager.open("A" * 43):
            pytest.fail("nothing was loaded")
    await manager.close()


def test_an_application_starts_in_a_test_client_while_the_date_is_frozen(tmp_path: Path) -> None:
    """The timers of the client's event loop stand still, so the store has one of its own."""

    async def count(request: Request) -> Response:
        request.session["n"] = request.session.get("n", 0) + 1
        return JSONResponse(request.session["n"])

    app = StarletteAdapter(store_url=f"embedded:{tmp_path / 'store'}").install(Starlette(routes=[Route("/", count)]))
    with freeze_time("2026-01-01"), TestClient(app, base_url="https://testserver") as client:
        assert [client.get("/").json() for _ in range(2)] == [1, 2]


def test_threads_that_are_none_are_refused_when_the_manager_is_made() -> None:
    """With gevent's workers for gunicorn the first request worked and most others failed."""
    program = (
        "from gevent import monkey; monkey.patch_all()\n"
        "from wsgessions import SessionManager, errors\n"
        "SessionManager(store_url='memory:')\n"
        "try:\n"
        "    SessionManager(store_url='valkey://127.0.0.1:1')\n"
        "except errors.ConfigError as error:\n"
        "    print(error, error.hint)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "gevent has replaced the threads of this process" in ran.stdout, ran.stderr
    assert "gthread" in ran.stdout
