"""A fresh connection: greeted, checked, let in or refused."""

from __future__ import annotations

import pytest

from tests.stores.valkey.links import ADD, at, behind, soon, started, stubbed, until, works
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.stub_server import HELLO, StubServer, greeting_then
from wsgessions.errors import ConfigError, StoreRefused, StoreUnavailable
from wsgessions.stores.valkey.client.commands import Commands
from wsgessions.stores.valkey.client.replies import LinkLost
from wsgessions.testing.faults.proxies import FaultProxy


async def test_every_fresh_connection_is_checked_before_others_use_it(server: RawServer) -> None:
    order: list[str] = []

    async def check(fresh: Commands) -> None:
        assert await fresh.request(b"INCR", b"checks") == len(order) + 1
        assert await fresh.call(ADD, [b"n"], [1]) == len(order) + 1
        order.append("checked")

    async with FaultProxy(server.path) as proxy, started(behind(proxy, on_connect=check)) as link:
        assert order == ["checked"]
        proxy.end_connections()
        await until(lambda: not link.connected)
        await works(link)
        assert order == ["checked", "checked"]


async def test_a_server_that_must_not_be_used_fails_the_start_at_once() -> None:
    async def check(fresh: Commands) -> None:
        raise ConfigError("the server evicts", setting="store_url", hint="use noeviction")

    async with StubServer() as stub:
        link = stubbed(stub, on_connect=check)
        with pytest.raises(ConfigError, match="evicts"):
            await link.start()
        with pytest.raises(StoreUnavailable, match="evicts"):
            await link.request(b"GET", b"k", deadline=soon())
        await link.close()


async def test_a_check_that_could_not_be_made_is_made_again() -> None:
    troubles = [StoreUnavailable("ask later")]

    async def check(fresh: Commands) -> None:
        if troubles:
            raise troubles.pop()

    async with StubServer() as stub, started(stubbed(stub, on_connect=check)):
        assert stub.connections == 2


async def test_a_greeting_that_is_never_answered_is_given_up_and_tried_again() -> None:
    silent = [True]
    async with StubServer(lambda command: b"" if silent.pop() else HELLO) as stub:
        silent.extend([False] * 9 + [True])
        stub.answer = lambda command: b"" if silent.pop() else (HELLO if command[0] == b"HELLO" else b"+OK\r\n")
        async with started(stubbed(stub, connect_timeout=1.0)):
            assert stub.connections == 2


async def test_a_server_that_speaks_only_resp2_is_refused() -> None:
    async with StubServer(lambda command: b"*0\r\n") as stub:
        link = stubbed(stub)
        with pytest.raises(StoreUnavailable, match="RESP3"):
            await link.start(deadline=soon(1.0))
        await link.close()


async def test_a_server_with_too_many_clients_is_tried_again() -> None:
    answers = [b"-ERR max number of clients reached\r\n"]
    async with (
        StubServer(lambda command: answers.pop() if answers else HELLO if command[0] == b"HELLO" else b"+\r\n") as stub,
        started(stubbed(stub)),
    ):
        assert stub.connections == 2


async def test_the_right_credentials_let_us_in(server: RawServer) -> None:
    async with started(at(server.url)) as link:
        await link.request(b"ACL", b"SETUSER", b"app", b"on", b">p%40ss", b"~*", b"+@all")
        await link.request(b"CONFIG", b"SET", b"requirepass", b"top")
    async with started(at(f"unix://app:p%2540ss@{server.path}")) as link:
        assert await link.request(b"ACL", b"WHOAMI") == b"app"
    async with started(at(f"unix://:top@{server.path}")) as link:
        assert await link.request(b"ACL", b"WHOAMI") == b"default"


@pytest.mark.parametrize(("credentials", "code"), [(":s3cr3t-wrong@", "WRONGPASS"), ("", "NOAUTH")])
async def test_wrong_credentials_fail_at_once_and_are_not_hammered(
    server: RawServer, credentials: str, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """F-23, S-79"""
    async with started(at(server.url)) as link:
        await link.request(b"CONFIG", b"SET", b"requirepass", b"top")
    async with FaultProxy(server.path) as proxy:
        link = at(f"valkey://{credentials}{proxy.host}:{proxy.port}")
        with pytest.raises(StoreRefused) as caught:
            await link.start()
        assert caught.value.server_code == code
        assert "store_url" in str(caught.value)
        assert "s3cr3t" not in str(caught.value) + repr(link) + caplog.text
        with pytest.raises(StoreUnavailable, match=code):
            await link.request(b"GET", b"k", deadline=soon(0.4))
        assert proxy.counts.connections <= 2
        await link.close()


async def test_a_fresh_connection_that_was_lost_says_so_to_its_check() -> None:
    seen: list[bool] = []

    async def check(fresh: Commands) -> None:
        for _ in range(0 if seen else 2):
            with pytest.raises(LinkLost) as caught:
                await fresh.request(b"BAD")
            seen.append(caught.value.sent)

    answer = greeting_then(lambda command: b"rubbish\r\n" if command[0] == b"BAD" else b"+OK\r\n")
    async with StubServer(answer) as stub, started(stubbed(stub, on_connect=check)):
        assert seen == [True, False]
        assert stub.connections == 2
