"""A real nginx with a cache, and caches inside of the applications behind it: each visitor gets its own page (S-44)."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx2
import pytest

from tests.servers.nginx import PROGRAM, caching
from tests.servers.server import serving
from tests.stores.embedded.watched import PATIENCE, Place

pytestmark = [
    pytest.mark.skipif(PROGRAM is None, reason="no nginx; `./dev caches` gets one"),
    pytest.mark.xdist_group("shared caches"),  # one worker starts each server, once
]

KINDS = ["bare", "starlette", "django"]
USERS = ["ann", "bob", "cleo", None]
PAGES = ["/me", "/public/me", "/late/me"]
REQUESTS = 500
AT_ONCE = 8


@pytest.fixture(scope="module", params=KINDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an nginx in front of a site."""
    folder = tmp_path_factory.mktemp(request.param)
    with (
        serving(Place(folder / "store"), "cached_app.py", [request.param]) as servers,
        caching(servers[request.param].port, folder) as address,
    ):
        yield address


def visitor(address: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=address, timeout=PATIENCE, trust_env=False)


async def test_of_500_mixed_requests_each_gets_its_own_page(site: str) -> None:
    """S-44, S-40, S-41: whatever was asked before, or at the same time."""
    async with AsyncExitStack() as stack:
        visitors = {user: await stack.enter_async_context(visitor(site)) for user in USERS}
        for user in filter(None, USERS):
            assert (await visitors[user].get(f"/login/{user}")).headers["x-cache"] == "MISS"
        order = random.Random(44)
        kept: Counter[str] = Counter()
        ready = asyncio.Semaphore(AT_ONCE)

        async def ask(user: str | None, page: str) -> tuple[str | None, str, str]:
            async with ready:
                answer = await visitors[user].get(page)
            kept[answer.headers["x-cache"]] += 1
            return user, page, answer.text

        requests = [ask(order.choice(USERS), order.choice(PAGES)) for _ in range(REQUESTS)]
        answers = await asyncio.gather(*requests)
        assert [each for each in answers if each[2] != (each[0] or "nobody")] == []
        assert kept["HIT"] > 0
        assert kept["MISS"] > 0


async def test_a_login_is_not_answered_out_of_the_cache_of_somebody_else(site: str) -> None:
    """S-41: a response that sets the id is kept nowhere."""
    async with visitor(site) as first, visitor(site) as second:
        for each in (first, second):
            answer = await each.get("/login/ann")
            assert (answer.headers["x-cache"], answer.headers["cache-control"]) == ("MISS", "no-store")
        assert first.cookies["sid"] != second.cookies["sid"]
