"""Two processes under uvicorn, one browser, one embedded store: the promises as they are seen over real HTTP."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import pytest

from tests.servers.server import Server
from tests.stores.embedded.watched import PATIENCE, Client, Place, end

PARALLEL = 100

# The number of records of sessions, and how many of them are tombstones.
RECORDS = """
local keys = redis.call('SCAN', 0, 'MATCH', 'wsg:*:s:*', 'COUNT', 10000)[2]
local ended = 0
for _, key in ipairs(keys) do
  if redis.call('HGET', key, 't') then ended = ended + 1 end
end
return {#keys, ended}
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The store's directory; whatever runs in it ends with the test."""
    made = Place(tmp_path / "store")
    yield made
    made.end_everything()


@pytest.fixture
def servers(place: Place) -> Iterator[tuple[Server, Server]]:
    started = Server(place), Server(place)
    yield started
    for server in started:
        server.close()


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a memory, and with as many connections as it needs."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx2.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits) as client:
        yield client


class Browser:
    """Sends the cookies of one visitor; what it is sent later it does not keep, so that requests do not meet in it."""

    def __init__(self, http: httpx2.AsyncClient, first: httpx2.Response) -> None:
        self._http = http
        pairs = [field.partition(";")[0] for field in first.headers.get_list("set-cookie")]
        assert {pair.partition("=")[0] for pair in pairs} == {"sid", "sid-v"}
        self._headers = {"cookie": "; ".join(pairs)}

    async def post(self, server: Server, path: str) -> httpx2.Response:
        return await self._http.post(server.url + path, headers=self._headers)

    async def get(self, server: Server) -> httpx2.Response:
        return await self._http.get(server.url + "/", headers=self._headers)


@pytest.fixture
async def browser(http: httpx2.AsyncClient, servers: tuple[Server, Server]) -> Browser:
    """One that has a session, with the attribute `first`."""
    return Browser(http, await http.post(servers[0].url + "/put/first"))


async def close_gates(http: httpx2.AsyncClient, servers: tuple[Server, ...]) -> None:
    for server in servers:
        assert (await http.delete(server.url + "/gate")).status_code == 204


async def open_gates(http: httpx2.AsyncClient, servers: tuple[Server, ...]) -> None:
    await asyncio.gather(*(http.put(server.url + "/gate") for server in servers))


async def wait_at_gates(http: httpx2.AsyncClient, servers: tuple[Server, ...], expected: int) -> None:
    """Until so many requests have loaded their session and wait."""
    async with asyncio.timeout(PATIENCE):
        while sum([(await http.get(server.url + "/gate")).json() for server in servers]) < expected:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_hundred_requests_at_once_on_two_servers_each_keep_their_attribute(
    http: httpx2.AsyncClient, servers: tuple[Server, Server], browser: Browser
) -> None:
    """K-02: all of them have read the session before the first one writes."""
    await close_gates(http, servers)
    names = [f"a{number}" for number in range(PARALLEL)]
    requests = [
        asyncio.create_task(browser.post(servers[place % 2], f"/put/{name}")) for place, name in enumerate(names)
    ]
    await wait_at_gates(http, servers, PARALLEL)
    await open_gates(http, servers)
    answers = await asyncio.gather(*requests)
    assert Counter(answer.status_code for answer in answers) == {200: PARALLEL}
    for server in servers:
        assert (await browser.get(server)).json().keys() == {"first", *names}


async def test_a_hundred_increments_on_two_servers_are_a_hundred(
    http: httpx2.AsyncClient, servers: tuple[Server, Server], browser: Browser
) -> None:
    """K-03."""
    await close_gates(http, servers)
    requests = [asyncio.create_task(browser.post(servers[number % 2], "/count")) for number in range(PARALLEL)]
    await wait_at_gates(http, servers, PARALLEL)
    await open_gates(http, servers)
    answers = await asyncio.gather(*requests)
    assert sorted(answer.json() for answer in answers) == list(range(1, PARALLEL + 1))
    for server in servers:
        assert (await browser.get(server)).json()["n"] == PARALLEL


async def test_a_logout_cuts_the_event_stream_at_the_other_server(
    http: httpx2.AsyncClient, servers: tuple[Server, Server], browser: Browser
) -> None:
    """C-17, S-54: the client can tell it from a stream that has come to its end."""
    seen = b""
    with pytest.raises(httpx2.RemoteProtocolError, match="incomplete"):
        async with http.stream("GET", servers[1].url + "/watch", headers=browser._headers) as stream:
            async for part in stream.aiter_bytes():
                seen += part
                assert (await browser.post(servers[0], "/logout")).status_code == 204
    assert seen == b"data: ['first']\n\n"


async def test_a_logout_ends_the_session_for_slow_requests_on_both_servers(
    http: httpx2.AsyncClient, servers: tuple[Server, Server], browser: Browser, place: Place
) -> None:
    """K-08, S-62: they answer 409, nothing comes back, and the store holds one record, a tombstone that will end."""
    slow_ones = 20
    await close_gates(http, servers)
    requests = [asyncio.create_task(browser.post(servers[n % 2], f"/put/a{n}")) for n in range(slow_ones)]
    await wait_at_gates(http, servers, slow_ones)
    assert (await browser.post(servers[0], "/logout")).status_code == 204
    for server in servers:
        assert (await browser.get(server)).json() == {}
    await open_gates(http, servers)
    answers = await asyncio.gather(*requests)
    assert Counter(answer.status_code for answer in answers) == {409: slow_ones}
    assert not any("set-cookie" in answer.headers for answer in answers)
    for server in servers:
        assert (await browser.get(server)).json() == {}
    client = Client(place.connection().endpoint())
    assert client.call("EVAL", RECORDS, "0") == [1, 1]
    client.close()


class Count(NamedTuple):
    """One request that counted, and between which instants."""

    sent: float
    answered: float
    status: int


async def keep_counting(browser: Browser, server: Server, counts: list[Count], done: asyncio.Event) -> None:
    """Count one up again and again."""
    while not done.is_set():
        sent = time.monotonic()
        status = (await browser.post(server, "/count")).status_code
        counts.append(Count(sent, time.monotonic(), status))


async def until(counts: list[Count], successes: int) -> None:
    async with asyncio.timeout(PATIENCE):
        while sum(count.status == 200 for count in counts) < successes:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_when_the_store_is_killed_no_acknowledged_change_of_some_age_is_missing(
    servers: tuple[Server, Server], browser: Browser, place: Place
) -> None:
    """F-05, F-00a: requests succeed or answer 503; afterwards the same cookies find the same session."""
    counts: list[Count] = []
    done = asyncio.Event()
    counting = [asyncio.create_task(keep_counting(browser, servers[n % 2], counts, done)) for n in range(4)]
    await until(counts, 20)
    await asyncio.sleep(2)  # changes older than that must survive
    killed_at = time.monotonic()
    end(place.connection().server_pid)
    await until(counts, len(counts) + 10)
    done.set()
    await asyncio.gather(*counting)
    assert {count.status for count in counts} <= {200, 503}
    acknowledged = [count for count in counts if count.status == 200]
    must_be_there = sum(count.answered < killed_at - 2 or count.sent > killed_at for count in acknowledged)
    assert must_be_there > 20
    for server in servers:
        answer = await browser.get(server)
        assert must_be_there <= answer.json()["n"] <= len(counts)


async def test_while_the_store_stands_still_it_is_503_and_afterwards_the_same_cookies_work(
    http: httpx2.AsyncClient, servers: tuple[Server, Server], browser: Browser, place: Place
) -> None:
    """F-00a, F-00b: reads and writes answer within the deadline, and tell when to come again; no cookie is touched."""
    assert (await browser.post(servers[1], "/count")).json() == 1
    pid = place.connection().server_pid
    end(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(PATIENCE):
            for server in servers:  # from memory, until the lease is over
                while (await browser.get(server)).status_code == 200:
                    pass
        answers = await asyncio.gather(
            *(browser.get(server) for server in servers), *(browser.post(server, "/count") for server in servers)
        )
        assert [answer.status_code for answer in answers] == [503] * 4
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in answers)
        assert not any("set-cookie" in answer.headers for answer in answers)
        for server in servers:
            assert (await http.get(server.url + "/gate")).status_code == 200
    finally:
        end(pid, signal.SIGCONT)
    for server in servers:
        async with asyncio.timeout(PATIENCE):
            while (answer := await browser.get(server)).status_code == 503:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert answer.json()["first"] == "first"
    assert (await browser.get(servers[0])).json()["n"] in {1, 2, 3}  # what timed out is unknown, and never twice


async def test_when_a_server_is_killed_with_requests_under_way_the_other_goes_on(
    http: httpx2.AsyncClient, servers: tuple[Server, Server], browser: Browser
) -> None:
    """F-01: what the dead one had not begun to write is not there, and all else is."""
    await close_gates(http, servers[:1])
    lost = [asyncio.create_task(browser.post(servers[0], f"/put/lost{n}")) for n in range(5)]
    await wait_at_gates(http, servers[:1], 5)
    assert (await browser.post(servers[1], "/put/kept")).status_code == 200
    servers[0].kill()
    outcomes = await asyncio.gather(*lost, return_exceptions=True)
    assert all(isinstance(outcome, httpx2.TransportError) for outcome in outcomes)
    assert (await browser.post(servers[1], "/put/later")).status_code == 200
    assert (await browser.get(servers[1])).json().keys() == {"first", "kept", "later"}
