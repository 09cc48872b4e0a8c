"""Two servers, one store, many requests at once: what must hold between them (K-02, K-03, K-04, K-08, K-11)."""

from __future__ import annotations

import asyncio
import itertools
import socket
from collections import Counter
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest

from tests.asgi_driver import Browser, answering, logout, respond, rotate, untouched
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import Managers, manager_at, managers
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.store.capabilities import CacheLookup
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.web import Receive, Scope, Send

__all__ = ["managers", "shared_server"]

PARALLEL = 100


def on(manager: SessionManager, handler: Any) -> SessionMiddleware:
    return SessionMiddleware(answering(handler), manager=manager)


async def known_to(manager: SessionManager, **attributes: Any) -> Browser:
    """A browser with a session of these attributes."""
    browser, setting = Browser(), on(manager, partial(Session.update, **attributes))
    async with asyncio.timeout(20):
        while (await browser.request(setting)).status == 503:  # noqa: ASYNC110 - a short deadline, on a busy machine
            await asyncio.sleep(0)
    return browser


async def stored(manager: SessionManager, browser: Browser) -> Any:
    return (await browser.copy().request(on(manager, dict))).data


async def test_a_hundred_requests_that_each_set_their_own_attribute_lose_none(managers: Managers) -> None:
    """K-02: 100 of 100, on both nodes at once."""
    browser = await known_to(managers[0], always=1)
    ready = asyncio.Barrier(PARALLEL)

    async def request(number: int) -> int:
        async def handler(session: Session) -> None:
            assert session["always"] == 1
            await ready.wait()
            session[f"a{number}"] = number

        return (await browser.copy().request(on(managers[number % 2], handler))).status

    assert await asyncio.gather(*map(request, range(PARALLEL))) == [200] * PARALLEL
    expected = {"always": 1, **{f"a{number}": number for number in range(PARALLEL)}}
    for manager in managers:
        assert await stored(manager, browser) == expected


async def test_a_hundred_increments_are_a_hundred(managers: Managers) -> None:
    """K-03, K-04: each result and each version belongs to one of them."""
    browser = await known_to(managers[0], n=0)
    ready = asyncio.Barrier(PARALLEL)

    async def request(number: int) -> Any:
        async def handler(session: Session) -> tuple[float, int]:
            await ready.wait()
            return await session.increment("n"), session.version

        return (await browser.copy().request(on(managers[number % 2], handler))).data

    results = await asyncio.gather(*map(request, range(PARALLEL)))
    assert sorted(count for count, _ in results) == list(range(1, PARALLEL + 1))
    assert [count for count, _ in sorted(results, key=lambda result: result[1])] == list(range(1, PARALLEL + 1))
    for manager in managers:
        assert await stored(manager, browser) == {"n": PARALLEL}


async def test_tokens_appended_by_all_are_all_there_in_one_order(managers: Managers) -> None:
    """K-05: each list that was read is a prefix of the last one."""
    browser = await known_to(managers[0], tokens=[])
    readings: list[list[int]] = []

    async def request(number: int) -> int:
        async def handler(session: Session) -> None:
            readings.append(await session.update("tokens", lambda tokens: [*tokens, number]))

        return (await browser.copy().request(on(managers[number % 2], handler))).status

    assert await asyncio.gather(*map(request, range(40))) == [200] * 40
    final = (await stored(managers[0], browser))["tokens"]
    assert sorted(final) == list(range(40))
    assert all(reading == final[: len(reading)] for reading in readings)


async def test_one_browser_reads_its_own_writes_on_the_other_node(managers: Managers) -> None:
    """K-01."""
    browser = await known_to(managers[0], n=0)
    for number in range(1, 101):
        await browser.request(on(managers[number % 2], partial(Session.update, n=number)))
        assert (await browser.request(on(managers[(number + 1) % 2], lambda session: session["n"]))).data == number


async def test_versions_only_grow_whichever_node_commits(managers: Managers) -> None:
    """K-04: and no version ever names two contents."""
    browser = await known_to(managers[0], n=0)
    seen: dict[int, int] = {}
    values = itertools.count(1)

    async def request(number: int) -> None:
        async def handler(session: Session) -> None:
            assert seen.setdefault(session.version, session["n"]) == session["n"]
            session["n"] = value = next(values)
            await session.commit()
            assert seen.setdefault(session.version, value) == value

        await browser.copy().request(on(managers[number % 2], handler))

    for _ in range(5):
        await asyncio.gather(*map(request, range(20)))
    assert len(seen) >= 100


