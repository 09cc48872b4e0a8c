"""The settings choose the store, and each kind works through all its layers."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.stores.embedded.watched import Place
from tests.stores.valkey.links import soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.manager.store_factory import open_store
from wsgessions.record import CommitStatus, SessionRecord
from wsgessions.settings import SessionSettings
from wsgessions.store.capabilities import CacheLookup, Countable, SecretKeeping, TouchBuffer, find_capability
from wsgessions.store.contract import Store
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.stores.valkey.coherence import heartbeat
from wsgessions.testing.stores.harness import change, created, new_key, stored

__all__ = ["shared_server"]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "store")
    yield made
    made.end_everything()


@pytest.fixture(params=["unix", "embedded"])
def url(request: pytest.FixtureRequest) -> str:
    if request.param == "unix":
        server: RawServer = request.getfixturevalue("shared_server")
        return server.url
    directory: Place = request.getfixturevalue("place")
    return f"embedded:{directory.path}"


def settings(url: str, **others: Any) -> SessionSettings:
    return SessionSettings(store_url=url, namespace=f"n{secrets.token_hex(4)}", **others)


@asynccontextmanager
async def opened(settings: SessionSettings) -> AsyncIterator[Store]:
    store = open_store(settings)
    try:
        await store.start(deadline=soon())
        yield store
    finally:
        await store.close()


def test_memory_is_the_store_of_this_process() -> None:
    assert isinstance(open_store(settings("memory:")), MemoryStore)


async def test_two_processes_with_the_same_settings_share_their_sessions(url: str) -> None:
    common = settings(url)
    async with opened(common) as one, opened(common) as other:
        record = await created(one, {"a": b"1"})
        assert await stored(other, record) == record
        assert (await other.apply(change(record, a=b"2"))).status is CommitStatus.APPLIED
        assert (await stored(one, record)).attributes == {"a": b"2"}
        assert await one.delete(record.key)
        assert await other.load(record.key) is None


async def test_the_optional_powers_are_there_through_all_layers(url: str) -> None:
    async with opened(settings(url)) as store:
        await created(store)
        counter = find_capability(store, Countable)
        assert counter is not None
        assert await counter.count() == 1
        keeper = find_capability(store, SecretKeeping)
        assert keeper is not None
        assert await keeper.shared_secret(b"1" * 32) == await keeper.shared_secret(b"2" * 32) == b"1" * 32


def noting(store: Store) -> TouchBuffer:
    found = find_capability(store, TouchBuffer)
    assert found is not None
    return found


async def test_touches_are_gathered_and_arrive_within_their_interval(url: str) -> None:
    async with opened(settings(url, touch_interval=timedelta(milliseconds=20))) as store:
        record = await created(store)
        noting(store).note_use(record.key)
        async with asyncio.timeout(20):
            while (await stored(store, record)).expires_ms == record.expires_ms:
                noting(store).note_use(record.key)
                await asyncio.sleep(0.01)


async def test_a_server_s_table_of_watched_sessions_may_be_full_and_the_embedded_one_has_no_limit(
    url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """C-18."""
    monkeypatch.setattr(heartbeat, "_BEATS_PER_SWEEP", 1)
    monkeypatch.setattr(
        "wsgessions.stores.valkey.coherence.heartbeat._log", LogThrottle(logging.getLogger("wsgessions.coherence"))
    )
    async with opened(settings(url, tracking_table_max_keys=1, heartbeat="50ms")) as store:
        await created(store)
        cache = find_capability(store, CacheLookup)
        assert cache is not None
        await until(lambda: cache.statistics.tracked_keys > 0)
    assert ("tracking-table-max-keys" in caplog.text) is url.startswith("unix")


async def test_closing_sends_the_last_touches(shared_server: RawServer) -> None:
    common = settings(shared_server.url, touch_interval=timedelta(seconds=60))
    async with opened(common) as watching:
        async with opened(common) as store:
            record = await created(store)
            now = record.created_ms
            while now == record.created_ms:  # the touch is to come in another millisecond
                now = (await created(watching)).created_ms
            noting(store).note_use(record.key)
        assert (await stored(watching, record)).expires_ms > record.expires_ms


async def test_a_busy_session_is_reported_once_in_each_step(shared_server: RawServer) -> None:
    """S-63: a thousand uses that fill many intervals, on a real server, are two reports at most."""
    common = settings(shared_server.url, touch_interval="10ms", touch_step="60s", max_bytes_on_heap=0)
    async with opened(common) as store:
        record = await created(store, idle=1800)
        ends = set()
        for number in range(1000):
            noting(store).note_use(record.key)
            if number % 50 == 0:
                await asyncio.sleep(0.02)
                ends.add((await stored(store, record)).expires_ms)
        assert len(ends) <= 2


async def test_a_server_that_evicts_is_used_if_the_settings_say_so() -> None:
    """C-18."""
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory), "--maxmemory-policy", "allkeys-lru")
        server.start()
        try:
            with pytest.raises(ConfigError, match="allkeys-lru"):
                async with opened(settings(server.url)):
                    pass
            async with opened(settings(server.url, allow_eviction=True, concurrency=16)) as store:
                await created(store)
        finally:
            server.kill()


async def test_sessions_outlive_all_their_users(place: Place) -> None:
    common = settings(f"embedded:{place.path}", fsync="always")
    async with opened(common) as store:
        record = await created(store, {"a": b"1"})
    place.end_everything()
    async with opened(common) as store:
        assert await stored(store, record) == record


async def test_a_directory_with_a_name_too_long_for_a_socket_is_served_on_a_port(tmp_path: Path) -> None:
    place = Place(tmp_path / ("long" * 30))
    try:
        async with opened(settings(f"embedded:{place.path}")) as store:
            record = await created(store, {"a": b"1"})
            assert await stored(store, record) == record
    finally:
        place.end_everything()


async def test_a_killed_server_comes_back_with_every_acknowledged_change(place: Place) -> None:
    """F-05: within the deadline of the request that meets it."""
    async with opened(settings(f"embedded:{place.path}", fsync="always")) as store:
        record = await created(store)
        for value in range(20):
            outcome = await store.apply(change(record, **{f"a{value}": b"1"}), deadline=soon())
            assert outcome.status is CommitStatus.APPLIED
        os.kill(place.connection().server_pid, signal.SIGKILL)
        found = await store.load(record.key, deadline=soon())
        assert isinstance(found, SessionRecord)
        assert found.attributes == {f"a{value}": b"1" for value in range(20)}
        assert (await store.apply(change(found, more=b"1"), deadline=soon())).status is CommitStatus.APPLIED


async def test_a_directory_that_cannot_be_used_is_an_error_of_configuration(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    store = open_store(settings(f"embedded:{file}"))
    with pytest.raises(ConfigError):
        await store.start(deadline=soon())
    await store.close()


async def test_a_server_that_is_not_there_is_an_outage(tmp_path: Path) -> None:
    store = open_store(settings(f"unix://{tmp_path}/nobody"))
    with pytest.raises(StoreUnavailable):
        await store.start(deadline=soon(0.2))
    with pytest.raises(StoreUnavailable):
        await store.load(new_key(), deadline=soon(0.1))
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.load(new_key())
