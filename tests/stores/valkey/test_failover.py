"""What a failover does to sessions, with real servers that are promoted and demoted (C-5, C-12, C-15b, F-03, F-11)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.caching_node import CachingNode, node_of
from tests.stores.valkey.links import soon, until
from tests.stores.valkey.replicas import Replicated, command, is_replica, listen, replicated
from tests.stores.valkey.shared_server import started
from wsgessions import codec
from wsgessions.errors import NonStopTimeout, StoreUnavailable
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.record import CommitStatus, SessionDelta, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.session import Session
from wsgessions.store.address import Address, in_turn
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, number, stored, successor_of

_namespaces = itertools.count()
ROUNDS = 3


@pytest.fixture
async def servers() -> AsyncIterator[Replicated]:
    async with replicated() as servers:
        yield servers


def store_of(servers: Replicated, namespace: str) -> ValkeyStore:
    return ValkeyStore(servers.locate, namespace=namespace, reap_interval=None, heartbeat=0.1)


@asynccontextmanager
async def nodes(servers: Replicated, number: int = 2) -> AsyncIterator[list[CachingNode]]:
    """Nodes that keep copies of the same sessions."""
    namespace = f"f{next(_namespaces)}"
    async with AsyncExitStack() as stack:
        made = [node_of(store_of(servers, namespace), lease=2.0) for _ in range(number)]
        for node in made:
            await node.cache.start()
            stack.push_async_callback(node.cache.close)
        yield made


async def is_there(servers: Replicated, node: CachingNode, record: SessionRecord) -> bool:
    """What a node that knows nothing reads from the primary."""
    async with started(store_of(servers, node.store._namespace)) as stranger:
        return await stranger.load(record.key, deadline=soon()) is not None


# -- ends of sessions --------------------------------------------------------------------------------------------------


async def test_what_the_replica_confirmed_does_not_come_back_whoever_else_dies(servers: Replicated) -> None:
    """F-11: nobody is left who could assert it again."""
    for _ in range(ROUNDS):
        async with nodes(servers, 1) as [node]:
            records = [await created(node.cache) for _ in range(20)]
            await asyncio.gather(*(node.cache.delete(record.key, deadline=soon()) for record in records))
            assert node.store.trouble.unconfirmed == 0
        await servers.promote(servers.replicas[0])
        assert not any([await is_there(servers, node, record) for record in records])


async def test_what_the_replica_missed_is_ended_again_by_whoever_has_ended_it(servers: Replicated) -> None:
    """F-11, C-15b: each round on the primary that was the replica in the round before."""
    async with nodes(servers) as [node, other]:
        for done in range(1, ROUNDS + 1):
            record = await created(node.cache)
            await other.cache.load(record.key)
            await servers.caught_up()
            servers.cut()
            assert await node.cache.delete(record.key, deadline=soon())
            assert node.store.trouble.unconfirmed == done
            await servers.promote(servers.replicas[0])
            await until(lambda done=done: node.store.trouble.revived == done)  # type: ignore[misc]
            assert not await is_there(servers, node, record)
            await until(lambda: other.store.link.address == node.store.link.address)
            assert other.recalls(record) is None
            assert await other.cache.load(record.key, deadline=soon()) is None


async def test_whoever_has_met_a_tombstone_ends_the_session_again(servers: Replicated) -> None:
    """C-15b: the node that carried out the logout is gone."""
    async with nodes(servers, 3) as [node, reader, writer]:
        seen = [await created(node.cache) for _ in range(2)]
        await servers.caught_up()
        servers.cut()
        for record in seen:
            await node.cache.delete(record.key, deadline=soon())
        await node.cache.close()
        assert await reader.cache.load(seen[0].key) is None
        assert (await writer.cache.apply(change(seen[1], a=b"1"))).status is CommitStatus.GONE
        await servers.promote(servers.replicas[0])
        await until(lambda: reader.store.trouble.revived == 1 and writer.store.trouble.revived == 1)
        assert not any([await is_there(servers, node, record) for record in seen])


async def test_of_a_login_that_was_lost_the_old_id_ends_too(servers: Replicated) -> None:
    """S-06: whoever knows the id from before the login does not get it back, and the user logs in again."""
    async with nodes(servers, 1) as [node]:
        record = await created(node.cache)
        await servers.caught_up()
        servers.cut()
        after = successor_of(record.key)
        outcome = await node.cache.rotate(change(record, user=b"1"), after)
        assert outcome.status is CommitStatus.APPLIED
        await servers.promote(servers.replicas[0])
        await until(lambda: node.store.trouble.revived == 1)
        assert await node.cache.load(record.key) is None
        assert await node.cache.load(after.key) is None


async def test_a_renewed_session_lives_on_in_every_history(servers: Replicated) -> None:
    """S-07: its old id is dead, too, and leads to a session that has not ended."""
    async with nodes(servers, 1) as [node]:
        record = await created(node.cache)
        after = successor_of(record.key)._replace(forward_ms=1)
        await node.cache.rotate(change(record), after)
        await node.cache.end_forward([record.key], grace_ms=1)
        await asyncio.sleep(0.01)
        assert await node.cache.load(record.key) is None
        await servers.caught_up()
        await servers.promote(servers.replicas[0])
        generation = node.store.link.generation
        await until(lambda: node.store.link.generation > generation)
        await node.store.revocations._assert_all()
        assert await node.cache.load(after.key, deadline=soon()) is not None


async def test_an_end_is_asserted_until_the_store_takes_it(servers: Replicated) -> None:
    async with nodes(servers, 1) as [node]:
        record = await created(node.cache)
        await servers.caught_up()
        servers.cut()
        await node.cache.delete(record.key, deadline=soon())
        await command(servers.replicas[0], "CONFIG", "SET", "min-replicas-to-write", "5")
        await servers.promote(servers.replicas[0])
        await until(lambda: node.store.link.address == Address.parse(servers.primary.url))
        await until(lambda: node.store.link.connected)
        assert node.store.trouble.revived == 0
        await command(servers.primary, "CONFIG", "SET", "min-replicas-to-write", "0")
        await until(lambda: node.store.trouble.revived == 1)


async def test_where_nothing_is_an_assertion_stores_nothing(servers: Replicated) -> None:
    async with nodes(servers, 1) as [node]:
        record = await created(node.cache)
        await node.cache.delete(record.key, deadline=soon())
        await command(servers.primary, "FLUSHALL")
        await node.store.revocations._assert_all()
        node.store.revocations.see_timeline(b"another history")
        await until(lambda: node.store.revocations._task is None)
        segment = await node.store.segment(record.key, soon())
        assert await node.store.link.request(b"EXISTS", segment.record(record.key)) == 0


# -- commits -----------------------------------------------------------------------------------------------------------


async def test_a_browser_learns_that_its_last_change_was_lost(servers: Replicated) -> None:
    """C-12, over a real failover: the change was acknowledged, and the replica had not heard of it."""
    namespace = f"f{next(_namespaces)}"
    manager = SessionManager(store_url="memory:", store=store_of(servers, namespace))

    def visit(session: Session) -> list[object]:
        session["visits"] = session.get("visits", 0) + 1
        return [session["visits"], session.rolled_back]

    def look(session: Session) -> list[object]:
        return [session.get("visits"), session.rolled_back]

    writes, reads = (SessionMiddleware(answering(each), manager=manager) for each in (visit, look))
    browser = Browser()
    assert (await browser.request(writes)).data == [1, False]
    await servers.caught_up()
    servers.cut()
    assert (await browser.request(writes)).data == [2, False]
    await servers.promote(servers.replicas[0])
    manager.store.link.abandon("the primary is another one")  # type: ignore[attr-defined]
    assert (await browser.request(reads)).data == [1, True]
    assert manager.statistics.lost_commits_detected == 1
    assert (await browser.request(reads)).data == [1, False]
    assert (await browser.request(writes)).data == [2, False]
    assert manager.statistics.lost_commits_detected == 1
    await manager.close()


async def test_a_graceful_failover_loses_nothing_that_was_acknowledged() -> None:
    """F-03: writers go on all the time; the link to the demoted primary is given up, although it stays open."""
    async with replicated() as servers:
        old, new = servers.servers
        port = str(await listen(new))
        await command(new, "REPLICAOF", "127.0.0.1", str(await listen(old)))
        await servers.caught_up()
        both = in_turn([Address.parse(server.url) for server in servers.servers])
        async with started(ValkeyStore(both, namespace="graceful", reap_interval=None)) as store:
            record = await created(store, {"n": number(0)})
            writers = Writers(store, record)
            async with writers.writing():
                await until(lambda: writers.acknowledged > 50)
                await command(old, "FAILOVER", "TO", "127.0.0.1", port, "TIMEOUT", "10000")
                await until(lambda: store.link.connected and store.link.address == Address.parse(new.url))
                enough = writers.acknowledged + 50
                await until(lambda: writers.acknowledged > enough)
            counted = codec.decode((await stored(store, record)).attributes["n"], name="n")
            assert writers.acknowledged <= counted <= writers.acknowledged + writers.unknown
            assert await is_replica(old)


class Writers:
    """They count up one number in a session, and what they were told."""

    def __init__(self, store: ValkeyStore, record: SessionRecord) -> None:
        self.acknowledged = 0
        self.unknown = 0
        self._store = store
        self._record = record

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._write()) for _ in range(4)]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.unknown += len(tasks)

    async def _write(self) -> None:
        while True:
            try:
                outcome = await self._store.apply(change_by_one(self._record), deadline=soon())
                assert outcome.status is CommitStatus.APPLIED
                self.acknowledged += 1
            except NonStopTimeout:
                self.unknown += 1
            except StoreUnavailable:
                await asyncio.sleep(0.01)


def change_by_one(record: SessionRecord) -> SessionDelta:
    return replace(change(record), increments={"n": 1})