async def test_a_logout_wins_over_requests_that_are_under_way_on_both_nodes(managers: Managers) -> None:
    """K-08, S-62, S-216: the session never comes back, the slow ones answer 409, and a tombstone alone is left."""
    browser = await known_to(managers[0], n=0)
    slow_ones, arrived, go_on = 20, asyncio.Semaphore(0), asyncio.Event()

    async def slow(number: int) -> int:
        async def handler(session: Session) -> None:
            session[f"a{number}"] = number
            arrived.release()
            await go_on.wait()

        response = await browser.copy().request(on(managers[number % 2], handler))
        assert response.set_cookies == {}
        return response.status

    requests = [asyncio.ensure_future(slow(number)) for number in range(slow_ones)]
    for _ in requests:
        await arrived.acquire()
    thief = browser.copy()
    await browser.request(on(managers[0], logout))
    assert [await stored(manager, thief) for manager in managers] == [{}, {}]
    go_on.set()
    assert await asyncio.gather(*requests) == [409] * slow_ones
    assert [await stored(manager, thief) for manager in managers] == [{}, {}]
    assert sum(manager.statistics.refused_commits for manager in managers) == slow_ones
    await _nothing_but_a_tombstone(managers[0])


async def _nothing_but_a_tombstone(manager: SessionManager) -> None:
    """No live session is counted; on a server, no record is without an end."""
    assert await manager.store.count() == 0  # type: ignore[attr-defined]  # both kinds can
    if manager.settings.store_url.scheme == "memory":
        return
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(manager.settings.store_url.get_secret_value().removeprefix("unix://"))
        keys = ask(client, "KEYS", f"{manager.settings.namespace}:*:s:*")
        assert len(keys) == 1
        assert 0 < ask(client, "PTTL", keys[0]) <= 15 * 60 * 1000 + 5000


async def test_rotations_at_once_leave_one_session_and_every_loser_is_told(managers: Managers) -> None:
    """K-12: at the store exactly one id is valid in the end."""
    browser = await known_to(managers[0], n=1)
    ready = asyncio.Barrier(10)

    async def request(number: int) -> Browser | None:
        async def handler(session: Session) -> None:
            await ready.wait()
            rotate(session)

        tab = browser.copy()
        response = await tab.request(on(managers[number % 2], handler))
        assert response.status in {200, 409}
        return tab if response.status == 200 else None

    winners = list(filter(None, await asyncio.gather(*map(request, range(10)))))
    assert len(winners) == 1
    assert await stored(managers[1], winners[0]) == {"n": 1}
    assert await stored(managers[0], browser) == {}
    assert await managers[0].store.count() == 1  # type: ignore[attr-defined]


async def test_requests_of_one_session_at_once_share_no_object(managers: Managers) -> None:
    """K-11."""
    browser = await known_to(managers[0], cart=["pot"])
    ready, seen = asyncio.Barrier(10), []

    async def request(number: int) -> None:
        async def handler(session: Session) -> None:
            cart = session["cart"]
            seen.append(cart)
            cart.append(number)
            await ready.wait()
            assert cart == ["pot", number]
            cart.pop()

        await browser.copy().request(on(managers[number % 2], handler))

    await asyncio.gather(*map(request, range(10)))
    assert len(set(map(id, seen))) == 10
    assert await stored(managers[0], browser) == {"cart": ["pot"]}


# -- what it costs at a real server ------------------------------------------------------------------------------------


class Costs:
    """Counts the commands that a server runs, those inside of scripts too."""

    def __init__(self, server: RawServer) -> None:
        self._client = socket.socket(socket.AF_UNIX)
        self._client.connect(server.path)

    def take(self) -> Counter[str]:
        """What was run since the last call."""
        lines = ask(self._client, "INFO", "commandstats").decode().splitlines()
        ask(self._client, "CONFIG", "RESETSTAT")
        pairs = (line.removeprefix("cmdstat_").split(":calls=") for line in lines if ":calls=" in line)
        counts = Counter({name: int(figures.partition(",")[0]) for name, figures in pairs})
        return Counter({name: n for name, n in counts.items() if name not in {"info", "config|resetstat"}})

    def close(self) -> None:
        self._client.close()


LOADS = {"zadd"}  # HGET belongs to the search for lost entries of the index, HMGET to heartbeats
WRITES = {"set", "hset", "hdel", "del", "unlink", "zadd", "zrem", "pexpire", "pexpireat", "expire", "incr", "xadd"}


