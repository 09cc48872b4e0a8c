"""Nobody waits longer than they said."""

from __future__ import annotations

import asyncio
import select
import time
from typing import Any

import pytest

from tests.stores.valkey.links import PATIENCE, at, behind, echoes, soon, started, stubbed, until, works
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.stub_server import StubServer, greeting_then
from wsgessions.errors import NonStopTimeout
from wsgessions.store.contract import NEVER
from wsgessions.stores.valkey.client.replies import LinkLost
from wsgessions.testing.faults.proxies import Direction, FaultProxy


async def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_deadline(server: RawServer) -> None:
    """F-04, F-06"""
    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.drop()
        results = await echoes(link, ["a", "b", "c"], soon(1.0))  # time enough to be sent
        assert [type(result) for result in results] == [NonStopTimeout] * 3
        assert str(results[0]) == "the store has not answered in time"
        proxy.heal()
        proxy.end_connections()
        await until(lambda: not link.connected)
        await works(link)


async def test_a_late_reply_is_dropped_in_its_place(server: RawServer) -> None:
    """S-91"""
    async with started(at(server.url, stall_limit=NEVER)) as link:
        server.pause()
        try:
            with pytest.raises(NonStopTimeout):
                await link.request(b"ECHO", b"late", deadline=soon(0.1))
            asking = asyncio.ensure_future(link.request(b"ECHO", b"own", deadline=soon()))
            await asyncio.sleep(0)
        finally:
            server.resume()
        assert await asking == b"own"
        assert link.generation == 1


async def test_deadlines_are_each_their_own(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        server.pause()
        try:
            patient = asyncio.ensure_future(link.request(b"ECHO", b"patient", deadline=soon()))
            hasty = [link.request(b"ECHO", b"hasty", deadline=soon(0.3 - number / 10)) for number in range(3)]
            results = await asyncio.gather(*hasty, return_exceptions=True)
            assert [type(result) for result in results] == [NonStopTimeout] * 3
            assert not patient.done()
        finally:
            server.resume()
        assert await patient == b"patient"


async def test_a_request_whose_deadline_has_passed_is_not_sent() -> None:
    async with StubServer() as stub, started(stubbed(stub)) as link:
        with pytest.raises(NonStopTimeout):
            await link.request(b"TOO", b"LATE", deadline=soon(-1))
        assert await link.request(b"GET", b"k") == b"OK"
        assert [command[0] for command in stub.commands] == [b"HELLO", b"PING", b"GET"]


async def test_a_connection_without_any_reply_for_long_is_given_up(server: RawServer) -> None:
    """F-06"""
    async with FaultProxy(server.path) as proxy, started(behind(proxy, stall_limit=1.0)) as link:
        proxy.drop(Direction.TO_CLIENT)
        with pytest.raises(LinkLost, match="no reply for 1 s") as caught:
            await link.request(b"ECHO", b"x")
        assert caught.value.sent
        proxy.heal()
        await works(link)


async def test_a_reply_that_stops_half_way_ends_the_connection_at_the_deadline() -> None:
    """S-91, F-07"""
    half = greeting_then(lambda command: b"+PONG\r\n" if command[0] == b"PING" else b"$10\r\nabc")
    async with StubServer(half) as stub, started(stubbed(stub)) as link:
        asked = link.request(b"GET", b"k", deadline=soon(1.0)), link.request(b"GET", b"k")
        answers: Any = await asyncio.gather(*asked, return_exceptions=True)
        first, second = answers
        assert isinstance(first, NonStopTimeout)
        assert isinstance(second, LinkLost)
        assert "half-way" in str(second)


async def test_a_reply_that_came_while_the_loop_was_blocked_counts_as_in_time(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        deadline = soon(1.0)
        asking = asyncio.ensure_future(link.request(b"ECHO", b"came", deadline=deadline))
        await asyncio.sleep(0)  # it is made
        await asyncio.sleep(0)  # it is sent
        connection = link._connection
        assert connection is not None
        select.select([connection.descriptor], [], [], PATIENCE)
        while time.monotonic() <= deadline:
            time.sleep(0.01)  # noqa: ASYNC251 - blocks the loop, which has not seen the reply that is there
        assert await asking == b"came"
