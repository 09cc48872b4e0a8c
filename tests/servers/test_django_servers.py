"""A Django project under real servers, several at once, over one embedded store and one database of users."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.servers.django_site import SERVERS
from tests.servers.server import HERE, Server, serving
from tests.stores.embedded.watched import PATIENCE, ROOT, Place

pytestmark = pytest.mark.xdist_group("django servers")  # one worker starts them, once

KINDS = sorted(SERVERS)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    place = Place(tmp_path_factory.mktemp("django") / "store")
    database = str(tmp_path_factory.mktemp("users") / "users")
    with serving(place, "django_site.py", KINDS, database) as started:
        yield started


class Visitor:
    """A browser: its cookies go to every server, since all are on one host."""

    def __init__(self, servers: dict[str, Server], http: httpx2.AsyncClient) -> None:
        self._servers = servers
        self.http = http

    async def get(self, kind: str, path: str, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.get(self._servers[kind].url + path, headers=named)

    async def show(self, kind: str, views: str = "async") -> dict[str, object]:
        response = await self.get(kind, f"/{views}/show")
        assert response.status_code == 200, f"{kind}: {response.text}"
        shown: dict[str, object] = response.json()
        return shown


@pytest.fixture
async def visitor(servers: dict[str, Server]) -> AsyncIterator[Visitor]:
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        yield Visitor(servers, http)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_login_at_one_server_is_one_at_all(visitor: Visitor, kind: str) -> None:
    for views in ("sync", "async"):
        await visitor.get(kind, f"/{views}/put/color")
        before = visitor.http.cookies.get("sid")
        await visitor.get(kind, f"/{views}/login/ann")
        assert visitor.http.cookies.get("sid") not in (None, before)
        for each in KINDS:
            assert (await visitor.get(each, f"/{views}/mine")).text == "ann"
            assert (await visitor.show(each, views))["color"] == "color"
        await visitor.get(kind, f"/{views}/logout")
        assert visitor.http.cookies.get("sid") is None
        for each in KINDS:
            assert (await visitor.get(each, f"/{views}/mine")).status_code == 302


async def test_all_at_once_keep_their_attributes(visitor: Visitor) -> None:
    """K-02: views of both kinds under every server."""
    await visitor.get(KINDS[0], "/async/put/first")
    names = {f"{kind}{views}{number}": kind for kind in KINDS for views in ("sync", "async") for number in range(6)}
    puts = [visitor.get(kind, f"/{'async' if 'async' in name else 'sync'}/put/{name}") for name, kind in names.items()]
    assert {answer.status_code for answer in await asyncio.gather(*puts)} == {200}
    for kind in KINDS:
        assert set(await visitor.show(kind)) == {"first", *names}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("views", ["sync", "async"])
async def test_a_session_that_ends_meanwhile_is_djangos_interruption(visitor: Visitor, kind: str, views: str) -> None:
    """S-62: with a warm copy in the memory of the server."""
    await visitor.get(kind, f"/{views}/put/color")
    for _ in range(2):
        await visitor.show(kind, views)
    answer = await visitor.get(kind, f"/{views}/put/size", x_ends_meanwhile="yes")
    assert (answer.status_code, answer.text) == (400, "SessionInterrupted: []")
    for each in KINDS:
        await until(partial(visitor.show, each, views), set())


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_stream_changes_is_kept(visitor: Visitor, kind: str) -> None:
    """R-37."""
    await visitor.get(kind, "/async/put/color")
    views = "sync" if kind in {"wsgi", "gunicorn"} else "async"  # Django warns of iterators of the other kind
    assert (await visitor.get(kind, f"/{views}/stream/late")).text == "first last"
    for each in KINDS:
        await until(partial(visitor.show, each), {"color", "late"})


async def until(show: Callable[[], Awaitable[dict[str, object]]], names: set[str]) -> None:
    """A server may show a copy until word of a change arrives of which the browser has no watermark (C-13, S-60)."""
    async with asyncio.timeout(PATIENCE):
        while set(await show()) != names:  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", KINDS)
async def test_who_has_no_session_is_given_none(visitor: Visitor, kind: str) -> None:
    """S-50."""
    for views in ("sync", "async"):
        for path in ("untouched", "show", "logout"):
            answer = await visitor.get(kind, f"/{views}/{path}")
            assert (answer.status_code, answer.headers.get("set-cookie")) == (200, None)


def test_a_worker_that_replaces_threads_fails_at_the_start(tmp_path: Path) -> None:
    """Rather than at the second request, as it used to; and gunicorn ends with that."""
    ran = subprocess.run(
        [sys.executable, HERE / "django_site.py", f"embedded:{tmp_path / 'store'}", "gevent", str(tmp_path / "users")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "adapters")))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode != 0
    assert "gevent has replaced threads, sockets, processes" in ran.stderr
    assert "gthread" in ran.stderr
