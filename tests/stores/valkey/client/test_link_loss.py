"""Connections are lost and found again; what was not sent outlives them, what may have been is reported."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.stores.valkey.links import at, behind, echoes, hear, soon, started, stubbed, until, works
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.stub_server import StubServer, greeting_then
from wsgessions.errors import StoreUnavailable
from wsgessions.store.address import Address
from wsgessions.stores.valkey.client.link import Link
from wsgessions.stores.valkey.client.replies import LinkLost
from wsgessions.testing.faults.proxies import Direction, Ending, FaultProxy

# Loss and return


@pytest.mark.parametrize("ending", list(Ending))
async def test_a_stream_cut_anywhere_never_gives_a_wrong_reply(server: RawServer, ending: Ending) -> None:
    """F-07: cut after 0 to 200 bytes of replies."""
    tokens = [f"token-{number:03}" for number in range(20)]
    async with FaultProxy(server.path) as proxy:
        for number in range(201):
            async with started(behind(proxy)) as link:
                proxy.cut_after(number, ending=ending)
                results = await echoes(link, tokens, soon())
                whole = number // len("$9\r\ntoken-000\r\n")
                for token, result in zip(tokens, results, strict=True):
                    assert result == token.encode() or (isinstance(result, LinkLost) and result.sent), (number, token)
                assert sum(isinstance(result, bytes) for result in results) <= whole
                await works(link)


async def test_a_greeting_cut_anywhere_is_begun_anew_and_the_request_served(server: RawServer) -> None:
    """What was never sent outlives the connection, whose greeting is cut after 0 to 200 bytes."""
    async with FaultProxy(server.path) as proxy:
        for number in range(0, 201, 10):
            proxy.cut_after(number)
            link = behind(proxy)
            await works(link)
            await link.close()


@pytest.mark.parametrize("number", range(0, 60, 7))
async def test_commands_cut_on_their_way_to_the_server_are_reported_as_unknown(server: RawServer, number: int) -> None:
    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.cut_after(number, Direction.TO_SERVER)
        with pytest.raises(LinkLost) as caught:
            await link.request(b"SET", b"k", b"a value of some forty bytes and then some", deadline=soon())
        assert caught.value.sent
        await works(link)


async def test_a_server_that_returns_is_found_again(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        for generation in range(1, 4):
            assert link.generation == generation
            server.kill()
            await until(lambda: not link.connected)
            waiting = asyncio.ensure_future(link.request(b"ECHO", b"patience", deadline=soon()))
            await asyncio.sleep(0)
            server.start()
            assert await waiting == b"patience"


async def test_without_a_server_a_request_fails_at_its_deadline_and_says_why(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        server.kill()
        await until(lambda: not link.connected)
        with pytest.raises(StoreUnavailable, match="nothing was sent") as caught:
            await link.request(b"GET", b"k", deadline=soon(1.0))  # time enough for one attempt
        assert server.path in str(caught.value)
        assert "refused" in str(caught.value)


async def test_start_without_a_server_fails_at_its_deadline_and_may_be_repeated(server: RawServer) -> None:
    server.kill()
    link = at(server.url)
    with pytest.raises(StoreUnavailable, match="nothing was sent"):
        await link.start(deadline=soon(0.1))
    server.start()
    await link.start(deadline=soon())
    await works(link)
    await link.close()


async def test_attempts_to_connect_back_off_and_end_when_nobody_waits() -> None:
    attempts = 0

    async def locate() -> Address:
        nonlocal attempts
        attempts += 1
        return Address("127.0.0.1", 1)

    link = Link(locate)
    with pytest.raises(StoreUnavailable):
        await link.start(deadline=soon(1))
    assert 1 < attempts <= 12
    await until(lambda: link._keeper._task is None)
    await link.close()


async def test_the_server_is_located_anew_for_every_connection(server: RawServer) -> None:
    async with StubServer() as stub:
        there = [Address("127.0.0.1", stub.port)]

        async def locate() -> Address:
            return there[-1]

        async with started(Link(locate)) as link:
            there.append(Address.parse(server.url))
            stub.push(b"rubbish\r\n")
            await until(lambda: not link.connected)
            await works(link)


async def test_a_locate_that_fails_for_a_while_is_asked_again(server: RawServer) -> None:
    answers: list[Exception | Address] = [StoreUnavailable("not yet elected"), Address.parse(server.url)]

    async def locate() -> Address:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with started(Link(locate)) as link:
        await works(link)


async def test_a_locate_with_a_bug_is_logged_and_fails_who_waits(caplog: pytest.LogCaptureFixture) -> None:
    async def locate() -> Address:
        raise KeyError("a bug")

    link = Link(locate)
    with pytest.raises(StoreUnavailable, match="KeyError"):
        await link.start(deadline=soon())
    assert any(record.exc_info for record in caplog.records)
    await link.close()


async def test_the_loss_of_a_link_is_logged_once_and_so_is_its_return(
    server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="wsgessions.link")
    async with started(at(server.url)) as link:
        server.kill()
        await until(lambda: not link.connected)
        with pytest.raises(StoreUnavailable):
            await link.request(b"GET", b"k", deadline=soon(1.0))
        server.start()
        await works(link)
    events = [getattr(record, "event", "") for record in caplog.records]
    assert events == ["link_made", "store_lost", "store_back"]


async def test_an_idle_link_that_is_lost_connects_at_the_next_request(server: RawServer) -> None:
    async with FaultProxy(server.path) as proxy, started(behind(proxy)) as link:
        proxy.end_connections(Ending.RESET)
        await until(lambda: not link.connected)
        assert proxy.counts.connections == 1
        await works(link)
        assert proxy.counts.connections == 2


# Closing


async def test_close_fails_who_waits_and_tells_what_was_sent() -> None:
    async with StubServer(greeting_then(lambda command: b"+\r\n" if command[0] == b"PING" else b"")) as stub:
        link = stubbed(stub, max_in_flight=1)
        await link.start(deadline=soon())
        sent, queued = (asyncio.ensure_future(link.request(b"GET", b"k")) for _ in range(2))
        await until(lambda: len(stub.commands) == 3)
        await link.close()
        errors = await asyncio.gather(sent, queued, return_exceptions=True)
        assert [isinstance(error, LinkLost) and error.sent for error in errors] == [True, False]


async def test_a_closed_link_refuses_until_it_is_started_again(server: RawServer) -> None:
    link = at(server.url)
    await link.start(deadline=soon())
    await link.close()
    await link.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        await link.request(b"PING")
    async with started(link):
        await works(link)


async def test_a_link_may_be_closed_while_it_connects(server: RawServer) -> None:
    async with FaultProxy(server.path) as proxy:
        proxy.hold()
        link = behind(proxy)
        starting = asyncio.ensure_future(link.start())
        await until(lambda: proxy.counts.connections == 1)
        await link.close()
        with pytest.raises(StoreUnavailable, match="closed"):
            await starting


async def test_a_link_serves_one_event_loop_after_another(server: RawServer) -> None:
    link = at(server.url)

    def run() -> None:
        async def main() -> None:
            async with started(link):
                await works(link)

        asyncio.run(main())

    for _ in range(2):
        await asyncio.to_thread(run)


def test_a_link_shows_its_state_and_no_secret() -> None:
    link = at("valkey://user:s3cr3t@h")
    assert "s3cr3t" not in repr(link)
    assert "not yet tried" in repr(link)


async def test_bytes_that_come_after_a_connection_was_given_up_are_passed_over(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        connection = link._connection
        assert connection is not None
        connection.drop("a test")
        connection.drop("a test, again")
        hear(connection, b"+too late\r\n")
        await works(link)


async def test_a_close_that_is_cancelled_has_closed_all_the_same(server: RawServer) -> None:
    link = at(server.url)
    await link.start(deadline=soon())
    connection = link._connection
    assert connection is not None
    closing = asyncio.create_task(link.close())
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.gather(closing, return_exceptions=True)
    assert connection.lost is not None
    assert not link.connected
    await link.close()


async def test_who_gives_up_during_an_attempt_learns_how_the_one_before_failed() -> None:
    answers: list[Exception] = [StoreUnavailable("no primary is known")]

    async def locate() -> Address:
        if answers:
            raise answers.pop()
        await asyncio.Event().wait()  # for ever
        raise AssertionError

    link = Link(locate)
    with pytest.raises(StoreUnavailable, match="no primary is known"):
        await link.start(deadline=soon(1.0))
    await link.close()
