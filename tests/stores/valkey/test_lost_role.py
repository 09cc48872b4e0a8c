"""A server that says it may not be the primary, and to whom it says so (C-5)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.asgi_driver import Browser, answering
from tests.stores.valkey.caching_node import CachingNode, node_of
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.replicas import command
from tests.stores.valkey.shared_server import store_at
from wsgessions.errors import StoreRefused
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.session import Session
from wsgessions.stores.valkey.client.replies import server_error
from wsgessions.testing.stores.harness import change, created


@pytest.fixture
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RawServer]:
    server = RawServer(Path(tmp_path_factory.mktemp("s")))
    server.start()
    yield server
    server.kill()


@pytest.fixture
async def node(server: RawServer) -> AsyncIterator[CachingNode]:
    """It beats once a minute, so that nothing here is the merit of a heartbeat."""
    node = node_of(store_at(server.url, heartbeat=60.0), lease=600.0)
    await node.cache.start()
    await node.may_serve()
    yield node
    await node.cache.close()


async def test_a_commit_that_meets_a_demoted_primary_ends_lease_and_link(server: RawServer, node: CachingNode) -> None:
    record = await created(node.cache)
    assert node.recalls(record)
    await command(server, "REPLICAOF", "127.0.0.1", "1")
    assert node.recalls(record)
    with pytest.raises(StoreRefused) as refused:
        await node.cache.apply(change(record, a=b"1"))
    assert refused.value.server_code == "READONLY"
    assert node.recalls(record) is None
    await until(lambda: node.cache.get_base(record.key) is None)
    generation = node.store.link.generation
    await command(server, "REPLICAOF", "NO", "ONE")
    assert await node.cache.load(record.key) == record
    assert node.store.link.generation > generation


async def test_a_primary_without_its_replicas_ends_the_lease_and_keeps_the_link(
    server: RawServer, node: CachingNode
) -> None:
    record = await created(node.cache)
    await command(server, "CONFIG", "SET", "min-replicas-to-write", "1")
    with pytest.raises(StoreRefused) as refused:
        await node.cache.apply(change(record, a=b"1"))
    assert refused.value.server_code == "NOREPLICAS"
    assert node.recalls(record) is None
    assert node.store.link.connected


@pytest.mark.parametrize("code", ["READONLY", "MOVED", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "LOADING"])
async def test_each_word_of_a_lost_role_ends_the_lease(node: CachingNode, code: str) -> None:
    record = await created(node.cache)
    node.store.tracking.take_refusal(server_error(f"{code} it says"))
    assert node.recalls(record) is None


async def test_other_refusals_leave_the_lease_alone(server: RawServer, node: CachingNode) -> None:
    record = await created(node.cache)
    with pytest.raises(StoreRefused):
        await node.store.link.request(b"GET", (await node.store.segment(record.key, 0)).record(record.key))
    assert node.recalls(record)


async def test_a_demoted_primary_that_does_not_know_a_session_is_not_believed(server: RawServer) -> None:
    """Fact 12, F-00a: it answers as ever. But the client has seen a session, and asked to write, the server owns up."""
    manager = SessionManager(store_url="memory:", store=store_at(server.url))

    def visit(session: Session) -> object:
        session.setdefault("seen", True)
        return dict(session)

    def look(session: Session) -> object:
        return dict(session)

    writes, reads = (SessionMiddleware(answering(each), manager=manager) for each in (visit, look))
    browser = Browser()
    await browser.request(writes)
    await command(server, "FLUSHALL")
    await command(server, "REPLICAOF", "127.0.0.1", "1")
    response = await browser.request(reads)
    assert response.status == 503
    assert b"set-cookie" not in dict(response.start["headers"])
    await command(server, "REPLICAOF", "NO", "ONE")
    assert (await browser.request(reads)).data == {}
    await manager.close()
