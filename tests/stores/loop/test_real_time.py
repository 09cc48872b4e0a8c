"""A store in a process whose date is frozen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from freezegun import freeze_time
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.testclient import TestClient

from tests.stores.embedded.watched import ROOT
from tests.stores.valkey.raw_server import RawServer
from wsgessions import SessionId, SessionManager
from wsgessions.errors import NonStopTimeout, StoreUnavailable
from wsgessions_starlette import StarletteAdapter


@pytest.fixture(params=["freezegun", "time-machine"])
def frozen(request: pytest.FixtureRequest) -> Iterator[None]:
    with freeze_time("2026-01-01") if request.param == "freezegun" else time_machine.travel("2026-01-01", tick=False):
        yield


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RawServer]:
    server = RawServer(tmp_path)
    server.start()
    yield server
    server.kill()


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


async def test_deadlines_hold_in_an_event_loop_whose_date_is_frozen_later(server: RawServer) -> None:
    """While the timers of the loop stand still, and after they have been set in a date that is no more."""
    manager = SessionManager(store_url=server.url, nonstop_timeout="300ms", max_bytes_on_heap=0)
    await manager.start()
    async with manager.open() as session:
        session["color"] = "red"
    with freeze_time("2026-01-01"):
        async with manager.open(session.id) as found:
            assert found["color"] == "red"
        server.pause()
        await expect_timeout(manager, session.id)
        server.resume()
    server.pause()
    await expect_timeout(manager, session.id)
    server.resume()
    await manager.close()


async def expect_timeout(manager: SessionManager, session_id: SessionId | None) -> None:
    with pytest.raises(NonStopTimeout):
        async with manager.open(session_id):
            pytest.fail("nothing was loaded")


def test_the_package_can_be_imported_while_the_date_is_frozen(tmp_path: Path) -> None:
    program = (
        "import asyncio\n"
        "from freezegun import freeze_time\n"
        "with freeze_time('2026-01-01'):\n"
        "    from wsgessions import SessionManager\n"
        "async def use():\n"
        f"    manager = SessionManager(store_url={f'embedded:{tmp_path}'!r}, nonstop_timeout='20s')\n"
        "    async with manager.open() as session:\n"
        "        session['color'] = 'red'\n"
        "    await manager.close()\n"
        "    print(session['color'])\n"
        "with freeze_time('2026-01-01'):\n"
        "    asyncio.run(use())\n"
        "asyncio.run(use())\n"
    )
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.stdout.split() == ["red", "red"], ran.stderr
