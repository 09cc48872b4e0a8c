"""What sessions cost: bytes and round trips per operation, memory per session (design section 9)."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator

import pytest

from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import StoreRefused
from wsgessions.record import SessionRecord
from wsgessions.stores.valkey.client.replies import Reply
from wsgessions.stores.valkey.client.requests import PendingRequest
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import change, created, new_key, stored

__all__ = ["shared_server"]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url, namespace="wsg", context_path="/costs")) as store:
        yield store


async def bytes_received(store: ValkeyStore) -> int:
    info = await store.link.request("INFO", "stats")
    line = next(line for line in info.decode().splitlines() if line.startswith("total_net_input_bytes:"))
    return int(line.partition(":")[2])


async def calls(store: ValkeyStore) -> dict[str, int]:
    """How often each command was run, by clients or by scripts."""
    info = (await store.link.request("INFO", "commandstats")).decode()
    pairs = [line.removeprefix("cmdstat_").split(":", 1) for line in info.splitlines() if ":" in line]
    return {name: int(figures.partition("calls=")[2].partition(",")[0]) for name, figures in pairs}


def filled(count: int) -> dict[str, bytes]:
    return {f"attribute{place:03}": b"x" * 100 for place in range(count)}


@pytest.mark.parametrize("attributes", [20, 200])
async def test_changing_eight_bytes_sends_at_most_300_whatever_the_size_of_the_session(
    store: ValkeyStore, attributes: int
) -> None:
    record = await created(store, filled(attributes))
    await store.apply(change(record))  # the server now has the script
    idle = -await bytes_received(store) + await bytes_received(store)
    before = await bytes_received(store)
    await store.apply(change(record, attribute007=b"12345678"))
    sent = await bytes_received(store) - before - idle
    assert 100 < sent <= 300


async def test_each_operation_is_one_command_or_one_pipeline(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Round trips are what a request waits for: one for a read, one for a write."""
    record = await created(store, filled(3))
    await store.load(record.key, since=record.seen)
    await store.apply(change(record))
    written: list[PendingRequest] = []
    submit = store.link.submit

    def counted(ticket: PendingRequest) -> asyncio.Future[Reply]:
        written.append(ticket)
        return submit(ticket)

    monkeypatch.setattr(store.link, "submit", counted)
    await store.load(record.key)
    await store.load(record.key, since=record.seen)
    await store.apply(change(record, a=b"1"))
    await store.touch([record.key])
    await store.delete(record.key)
    assert len(written) == 5


async def test_a_read_writes_nothing(store: ValkeyStore) -> None:
    record = await created(store, filled(3))
    await store.load(record.key, since=record.seen)
    before = await calls(store)
    for _ in range(10):
        await store.load(record.key)
        await store.load(record.key, since=record.seen)
    after = await calls(store)
    changed = {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)}
    writing = {"hset", "zadd", "pexpireat", "pexpire", "set", "hdel", "unlink", "zrem", "renamenx"}
    assert not writing & changed.keys()
    assert changed["zscore"] == 20


async def memory_of(store: ValkeyStore, *, commits: int) -> float:
    """The memory of a session of 20 attributes of 100 bytes and of its index entry, over that of the bare values.

    The mean of some with different names: how long the chains of a hash table are is left to chance, and the same names
    have the same chains in all sessions of one server.
    """
    return statistics.fmean([await memory_of_one(store, f"{number:04}", commits=commits) for number in range(50)])


async def memory_of_one(store: ValkeyStore, prefix: str, *, commits: int) -> float:
    record: SessionRecord = await created(store, {f"{prefix}{place:02}": b"x" * 100 for place in range(20)})
    for _ in range(commits):
        await store.apply(change(record, **{f"{prefix}07": b"y" * 100}))
    assert store.segments is not None
    segment = store.segments.of(record.key)
    assert len((await stored(store, record)).attributes) == 20
    return (int(await store.link.request("MEMORY", "USAGE", segment.record(record.key), "SAMPLES", 0)) + 76) / 2000


async def test_a_session_takes_little_more_memory_than_its_values(server: RawServer) -> None:
    """At most 1.5 times in the embedded store, which packs hashes with values up to 1 KiB; 1.8 in a default one."""
    async with started(store_at(server.url)) as store:
        assert await memory_of(store, commits=0) <= 1.8
        assert await memory_of(store, commits=9) <= 1.8
        await store.link.request("CONFIG", "SET", "hash-max-listpack-value", 1024)
        assert await memory_of(store, commits=0) <= 1.5
        assert await memory_of(store, commits=9) <= 1.5


async def test_when_memory_is_short_nothing_is_written_in_part_and_sessions_can_still_end(server: RawServer) -> None:
    """F-09: reads, touches, logout and expiry go on."""
    async with started(store_at(server.url, reap_interval=1000.0, grace=0.0)) as store:
        record, leaving = await created(store, filled(20)), await created(store)
        gone = await created(store, idle=0.001)
        await store.shared_secret(b"1" * 32)
        await store.link.request("CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(StoreRefused) as refused:
            await store.apply(change(record, a=b"1", b=b"2"))
        assert refused.value.server_code == "OOM"
        with pytest.raises(StoreRefused):
            await created(store)
        assert await stored(store, record) == record
        async with started(store_at(server.url, namespace=store._namespace)) as late:
            assert await stored(late, record) == record
            assert await late.shared_secret(b"2" * 32) == b"1" * 32
        await store.touch([record.key])
        assert await store.delete(leaving.key)
        assert await store.load(leaving.key) is None
        assert store.reaper is not None
        assert await store.reaper.sweep() == 1
        assert await store.load(gone.key) is None
        await store.link.request("CONFIG", "SET", "maxmemory", 0)
        assert (await store.apply(change(record, a=b"1"))).version > record.version
        assert await store.load(new_key()) is None
