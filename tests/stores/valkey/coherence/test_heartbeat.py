"""Only an acknowledged heartbeat lets a node serve from memory, and it proves what it says (C-4 to C-6, F-13)."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores.valkey.caching_node import CachingNode, Clock, caching_node, node_of
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.record import SessionRecord
from wsgessions.store.cache_statistics import Loss
from wsgessions.stores.valkey.coherence import heartbeat
from wsgessions.testing.faults.proxies import Direction, FaultProxy
from wsgessions.testing.stores.harness import change, created

__all__ = ["shared_server"]

OFTEN = 0.02
"""Seconds between two beats, where many are waited for."""

Command = Callable[..., Any]


@contextlib.contextmanager
def talking_to(server: RawServer) -> Iterator[Command]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(server.path)
        yield lambda *words: ask(client, *words)


@pytest.fixture
def command(server: RawServer) -> Iterator[Command]:
    with talking_to(server) as command:
        yield command


@contextlib.asynccontextmanager
async def companions(server: RawServer, count: int, **options: Any) -> AsyncIterator[list[CachingNode]]:
    """Nodes of one application that all may serve."""
    async with contextlib.AsyncExitStack() as stack:
        nodes: list[CachingNode] = []
        for _ in range(count):
            namespace = nodes[0].store._namespace if nodes else "together"
            nodes.append(await stack.enter_async_context(caching_node(server.url, namespace=namespace, **options)))
        for node in nodes:
            await node.may_serve()
        yield nodes


def members_of(node: CachingNode) -> bytes:
    """The key of the list of members."""
    assert node.store.segments is not None
    return next(iter(node.store.segments)).members


async def beats(node: CachingNode, count: int) -> None:
    """Wait for so many more acknowledged beats."""
    heartbeat = node.store.heartbeat
    assert heartbeat is not None
    for _ in range(count):
        last = heartbeat._acknowledged_ms
        await until(lambda: heartbeat._acknowledged_ms != last)  # noqa: B023


# -- the lease ---------------------------------------------------------------------------------------------------------


async def test_the_lease_counts_from_when_the_beat_was_sent(shared_server: RawServer) -> None:
    """C-4."""
    clock = Clock()
    async with FaultProxy(shared_server.path) as proxy:
        store = store_at(f"valkey://{proxy.host}:{proxy.port}", heartbeat=60)
        node = node_of(store, lease=2.0, clock=clock)
        await node.store.link.start()
        assert node.store.heartbeat is not None
        sent_at = clock.now
        proxy.hold(Direction.TO_CLIENT)
        node.store.heartbeat.start()
        with talking_to(shared_server) as command:
            await until(lambda: command("HLEN", members_of(node)) == 2)
        clock.now += 1.5
        assert not node.lease.fresh
        proxy.heal()
        await node.may_serve()
        assert node.lease.fresh_until == sent_at + 2.0
        await node.cache.close()


async def test_while_the_server_stands_still_copies_are_served_until_the_lease_is_over(server: RawServer) -> None:
    """C-4: PING or no PING, a clock decides."""
    clock = Clock()
    async with caching_node(server.url, lease=2.0, clock=clock) as node:
        await node.may_serve()
        record = await created(node.cache)
        server.pause()
        try:
            clock.now = node.lease.fresh_until - 0.001
            assert node.recalls(record) == record
            clock.now += 0.001
            assert node.recalls(record) is None
        finally:
            server.resume()


async def test_a_beat_tells_the_time_of_the_store(shared_server: RawServer) -> None:
    """C-16: a machine that was suspended learns how late it is before it serves anything."""
    async with caching_node(shared_server.url, heartbeat=OFTEN) as node:
        await node.may_serve()
        node.store.clock.observe(0, sent_at=0)
        await beats(node, 2)
        with talking_to(shared_server) as command:
            seconds, _ = command("TIME")
        assert abs(node.store.clock.now_ms() - int(seconds) * 1000) < 60_000


async def test_a_demoted_primary_that_still_answers_ends_the_lease(server: RawServer, command: Command) -> None:
    """C-5, fact 12."""
    async with caching_node(server.url, heartbeat=OFTEN) as node:
        await node.may_serve()
        record = await created(node.cache)
        command("REPLICAOF", "127.0.0.1", "1")
        assert command("PING") == b"PONG"
        await until(lambda: not node.lease.fresh)
        assert node.recalls(record) is None
        command("REPLICAOF", "NO", "ONE")
        await node.may_serve()


async def test_a_graceful_failover_ends_the_lease_at_the_old_primary(tmp_path: Path) -> None:
    """C-1, C-5, fact 12: the link stays open, and the server answers reads."""
    with contextlib.ExitStack() as stack:
        servers, ports = [], [_free_port(), _free_port()]
        for name, port in zip(("a", "b"), ports, strict=True):
            (tmp_path / name).mkdir()
            server = RawServer(tmp_path / name, "--port", str(port), "--repl-diskless-sync-delay", "0")
            server.start()
            stack.callback(server.kill)
            servers.append(server)
        primary, replica = (stack.enter_context(talking_to(server)) for server in servers)
        replica("REPLICAOF", "127.0.0.1", str(ports[0]))
        await until(lambda: b"master_link_status:up" in replica("INFO", "replication"))
        async with caching_node(servers[0].url, heartbeat=OFTEN) as node:
            await node.may_serve()
            record = await created(node.cache)
            await beats(node, 1)
            assert node.store.heartbeat is not None
            assert node.store.heartbeat.replicas == 1
            primary("FAILOVER")
            await until(lambda: b"role:master" in replica("INFO", "replication"))
            await until(lambda: not node.lease.fresh)
            assert primary("PING") == b"PONG"
            assert node.recalls(record) is None
        async with caching_node(servers[1].url, namespace=node.store._namespace) as survivor:
            await survivor.may_serve()
            assert await survivor.cache.load(record.key) == record
            assert survivor.recalls(record) == record


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_another_history_of_the_store_ends_all_copies(tmp_path: Path) -> None:
    """C-1: even on a link that stays open."""
    server = RawServer(tmp_path, "--enable-debug-command", "yes")
    server.start()
    try:
        async with caching_node(server.url, heartbeat=OFTEN) as node:
            await node.may_serve()
            record = await created(node.cache)
            with talking_to(server) as command:
                command("DEBUG", "CHANGE-REPL-ID")
            await until(lambda: node.cache.statistics.losses[Loss.TIMELINE] == 1)
            await node.may_serve()
            assert node.recalls(record) is None
    finally:
        server.kill()


async def test_the_beats_go_on_after_the_server_was_away(server: RawServer) -> None:
    async with caching_node(server.url, heartbeat=OFTEN) as node:
        await node.may_serve()
        server.kill()
        await until(lambda: not node.lease.fresh)
        server.start()
        await node.may_serve()


async def test_scripts_that_the_server_has_forgotten_do_not_stop_the_beats(server: RawServer, command: Command) -> None:
    async with caching_node(server.url, heartbeat=OFTEN) as node:
        await node.may_serve()
        command("SCRIPT", "FLUSH")
        await beats(node, 3)
        await node.may_serve()


# -- whether pushes arrive ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodes", [1, 2, 3])
async def test_a_server_that_is_slow_to_remove_what_has_expired_is_not_taken_to_lose_pushes(
    tmp_path: Path, nodes: int
) -> None:
    """With many sessions a server removes an expired key when somebody asks for it, and tells not the one who asked."""
    server = RawServer(tmp_path, "--enable-debug-command", "yes")
    server.start()
    try:
        with talking_to(server) as command:
            command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        async with companions(server, nodes, heartbeat=OFTEN) as together:
            for node in together:
                await beats(node, 10)
                assert not node.cache.statistics.losses
    finally:
        server.kill()


async def test_pushes_that_are_swallowed_are_noticed_and_nothing_is_served_until_they_come_again(
    server: RawServer,
) -> None:
    """F-13."""
    async with (
        companions(server, 1, heartbeat=OFTEN) as (other,),
        FaultProxy(server.path, watch_pushes=True) as proxy,
        caching_node(f"valkey://{proxy.host}:{proxy.port}", namespace="together", heartbeat=OFTEN) as node,
    ):
        await node.may_serve()
        await until(lambda: proxy.counts.pushes_seen > 0)
        record = await created(node.cache)
        proxy.drop_pushes()
        after = await _changed_by(other, record)
        await until(lambda: node.cache.statistics.losses[Loss.PUSHES_LOST] > 0)
        for _ in range(10):
            await node.cache.load(record.key)
            assert node.recalls(after) is None
            await beats(node, 1)
        assert not other.cache.statistics.losses
        proxy.heal()
        await node.may_serve()
        assert await node.cache.load(record.key) == after
        await until(lambda: node.lease.fresh and node.recalls(after) == after)
        await _changed_by(other, after)
        await until(lambda: not node.holds_current(after))
        assert node.recalls(after) is None


async def _changed_by(node: CachingNode, record: SessionRecord) -> SessionRecord:
    delta = change(record, a=b"changed")
    return record.after(delta, await node.cache.apply(delta))


async def test_a_node_left_alone_serves_on(server: RawServer) -> None:
    """Nobody changes its canary any more, which proves nothing."""
    async with companions(server, 2, heartbeat=OFTEN) as (node, other):
        await beats(node, 2)
        await other.cache.close()
        await beats(node, 10)
        await node.may_serve()
        assert not node.cache.statistics.losses


# -- the list of members -----------------------------------------------------------------------------------------------


async def test_a_node_signs_off_when_it_stops(server: RawServer, command: Command) -> None:
    """C-6."""
    async with companions(server, 2) as (node, _):
        members = members_of(node)
        assert command("HLEN", members) == 3
    assert command("HKEYS", members) == [b"origin"]


async def test_nodes_that_are_long_dead_leave_the_list(server: RawServer, command: Command) -> None:
    async with companions(server, 1, heartbeat=OFTEN) as (node,):
        members = members_of(node)
        command("HSET", members, "dead", bytes(20))
        await until(lambda: command("HEXISTS", members, "dead") == 0)
        await node.may_serve()


async def test_a_store_that_has_been_left_can_be_stopped_without_it(tmp_path: Path) -> None:
    server = RawServer(tmp_path)
    server.start()
    node = node_of(store_at(server.url))
    await node.cache.start()
    await node.may_serve()
    server.kill()
    await node.cache.close()
    assert not node.lease.fresh
    with pytest.raises(StoreUnavailable):
        await node.store.link.request(b"PING")


async def test_statistics_say_whether_the_server_tells_of_changes(server: RawServer, command: Command) -> None:
    async with caching_node(server.url, heartbeat=OFTEN) as node:
        await node.may_serve()
        assert node.cache.statistics.tracking
        command("ACL", "SETUSER", "default", "-client|caching")
        await until(lambda: not node.cache.statistics.tracking)
        assert not node.lease.fresh
        command("ACL", "SETUSER", "default", "+client|caching")
        await until(lambda: node.cache.statistics.tracking)
        server.kill()
        await until(lambda: not node.cache.statistics.tracking)


async def test_a_table_of_tracked_keys_that_is_nearly_full_is_said_in_the_log(
    shared_server: RawServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """C-18."""
    monkeypatch.setattr(heartbeat, "_BEATS_PER_SWEEP", 1)
    monkeypatch.setattr(heartbeat, "_log", LogThrottle(logging.getLogger("wsgessions.coherence")))
    async with caching_node(shared_server.url, heartbeat=OFTEN, tracked_keys=10**9) as node:
        await node.may_serve()
        before = node.cache.statistics.tracked_keys
        for _ in range(20):
            await created(node.cache)
        await until(lambda: node.cache.statistics.tracked_keys >= before + 20)
        assert node.cache.statistics.tracked_items >= node.cache.statistics.tracked_keys
        assert "tracking-table-max-keys" not in caplog.text
        assert node.store.heartbeat is not None
        node.store.heartbeat._tracked_keys = 20
        await until(lambda: "tracking-table-max-keys" in caplog.text)


async def test_without_a_lease_there_are_no_beats(shared_server: RawServer) -> None:
    async with caching_node(shared_server.url, lease=0) as node:
        assert node.store.heartbeat is None
        record = await created(node.cache)
        assert node.recalls(record) is None
        assert await node.cache.load(record.key) == record


async def test_nobody_else_needs_a_lease_to_write(shared_server: RawServer) -> None:
    async with (
        caching_node(shared_server.url) as node,
        started(store_at(shared_server.url, namespace=node.store._namespace)) as other,
    ):
        await node.may_serve()
        record = await created(node.cache)
        await other.apply(change(record, a=b"1"))
        await node.catches_up()
        assert node.recalls(record) is None
