"""Requests, pipelines and scripts: everybody gets the reply to what they asked."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tests.stores.valkey.links import ADD, PATIENCE, at, behind, echoes, soon, started, stubbed, until, works
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.stub_server import StubServer, greeting_then
from wsgessions.errors import NonStopTimeout, StoreRefused
from wsgessions.stores.valkey.client import commands
from wsgessions.stores.valkey.client.replies import LinkLost
from wsgessions.stores.valkey.client.requests import ScriptCall
from wsgessions.stores.valkey.client.script import Script
from wsgessions.testing.faults.proxies import Direction, FaultProxy

# Requests and replies


async def test_concurrent_requests_each_get_their_own_reply(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        tokens = [str(number) for number in range(3000)]
        assert await echoes(link, tokens) == [token.encode() for token in tokens]


async def test_requests_of_one_turn_leave_in_one_write(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        before = (await link.request(b"INFO", b"stats")).split(b"total_reads_processed:")[1].split()[0]
        await echoes(link, [str(number) for number in range(200)])
        after = (await link.request(b"INFO", b"stats")).split(b"total_reads_processed:")[1].split()[0]
        assert int(after) - int(before) == 2


async def test_replies_have_the_types_of_resp3(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        assert await link.request(b"GET", b"none") is None
        assert await link.request(b"HSET", b"h", b"a", 1, b"b", 1.5) == 2
        assert await link.request(b"HGETALL", "h") == {b"a": b"1", b"b": b"1.5"}
        await link.request(b"ZADD", b"z", 0.5, b"m")
        assert await link.request(b"ZSCORE", b"z", b"m") == 0.5


@pytest.mark.parametrize("value", [b"", b"\r\n", b"\x00\xff", b"*1\r\n$4\r\nPING\r\n", b"x" * 1_000_000])
async def test_any_bytes_travel_unharmed(server: RawServer, value: bytes) -> None:
    async with started(at(server.url)) as link:
        await link.request(b"SET", value, value)
        assert await link.request(b"GET", value) == value


async def test_a_refusal_carries_the_servers_code(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        await link.request(b"SET", b"text", b"x")
        with pytest.raises(StoreRefused, match="WRONGTYPE") as caught:
            await link.request(b"HGETALL", b"text")
        assert caught.value.server_code == "WRONGTYPE"
        await works(link)


async def test_a_refusal_never_quotes_arguments(server: RawServer) -> None:
    """S-79: servers repeat the arguments of commands that they do not know."""
    async with started(at(server.url)) as link:
        with pytest.raises(StoreRefused) as caught:
            await link.request(b"NOSUCH", b"s3cr3t")
        assert "s3cr3t" not in str(caught.value)
        assert "NOSUCH" in str(caught.value)


async def test_the_link_names_itself_and_chooses_the_database(server: RawServer) -> None:
    async with started(at(f"{server.url}?db=3", name="someone")) as link:
        info = await link.request(b"CLIENT", b"INFO")
        assert b" name=someone " in info
        assert b" db=3 " in info
        assert b" resp=3 " in info


async def test_more_requests_than_may_be_in_flight_wait_their_turn(server: RawServer) -> None:
    async with started(at(server.url, max_in_flight=4)) as link:
        tokens = [str(number) for number in range(500)]
        assert await echoes(link, tokens) == [token.encode() for token in tokens]


async def test_a_full_link_lets_callers_wait_no_longer_than_their_deadline() -> None:
    """F-21"""
    async with StubServer(greeting_then(lambda command: b"" if command[0] == b"WAIT" else b"+OK\r\n")) as stub:
        async with started(stubbed(stub, max_in_flight=2)) as link:
            stuck = [asyncio.create_task(link.request(b"WAIT")) for _ in range(2)]
            await until(lambda: len(stub.commands) == 4)
            with pytest.raises(NonStopTimeout, match="nothing was sent"):
                await link.request(b"GET", b"k", deadline=soon(0.05))
            assert len(stub.commands) == 4
        for task in stuck:
            with pytest.raises(LinkLost) as caught:
                await task
            assert caught.value.sent


async def test_a_slow_reader_at_the_other_end_holds_requests_back_and_loses_none(server: RawServer) -> None:
    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.hold(Direction.TO_SERVER)
        value = b"x" * 100_000
        sets = [asyncio.create_task(link.request(b"SET", f"k{number}", value)) for number in range(100)]
        await until(lambda: link._connection is not None and link._connection.paused)
        tasks = [*sets, asyncio.create_task(link.request(b"DBSIZE"))]
        proxy.heal()
        assert await asyncio.gather(*tasks) == [b"OK"] * 100 + [100]


# Pipelines and scripts

FAIL = Script("fail", "return redis.error_reply('TEAPOT short and stout')")


async def test_a_pipeline_returns_every_reply_and_keeps_refusals_in_their_places(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        replies = await link.pipeline([[b"SET", b"k", b"v"], [b"HGET", b"k", b"f"], [b"GET", b"k"]])
        assert replies[0] == b"OK"
        assert isinstance(replies[1], StoreRefused)
        assert replies[1].server_code == "WRONGTYPE"
        assert replies[2] == b"v"


async def test_pipelines_of_any_length_are_answered(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        assert await link.pipeline([]) == []
        assert await link.pipeline([[b"ECHO", b"1"]]) == [b"1"]
        assert await link.pipeline([[b"LRANGE", b"none", 0, -1]]) == [[]]
        assert await link.pipeline([[b"ECHO", str(number)] for number in range(5000)]) == [
            str(number).encode() for number in range(5000)
        ]


async def test_nothing_comes_between_the_commands_of_a_pipeline(server: RawServer) -> None:
    async with started(at(server.url)) as link:

        async def pair(token: str) -> bool:
            _, got = await link.pipeline([[b"SET", b"shared", token], [b"GET", b"shared"]])
            return bool(got == token.encode())

        assert all(await asyncio.gather(*(pair(str(number)) for number in range(500))))


async def test_a_script_is_sent_whole_once_and_by_its_digest_from_then_on(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        assert await asyncio.gather(*(link.call(ADD, [b"n"], [1]) for _ in range(20))) == list(range(1, 21))
        usage = await link.request(b"INFO", b"commandstats")
        assert b"cmdstat_eval:calls=1," in usage
        assert b"cmdstat_evalsha:calls=19," in usage


async def test_a_script_the_server_forgot_is_sent_again(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        await link.call(ADD, [b"n"], [1])
        await link.request(b"SCRIPT", b"FLUSH")
        assert sorted(await asyncio.gather(*(link.call(ADD, [b"n"], [1]) for _ in range(10)))) == list(range(2, 12))


async def test_a_pipeline_with_a_forgotten_script_is_sent_again_whole(server: RawServer) -> None:
    """Fact 5b: CACHING YES is spent by a command that fails, so half a pair must not be repeated alone."""
    async with started(at(server.url)) as link:
        await link.call(ADD, [b"n"], [1])
        await link.request(b"SCRIPT", b"FLUSH")
        assert await link.pipeline([[b"INCR", b"whole"], ScriptCall(ADD, [b"n"], [1])]) == [2, 2]


async def test_a_script_may_refuse_in_words_of_its_own(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        for _ in range(2):
            with pytest.raises(StoreRefused, match="short and stout") as caught:
                await link.call(FAIL, [])
            assert caught.value.server_code == "TEAPOT"


async def test_a_server_that_never_knows_a_script_is_not_asked_for_ever() -> None:
    async with (
        StubServer(
            greeting_then(lambda command: b"-NOSCRIPT never\r\n" if command[0] != b"PING" else b"+\r\n")
        ) as stub,
        started(stubbed(stub)) as link,
    ):
        with pytest.raises(StoreRefused, match="NOSCRIPT"):
            await link.call(ADD, [b"n"], [1])
        [reply] = await link.pipeline([ScriptCall(ADD, [b"n"], [1])])
        assert reply.server_code == "NOSCRIPT"


@pytest.mark.parametrize("code", [b"LOADING", b"BUSY"])
async def test_a_server_that_is_loading_or_busy_is_asked_again(code: bytes) -> None:
    """F-05"""
    refusal = b"-" + code + b" please wait\r\n"
    refusals = [refusal, refusal]
    async with (
        StubServer(greeting_then(lambda command: refusals.pop() if refusals else b"+OK\r\n")) as stub,
        started(stubbed(stub)) as link,  # its first request is refused twice
    ):
        refusals.append(refusal)
        assert await link.request(b"GET", b"k") == b"OK"
        refusals.append(refusal)
        assert await link.call(ADD, [b"k"]) == b"OK"
        refusals.append(refusal)
        assert await link.pipeline([[b"GET", b"k"], [b"GET", b"k"]]) == [b"OK", b"OK"]


BUSY = greeting_then(lambda command: b"+PONG\r\n" if command[0] == b"PING" else b"-BUSY script\r\n")


async def test_a_server_that_is_still_busy_near_the_deadline_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_PAUSE", 10 * PATIENCE)  # longer than there is time
    async with StubServer(BUSY) as stub, started(stubbed(stub)) as link:
        with pytest.raises(StoreRefused, match="BUSY"):
            await link.request(b"GET", b"k", deadline=soon())
        assert [command[0] for command in stub.commands] == [b"HELLO", b"PING", b"GET"]


async def test_a_busy_server_is_reported_although_the_pause_took_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine under load it may: nothing was done, and a timeout would leave that open."""
    deadline = soon()
    instants = iter([deadline - PATIENCE, deadline + 1.0])
    monkeypatch.setattr(commands, "time", SimpleNamespace(monotonic=lambda: next(instants)))
    async with StubServer(BUSY) as stub, started(stubbed(stub)) as link:
        with pytest.raises(StoreRefused, match="BUSY"):
            await link.request(b"GET", b"k", deadline=deadline)
        assert [command[0] for command in stub.commands] == [b"HELLO", b"PING", b"GET"]


async def test_a_server_that_stays_busy_is_asked_until_the_deadline_and_no_longer() -> None:
    """Whether the last answer or the deadline comes first is chance; either is an error of the store."""
    async with StubServer(BUSY) as stub, started(stubbed(stub)) as link:
        with pytest.raises((StoreRefused, NonStopTimeout)):
            await link.request(b"GET", b"k", deadline=soon(0.2))
