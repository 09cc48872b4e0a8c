"""One session in all frameworks at once: a process of each under uvicorn, one embedded store, one browser."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from tests.servers.server import Server, serving
from tests.stores.embedded.watched import PATIENCE, Place
from wsgessions.install import registered

pytestmark = pytest.mark.xdist_group("servers of all frameworks")  # one worker starts them, once

FRAMEWORKS = sorted(registered())
"""By the names of their adapters, so that no new one is left out."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    with serving(Place(tmp_path_factory.mktemp("all") / "store"), "framework_app.py", FRAMEWORKS) as started:
        yield started


class Visitor:
    """A browser: its cookies go to every server, since all are on one host."""

    def __init__(self, servers: dict[str, Server], http: httpx2.AsyncClient) -> None:
        self._servers = servers
        self._http = http

    def url(self, framework: str, path: str) -> str:
        return self._servers[framework].url + path

    async def get(self, framework: str, path: str) -> httpx2.Response:
        return await self._http.get(self.url(framework, path))

    async def do(self, framework: str, action: str) -> Any:
        response = await self.get(framework, f"/do/{action}")
        assert response.status_code == 200, f"{framework}: {response.text}"
        return response.json()

    @property
    def id(self) -> str | None:
        return self._http.cookies.get("sid")


@pytest.fixture
async def visitor(servers: dict[str, Server]) -> AsyncIterator[Visitor]:
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as http:
        yield Visitor(servers, http)


async def test_each_framework_reads_what_every_other_one_has_just_written(visitor: Visitor) -> None:
    """K-01: each pair in both directions, with a change inside of an attribute, which only the newest list can take."""
    await visitor.do(FRAMEWORKS[0], "cart")
    said: list[str] = []
    for number, (writer, reader) in enumerate(itertools.permutations(FRAMEWORKS, 2)):
        said.append(f"{writer}{number}")
        await visitor.do(writer, f"append-{said[-1]}")
        assert await visitor.do(reader, "get-cart") == {"lines": said}, f"{writer}, then {reader}"


async def test_all_at_once_keep_their_attributes_and_count_exactly(visitor: Visitor) -> None:
    """K-02, K-03."""
    await visitor.do(FRAMEWORKS[0], "set-first")
    names = {f"{framework}{number}": framework for framework in FRAMEWORKS for number in range(10)}
    await asyncio.gather(*(visitor.do(framework, f"set-{name}") for name, framework in names.items()))
    counts = await asyncio.gather(*(visitor.do(framework, "increment-n") for framework in names.values()))
    assert Counter(counts) == Counter(range(1, len(names) + 1))
    for framework in FRAMEWORKS:
        assert await visitor.do(framework, "names") == sorted(["first", "n", *names])


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_login_in_one_framework_ends_the_old_id_in_all(framework: str, visitor: Visitor) -> None:
    """S-06, K-12."""
    await visitor.do(framework, "set-color")
    for each in FRAMEWORKS:
        assert await visitor.do(each, "get-color") == "color"  # from here on all have a copy
    old = {"cookie": f"sid={visitor.id}"}
    await visitor.do(framework, "login-ann")
    for each in FRAMEWORKS:
        assert await visitor.do(each, "read") == {"color": "color", "user": "ann"}
        await until_empty(visitor, each, old)


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_whom_one_framework_has_logged_in_all_know(framework: str, visitor: Visitor) -> None:
    """S-55: the principal goes with the session, whatever the framework calls a user."""
    await visitor.do(framework, "set-color")
    await visitor.do(framework, "bind-ann")
    for each in FRAMEWORKS:
        assert await visitor.do(each, "principal") == "ann"
    await visitor.do(framework, "unbind")
    for each in FRAMEWORKS:
        assert [await visitor.do(each, "principal"), await visitor.do(each, "names")] == [None, ["color"]]


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_logout_in_one_framework_is_one_in_all(framework: str, visitor: Visitor) -> None:
    """S-54: and what is sent late brings nothing back (S-62)."""
    await visitor.do(framework, "login-ann")
    for each in FRAMEWORKS:
        assert await visitor.do(each, "get-user") == "ann"
    old = {"cookie": f"sid={visitor.id}"}
    await visitor.do(framework, "invalidate")
    assert visitor.id is None
    for each in FRAMEWORKS:
        assert await visitor.do(each, "read") == {}
        await until_empty(visitor, each, old)


async def until_empty(visitor: Visitor, framework: str, cookies: dict[str, str]) -> None:
    """Until an old id is nobody's there: a copy may be served until the word of its end arrives (S-60)."""
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False) as nobody, asyncio.timeout(PATIENCE):
        while (await nobody.get(visitor.url(framework, "/do/read"), headers=cookies)).json() != {}:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_values_of_every_kind_come_back_alike_in_all(framework: str, visitor: Visitor) -> None:
    """R-02: what JSON knows no word for, too."""
    await visitor.do(framework, "values")
    for each in FRAMEWORKS:
        assert await visitor.do(each, "same-values") is True, f"{framework}, then {each}"


async def test_each_framework_gives_the_same_session_to_its_own_serializer(visitor: Visitor) -> None:
    await visitor.do(FRAMEWORKS[0], "cart")
    for framework in FRAMEWORKS:
        assert (await visitor.get(framework, "/session")).json() == {"cart": {"lines": []}}


async def test_who_has_no_session_is_given_none_by_any_of_them(visitor: Visitor) -> None:
    """S-50."""
    for framework in FRAMEWORKS:
        response = await visitor.get(framework, "/untouched")
        assert response.status_code == 200
        assert "set-cookie" not in response.headers
