"""gunicorn itself, with workers that serve and with those of gevent, which replace threads after `--preload`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.deployment.running import cookies_of, running
from tests.servers.ports import held_port
from tests.stores.embedded.watched import PATIENCE, Place


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Variables of a server; the embedded store that they name ends with the test."""
    place = Place(tmp_path / "store")
    yield {"STORE": str(place.path), "PYTHONWARNINGS": "ignore"}  # gevent warns of what it does so late
    place.end_everything()


def gunicorn(port: int, worker: str, *options: str) -> list[str]:
    options = ("--no-control-socket", *options)
    return ["gunicorn", "-k", worker, "-b", f"127.0.0.1:{port}", *options, "tests.packages.gunicorn_site:application"]


def visit(port: int, **headers: str) -> httpx2.Response:
    return httpx2.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=PATIENCE, trust_env=False)


def test_with_preload_every_request_under_gevent_is_refused_and_the_log_says_why(
    tmp_path: Path, settings: dict[str, str]
) -> None:
    with held_port() as port, running(gunicorn(port, "gevent", "--preload"), port, tmp_path, **settings):
        assert [visit(port).status_code for _ in range(3)] == [500, 500, 500]
        log = (tmp_path / f"log-{port}").read_text()
    (line,) = [line for line in log.splitlines() if "ERROR wsgessions.link: " in line]
    assert "gevent has replaced threads, sockets, processes in this process" in line
    assert "serve the application with other workers (gunicorn -k gthread, or an ASGI server)" in line


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "with preload"])
def test_the_worker_that_the_refusal_names_serves(tmp_path: Path, settings: dict[str, str], preload: list[str]) -> None:
    command = ("gthread", "--threads", "2", *preload)
    with held_port() as port, running(gunicorn(port, *command), port, tmp_path, **settings):
        cookies = cookies_of(visit(port))
        assert [visit(port, **cookies).text for _ in range(3)] == ["2", "3", "4"]