@pytest.fixture
async def manager(shared_server: RawServer) -> AsyncIterator[SessionManager]:
    manager = manager_at(shared_server.url)
    yield manager
    await manager.close()


@pytest.fixture
async def costs(shared_server: RawServer) -> AsyncIterator[Costs]:
    costs = Costs(shared_server)
    yield costs
    costs.close()


async def _warm(manager: SessionManager, costs: Costs) -> Browser:
    """A browser with a session, and a server that knows all scripts that will be used."""
    browser = await known_to(manager, n=0)
    await browser.request(on(manager, partial(Session.update, n=1)))
    costs.take()
    return browser


async def test_an_untouched_route_asks_the_server_nothing(shared_server: RawServer, costs: Costs) -> None:
    """R-30, S-04: without an id, with a malformed one; on an excluded path with a good one.

    Without a near cache, which could answer, and whose heartbeats would be counted too.
    """
    manager = manager_at(shared_server.url, lease="0s")
    browser = await _warm(manager, costs)
    app = SessionMiddleware(untouched, manager=manager)
    for cookies in ({}, {"__Host-sid": "x"}, {"__Host-sid": "A" * 42 + "\n"}, {"other": "1"}):
        assert (await Browser(**cookies).request(app)).start["headers"] == []
    assert costs.take() == {}
    excluding = SessionManager(manager.settings, store=manager.store, exclude=["/static"])
    await browser.request(SessionMiddleware(untouched, manager=excluding), "/static/a")
    assert costs.take() == {}
    await manager.close()


async def test_an_untouched_route_with_an_id_is_one_load(shared_server: RawServer, costs: Costs) -> None:
    """R-30: at most, where nothing is kept in memory."""
    manager = manager_at(shared_server.url, lease="0s")
    browser = await _warm(manager, costs)
    response = await browser.request(SessionMiddleware(untouched, manager=manager))
    assert response.start["headers"] == []
    ran = costs.take()
    assert not WRITES & set(ran)
    assert ran["evalsha"] + ran["eval"] == 1
    await manager.close()


async def test_a_read_from_the_store_is_one_call_and_writes_nothing(shared_server: RawServer, costs: Costs) -> None:
    """S-63: its touch waits for the batch."""
    manager = manager_at(shared_server.url, lease="0s")
    browser = await _warm(manager, costs)
    for _ in range(10):
        assert (await browser.request(on(manager, dict))).data == {"n": 1}
    ran = costs.take()
    assert not WRITES & set(ran)
    assert ran["evalsha"] + ran["evalsha_ro"] + ran["hgetall"] in {10, 20}
    assert ran["eval"] == 0
    await manager.close()


async def test_hot_reads_ask_the_server_nothing(shared_server: RawServer, costs: Costs) -> None:
    """Of 10 000 requests it hears nothing: only the beats of the node, its reaper, and an audit now and then (C-19)."""
    manager = manager_at(shared_server.url, lease="5s")
    browser = await _warm(manager, costs)
    await _until_served_from_memory(manager, browser)
    app, before = on(manager, dict), _hits(manager)
    costs.take()
    for _ in range(10_000):
        assert (await browser.request(app)).data == {"n": 1}
        await asyncio.sleep(0)
    ran = costs.take()
    assert _hits(manager) - before == 10_000
    assert not LOADS & set(ran)
    assert ran["zscore"] < 100, "only some hits are compared with the store (C-19)"
    await manager.close()


async def test_a_write_is_one_load_and_one_script(shared_server: RawServer, costs: Costs) -> None:
    manager = manager_at(shared_server.url, lease="0s")
    browser = await _warm(manager, costs)
    await browser.request(on(manager, dict))
    load = costs.take()
    await browser.request(on(manager, partial(Session.update, n=2)))
    ran = costs.take()
    assert ran["evalsha"] == load["evalsha"] + 1
    assert ran["eval"] == 0
    await manager.close()


async def test_a_thousand_reads_are_touched_once(shared_server: RawServer, costs: Costs) -> None:
    """S-63: one touch per interval, whatever the number of reads."""
    manager = manager_at(shared_server.url)
    browser = await _warm(manager, costs)
    app = on(manager, dict)
    for _ in range(1000):
        await browser.request(app)
    assert costs.take()["zadd"] == 0
    await manager.close()
    assert costs.take()["zadd"] == 1


