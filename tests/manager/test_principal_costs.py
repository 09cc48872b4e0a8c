"""To list or end the sessions of a user costs little for each, however many and however large they are (S-55, E-9)."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any, NamedTuple

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server
from tests.two_managers import manager_at, valkey_of
from wsgessions.manager import SessionManager

__all__ = ["shared_server"]

LARGE = 200_000
"""Bytes of an attribute that is not asked for."""


class Told(NamedTuple):
    """What the server has been asked and has answered."""

    commands: Counter[str]
    bytes: int


class Costs:
    """What the server does, counted by itself from one look to the next."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client

    def take(self) -> Told:
        lines = ask(self._client, "INFO", "commandstats", "stats").decode().splitlines()
        ask(self._client, "CONFIG", "RESETSTAT")
        told = dict(line.split(":", 1) for line in lines if ":" in line)
        calls = {
            name.removeprefix("cmdstat_"): int(figures.removeprefix("calls=").partition(",")[0])
            for name, figures in told.items()
            if name.startswith("cmdstat_")
        }
        return Told(Counter(calls), int(told["total_net_output_bytes"]))


@pytest.fixture
def costs(shared_server: RawServer) -> Iterator[Costs]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(shared_server.path)
        yield Costs(client)


@pytest.fixture
async def manager(shared_server: RawServer) -> AsyncIterator[SessionManager]:
    manager = manager_at(shared_server.url, heartbeat="1500ms", lease="5s")
    yield manager
    await manager.close()


async def log_in(manager: SessionManager, number: int, **attributes: Any) -> None:
    """So many sessions of Ada's."""

    async def one(at: int) -> None:
        async with manager.open() as session:
            session.update(attributes, USER_AGENT=f"agent {at}")
            session.bind_user("ada")

    for begin in range(0, number, 50):
        await asyncio.gather(*(one(at) for at in range(begin, min(begin + 50, number))))


SIZES = pytest.mark.parametrize(("number", "size"), [(500, 5_000), (50, LARGE)], ids=["many", "large"])


@SIZES
async def test_ending_all_sessions_of_a_user_reads_none_of_them(
    manager: SessionManager, costs: Costs, number: int, size: int
) -> None:
    """S-55: the server sends members of the index, and a short answer for each end."""
    await log_in(manager, number, CART=bytes(size))
    costs.take()
    assert await manager.end_sessions_of("ada") == number
    told = costs.take()
    assert told.commands["unlink"] == number
    assert told.commands["hmget"] <= 4 * number  # inside of the script, by name
    assert told.bytes < number * size / 10
    assert await manager.sessions_of("ada") == []


@SIZES
async def test_a_list_reads_heads_and_the_attributes_that_are_asked_for(
    manager: SessionManager, costs: Costs, number: int, size: int
) -> None:
    """E-9: each record once, however long the list is."""
    await log_in(manager, number, CART=bytes(size))
    for names in ((), ("USER_AGENT",)):
        costs.take()
        sessions = await manager.sessions_of("ada", attributes=names)
        told = costs.take()
        assert number <= told.commands["hmget"] < number * 1.1  # a heartbeat reads with it, too
        assert told.bytes < number * size / 10
        assert {session.get("CART") for session in sessions} == {None}
        agents = {session.get("USER_AGENT") for session in sessions}
        assert agents == ({f"agent {at}" for at in range(number)} if names else {None})
        assert len(sessions) == number


async def test_a_list_of_large_attributes_that_are_asked_for_does_not_cost_the_link(manager: SessionManager) -> None:
    """E-9: they come in batches."""
    await log_in(manager, 70, CART=bytes(LARGE))
    link = valkey_of(manager).link
    generation = link.generation
    sessions = await manager.sessions_of("ada", attributes=("CART",))
    assert [len(session.get("CART")) for session in sessions] == [LARGE] * 70
    assert link.generation == generation
