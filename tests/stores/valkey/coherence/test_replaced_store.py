"""A store that has lost or swapped its data is noticed, and the nodes agree again on all that they share (C-25)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from tests.stores.valkey.caching_node import CachingNode, caching_node
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import started, store_at
from tests.two_managers import valkey_of
from wsgessions.credentials.presented import CredentialStatus, PresentedCredentials
from wsgessions.errors import ConfigError
from wsgessions.manager import SessionManager
from wsgessions.record import SessionRecord
from wsgessions.session import unit_of
from wsgessions.store.cache_statistics import Loss
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.faults.proxies import FaultProxy
from wsgessions.testing.stores.harness import created, stored

OFTEN = 0.05
"""Seconds between two beats, or two looks of a node without copies."""
AGREED = 16
"""The segments that the store was made with; a new one would get 64."""

_namespaces = itertools.count()

Replace = Callable[[RawServer], None]


def command(server: RawServer, *words: str) -> Any:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        return ask(client, *words)


def emptied(server: RawServer) -> None:
    command(server, "FLUSHALL")


def swapped(server: RawServer) -> None:
    command(server, "SWAPDB", "0", "1")


def restarted(server: RawServer) -> None:
    server.kill()
    server.start()


REPLACED = [emptied, swapped, restarted]
WAYS = pytest.mark.parametrize("replace", REPLACED, ids=lambda replace: replace.__name__)


# -- agreement ---------------------------------------------------------------------------------------------------------


class Mark(NamedTuple):
    """A session, as its client has it."""

    id: str
    watermark: str


async def begun(manager: SessionManager) -> Mark:
    """A session that this server has made."""
    async with manager.open() as session:
        session["a"] = 1
    assert session.id is not None
    mark = manager.requests.watermark_for(unit_of(session))
    assert mark is not None
    return Mark(session.id.get_secret_value(), mark)


async def is_known(manager: SessionManager, mark: Mark) -> bool:
    """Whether a server finds the session, and takes the watermark for genuine."""
    forged = manager.statistics.forged_watermarks
    session = manager.requests.begin(PresentedCredentials(mark.id, mark.watermark, CredentialStatus.PRESENT))
    await manager.requests.repository.load(session)
    return session.get("a") == 1 and manager.statistics.forged_watermarks == forged


async def agree(*managers: SessionManager) -> bool:
    """Whether what each server makes is good at each other one, at this moment."""
    marks = [await begun(manager) for manager in managers]
    return all([await is_known(manager, mark) for manager in managers for mark in marks])


async def until_agreed(*managers: SessionManager) -> None:
    """Wait, however slow the machine is; each look asks the store."""
    async with asyncio.timeout(30):
        while not await agree(*managers):  # noqa: ASYNC110
            await asyncio.sleep(OFTEN)


def segments_of(manager: SessionManager) -> int:
    return len(valkey_of(manager).segments or ())


@contextlib.asynccontextmanager
async def manager_at(url: str, namespace: str, *, near_cache: bool = True, **settings: Any) -> AsyncIterator[Any]:
    """A server that leaves `concurrency` to the store, unless that is given."""
    usual: dict[str, Any] = {"heartbeat": f"{OFTEN}s", "lease": "5s", "nonstop_timeout": "20s"}
    if not near_cache:
        usual["max_bytes_on_heap"] = 0
    manager = SessionManager(store_url=url, namespace=namespace, **{**usual, **settings})
    try:
        await manager.start()
        yield manager
    finally:
        await manager.close()


@contextlib.asynccontextmanager
async def old_server(server: RawServer, proxy: FaultProxy, *, near_cache: bool) -> AsyncIterator[SessionManager]:
    """One that has found the store with other segments than a new store would get."""
    namespace = f"r{next(_namespaces)}"
    async with manager_at(server.url, namespace, concurrency=AGREED):
        pass
    url = f"valkey://{proxy.host}:{proxy.port}"
    async with manager_at(url, namespace, near_cache=near_cache) as old:
        await begun(old)
        assert segments_of(old) == AGREED
        yield old


@pytest.fixture
async def proxy(server: RawServer) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(server.path) as proxy:
        yield proxy


@pytest.mark.parametrize("near_cache", [True, False], ids=["near cache", "no near cache"])
@WAYS
async def test_a_server_that_was_there_has_the_new_store_made_as_the_old_one_was(
    server: RawServer, proxy: FaultProxy, replace: Replace, *, near_cache: bool
) -> None:
    """C-25, C-11: it is the first to notice; one that starts afterwards, and one that says so itself, find the same."""
    async with old_server(server, proxy, near_cache=near_cache) as old:
        namespace, secret = old.settings.namespace, valkey_of(old).agreement.secret
        lost = await begun(old)
        replace(server)
        await until(lambda: command(server, "GET", f"{namespace}:mac") == secret)
        assert not await is_known(old, lost)
        async with (
            manager_at(server.url, namespace) as new,
            manager_at(server.url, namespace, concurrency=AGREED) as same,
        ):
            assert await agree(old, new, same)
            assert {segments_of(each) for each in (old, new, same)} == {AGREED}
        with pytest.raises(ConfigError, match="concurrency"):
            async with manager_at(server.url, namespace, concurrency=2 * AGREED):
                pass


@pytest.mark.parametrize("near_cache", [True, False], ids=["near cache", "no near cache"])
@pytest.mark.parametrize("concurrency", [0, AGREED, 2 * AGREED])
@WAYS
async def test_a_server_that_was_cut_off_agrees_to_what_a_new_one_has_made_of_the_new_store(
    server: RawServer, proxy: FaultProxy, replace: Replace, concurrency: int, *, near_cache: bool
) -> None:
    """C-25, C-11: segments and the key of watermarks, whoever of the two was first; nobody is told to set anything."""
    async with old_server(server, proxy, near_cache=near_cache) as old:
        lost = await begun(old)
        proxy.hold()
        replace(server)
        async with manager_at(server.url, old.settings.namespace, concurrency=concurrency) as new:
            secret = valkey_of(new).agreement.secret
            proxy.heal()
            await until(lambda: valkey_of(old).agreement.secret == secret)
            assert segments_of(old) == segments_of(new) == (concurrency or 64)
            await until_agreed(old, new)
            assert not await is_known(old, lost)
            assert not await is_known(new, lost)


async def test_a_server_that_was_never_asked_for_a_secret_proposes_none(server: RawServer) -> None:
    """With the setting `secrets`, the store keeps none, emptied or not."""
    secrets = ["0N7rXq2v9mKcUe5TzYbGs8WfLp3HdJaR4Qi6"]
    async with manager_at(server.url, "own", secrets=secrets, env="development") as manager:
        mark = await begun(manager)
        origin = valkey_of(manager).members.origin
        emptied(server)
        await until(lambda: valkey_of(manager).members.origin not in (0, origin))
        assert command(server, "GET", "own:mac") is None
        assert not await is_known(manager, mark)
        assert await agree(manager)


# -- copies ------------------------------------------------------------------------------------------------------------


async def with_a_copy(node: CachingNode, store: ValkeyStore) -> SessionRecord:
    """A session that somebody else has made, and the node serves from memory."""
    record = await created(store)
    await until(lambda: node.lease.fresh)
    await stored(node.cache, record)
    assert node.recalls(record) == record
    return record


@WAYS
async def test_copies_of_what_the_store_has_lost_are_out_of_service_after_a_beat(
    server: RawServer, replace: Replace
) -> None:
    """C-25: also of a database that was swapped away, of which the server tells no client anything."""
    async with (
        caching_node(server.url, heartbeat=OFTEN, lease=300.0) as node,
        started(store_at(server.url, namespace=node.store._namespace)) as other,
    ):
        await node.may_serve()
        record = await with_a_copy(node, other)
        replace(server)
        await until(lambda: node.recalls(record, version=0) is None)
        assert await node.cache.load(record.key) is None
        await with_a_copy(node, node.store)
        assert node.recalls(record, version=0) is None


async def test_a_database_that_is_swapped_in_and_out_again_leaves_no_copy_of_either(server: RawServer) -> None:
    """C-25: the sessions of the first are there again; copies of them are made anew."""
    async with caching_node(server.url, heartbeat=OFTEN, lease=300.0) as node:
        await node.may_serve()
        here = await with_a_copy(node, node.store)
        losses = node.cache.statistics.losses
        swapped(server)
        await until(lambda: losses[Loss.REPLACED] == 1 and node.lease.fresh)
        assert node.recalls(here, version=0) is None
        there = await with_a_copy(node, node.store)
        swapped(server)
        await until(lambda: losses[Loss.REPLACED] == 2 and node.lease.fresh)
        assert [node.recalls(record, version=0) for record in (here, there)] == [None, None]
        assert await node.cache.load(there.key) is None
        assert await stored(node.cache, here) == here
        assert node.recalls(here) == here


async def test_an_older_state_of_the_same_store_ends_all_copies(server: RawServer) -> None:
    """C-25: brought back by an operator, it has the origin that the node knows, and not the node's latest beat."""
    async with caching_node(server.url, heartbeat=OFTEN, lease=300.0) as node:
        await node.may_serve()
        record = await with_a_copy(node, node.store)
        heartbeat, segments = node.store.heartbeat, node.store.segments
        assert heartbeat is not None
        assert segments is not None
        members = next(iter(segments)).members
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(server.path)
            old = ask(client, "DUMP", members)
            for _ in range(2):  # the first may be the one that is in there
                last = heartbeat._acknowledged_ms
                await until(lambda: heartbeat._acknowledged_ms > last)  # noqa: B023
            ask(client, "RESTORE", members, "0", old, "REPLACE")
        await until(lambda: node.cache.statistics.losses[Loss.REPLACED] == 1)
        assert node.recalls(record, version=0) is None
        await until(lambda: node.lease.fresh)
        assert await stored(node.cache, record) == record