async def test_nothing_in_the_store_can_be_presented_as_an_id(
    manager: SessionManager, shared_server: RawServer
) -> None:
    """S-08: keys, fields, members and values hold digests only, before and after a rotation and a logout."""
    browsers = [await known_to(manager, n=number) for number in range(5)]
    ids = {browser.cookies["__Host-sid"] for browser in browsers}
    await browsers[0].request(on(manager, rotate))
    await browsers[1].request(on(manager, logout))
    ids |= {browser.cookies.get("__Host-sid", "none at all") for browser in browsers}
    readers = {b"hash": ("HGETALL",), b"zset": ("ZRANGE", "0", "-1"), b"string": ("GET",), b"none": ("EXISTS",)}
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(shared_server.path)
        everything = []
        keys = ask(client, "KEYS", "*")
        for key in keys:
            command, *rest = readers[ask(client, "TYPE", key)]
            content = ask(client, command, key, *rest)
            everything += [key, *(content if isinstance(content, list) else [content])]
    assert len(keys) > len(browsers)
    for session_id in ids:
        for part in (session_id, session_id[:16], session_id[2:18], session_id[-16:]):
            assert not any(part.encode() in octets for octets in everything)


# -- when the server is away -------------------------------------------------------------------------------------------


async def test_while_the_server_is_away_touching_routes_are_503_and_the_cookies_work_afterwards(
    shared_server: RawServer,
) -> None:
    """F-00a: 100 requests with valid cookies, and not one Set-Cookie. Nothing in memory outlives the link (C-1)."""
    async with FaultProxy(shared_server.path) as proxy:
        manager = manager_at(f"valkey://{proxy.host}:{proxy.port}", nonstop_timeout="0.3s")
        browsers = [await known_to(manager, n=number) for number in range(10)]
        proxy.refuse()
        proxy.end_connections()
        touching = on(manager, lambda session: session["n"])
        await _until_it_is_away(manager, browsers[0])
        responses = await asyncio.gather(*(browser.copy().request(touching) for browser in browsers * 10))
        assert {response.status for response in responses} == {503}
        assert {tuple(response.header("retry-after")) for response in responses} == {("1",)}
        assert all(response.set_cookies == {} for response in responses)
        other = await asyncio.gather(
            *(browser.copy().request(SessionMiddleware(untouched, manager=manager)) for browser in browsers)
        )
        assert {response.status for response in other} == {200}
        await proxy.accept()
        await _until_it_answers(manager, browsers[0])
        again = await asyncio.gather(*(browser.request(touching) for browser in browsers))
        assert [response.data for response in again] == list(range(10))
        await manager.close()


async def test_a_server_that_has_stopped_answering_is_a_503_within_the_deadline(shared_server: RawServer) -> None:
    """F-00b, F-04: writes, and reads once the lease is over (C-4); afterwards the same cookies work, and nothing was
    written twice."""
    manager = manager_at(shared_server.url, nonstop_timeout="1s")
    browser = await known_to(manager, n=0)

    async def count(scope: Scope, receive: Receive, send: Send) -> None:
        await scope["session"].increment("n")
        await respond(send)

    shared_server.pause()
    try:
        statuses = []
        async with asyncio.timeout(20):
            await _until_it_is_away(manager, browser)
            for app in (on(manager, dict), SessionMiddleware(count, manager=manager)):
                response = await browser.copy().request(app)
                statuses.append((response.status, response.header("retry-after"), response.set_cookies))
    finally:
        shared_server.resume()
    assert statuses == [(503, ["1"], {})] * 2
    await _until_it_answers(manager, browser)
    assert (await browser.request(SessionMiddleware(count, manager=manager))).status == 200
    assert await stored(manager, browser) == {"n": 1}
    await manager.close()


async def _until_it_answers(manager: SessionManager, browser: Browser) -> None:
    async with asyncio.timeout(20):
        while (await browser.copy().request(on(manager, len))).status == 503:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0)


async def _until_it_is_away(manager: SessionManager, browser: Browser) -> None:
    """Until nothing is served from memory any more."""
    async with asyncio.timeout(20):
        while (await browser.copy().request(on(manager, len))).status != 503:  # noqa: ASYNC110 - nobody tells when
            await asyncio.sleep(0.001)


async def _until_served_from_memory(manager: SessionManager, browser: Browser) -> None:
    async with asyncio.timeout(20):
        before = _hits(manager)
        while _hits(manager) == before:
            await browser.copy().request(on(manager, dict))
            await asyncio.sleep(0.001)


def _hits(manager: SessionManager) -> int:
    assert isinstance(manager.store, CacheLookup)
    return manager.store.statistics.heap_hits
