"""The samples of frameworks without an adapter, as a person starts them: under uvicorn, on two ports."""

from __future__ import annotations

import importlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.stores.embedded.watched import PATIENCE, ROOT, Place, end, wait_until
from wsgessions import SessionMiddleware
from wsgessions.stores.embedded.configuration import free_port
from wsgessions.testing.adapters.client import Browser

FRAMEWORKS = ("falcon", "blacksheep")


class Process:
    """One server: ``uvicorn --app-dir samples/... app:app``."""

    def __init__(self, framework: str, place: Place) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = ["uvicorn", "--app-dir", f"samples/{framework}", "app:app", "--port", str(self.port)]
        settings = {"STORE_URL": f"embedded:{place.path}", "COOKIE__INSECURE": "true"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env={**os.environ, **{f"WSGESSIONS_{name}": value for name, value in settings.items()}},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._listens, f"{framework} on port {self.port}")

    def _listens(self) -> bool:
        with closing(socket.socket()) as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        end(self._process.pid)
        self._process.wait(PATIENCE)


@pytest.fixture
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Process]]:
    place = Place(tmp_path / "store")
    started = [Process(request.param, place) for _ in range(2)]
    yield started
    for server in started:
        server.kill()
    place.end_everything()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """One visitor, whose cookies go to every port of this machine."""
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as client:
        yield client


@pytest.mark.parametrize("servers", FRAMEWORKS, indirect=True)
async def test_two_servers_have_one_session(http: httpx2.AsyncClient, servers: list[Process]) -> None:
    """Visits go on counting on the other server; a login gives a new id, a stream is kept, a logout ends it all."""
    one, other = servers
    first = await http.get(one.url + "/")
    assert first.json() == {"visits": 1, "user": None}
    stolen = dict(http.cookies)
    assert (await http.get(other.url + "/")).json()["visits"] == 2
    assert (await http.post(one.url + "/login/ann")).status_code == 200
    assert http.cookies["sid"] != stolen["sid"]
    assert (await http.get(other.url + "/")).json() == {"visits": 3, "user": "ann"}
    assert (await http.get(one.url + "/download")).text == "part 1\npart 2\npart 3\n"
    one.kill()
    assert (await http.get(other.url + "/")).json() == {"visits": 4, "user": "ann"}
    thief = {"cookie": f"sid={stolen['sid']}"}
    async with httpx2.AsyncClient(headers=thief, trust_env=False) as old:
        assert (await old.get(other.url + "/")).status_code == 409  # counting a visit would begin a session (C-24)
    await http.post(other.url + "/logout")
    assert (await http.get(other.url + "/")).json() == {"visits": 1, "user": None}


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_websocket_keeps_what_is_said(framework: str) -> None:
    made: Any = importlib.import_module(f"samples.{framework}.app")
    app = SessionMiddleware(made.app.app, store_url="memory:")
    browser = Browser(app, app.manager.settings.cookie.name)
    await browser.get("/")
    for texts in (1, 2), (3, 4):
        async with browser.socket("/chat") as chat:
            assert (await chat.next())["type"] == "websocket.accept"
            for number in texts:
                assert await chat.ask("hello") == number
    assert (await browser.get("/")).json()["visits"] == 2
