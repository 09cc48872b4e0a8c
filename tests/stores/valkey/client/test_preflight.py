"""A server is looked at before it is used, at every connection (S-88, C-18, E-1, R-07)."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, cast

import pytest

from tests.stores.valkey.links import soon
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server, started, store_at
from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle
from wsgessions.manager.store_factory import open_store
from wsgessions.settings import SessionSettings
from wsgessions.store.contract import Store
from wsgessions.stores.valkey.client import preflight
from wsgessions.stores.valkey.client.commands import Commands
from wsgessions.stores.valkey.client.preflight import check_server
from wsgessions.stores.valkey.format.segments import DEFAULT_CONCURRENCY
from wsgessions.testing.stores.harness import created

__all__ = ["shared_server"]


class Told:
    """Answers INFO with a text."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def request(self, *args: Any) -> bytes:
        return self.text.encode()


async def check(text: str) -> None:
    await check_server(cast("Commands", Told(text)))


@pytest.mark.parametrize(
    "release",
    ["valkey_version:8.0.0", "valkey_version:9.1.2", "redis_version:7.2.4", "redis_version:8.0.1"],
)
async def test_releases_that_have_what_is_needed_are_accepted(release: str) -> None:
    await check(f"# Server\r\n{release}\r\nrole:master\r\n")


@pytest.mark.parametrize("release", ["valkey_version:7.2.5", "redis_version:7.0.15", "redis_version:x", "other:1"])
async def test_older_or_unknown_releases_are_refused(release: str) -> None:
    with pytest.raises(ConfigError, match=r"needed is at least valkey 8\.0\.0, redis 7\.2\.0"):
        await check(f"{release}\r\nrole:master\r\n")


async def test_a_replica_is_refused_for_as_long_as_it_is_one(server: RawServer) -> None:
    """After a failover the same address may lead to the primary again."""
    async with started(store_at(server.url)) as admin:
        await admin.link.request("REPLICAOF", "127.0.0.1", "1")
        store = store_at(server.url)
        with pytest.raises(StoreUnavailable, match="replica"):
            await store.start(deadline=soon(0.2))
        await admin.link.request("REPLICAOF", "NO", "ONE")
        await store.start(deadline=soon())
        await store.close()


async def test_a_server_that_drops_data_is_refused_with_the_remedy(server: RawServer) -> None:
    async with started(store_at(server.url)) as admin:
        await admin.link.request("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        with pytest.raises(ConfigError, match=r"maxmemory-policy allkeys-lru.*noeviction"):
            await store_at(server.url).start(deadline=soon())


async def test_a_server_that_drops_data_may_be_accepted_knowingly(
    server: RawServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "_log", LogThrottle(logging.getLogger("wsgessions.valkey")))
    async with started(store_at(server.url)) as admin:
        await admin.link.request("CONFIG", "SET", "maxmemory-policy", "volatile-ttl")
    for _ in range(2):
        async with started(store_at(server.url, allow_eviction=True)) as store:
            await created(store)
    (line,) = [line for line in caplog.records if line.__dict__.get("event") == "eviction"]
    assert "volatile-ttl" in line.getMessage()


async def test_the_number_of_segments_is_agreed_on_once(shared_server: RawServer, tmp_path: Path) -> None:
    """E-1: the first process records it, 0 takes what is recorded, and a mismatch is refused with the remedy."""
    common = {"namespace": "agreed"}
    async with started(store_at(shared_server.url, **common, concurrency=16)) as first:
        record = await created(first)
        async with started(store_at(shared_server.url, **common)) as second:
            assert len(list(second.segments or ())) == 16
            assert await second.load(record.key) == record
        with pytest.raises(ConfigError, match=r"'concurrency'.*16 segments, not 64.*concurrency=16 or 0"):
            await store_at(shared_server.url, **common, concurrency=64).start(deadline=soon())
        async with started(store_at(shared_server.url, **common, context_path="/other", concurrency=64)) as other:
            assert await other.load(record.key) is None


async def test_a_new_store_has_the_default_number_of_segments(shared_server: RawServer) -> None:
    async with started(store_at(shared_server.url)) as store:
        assert store.segments is not None
        assert len(store.segments) == DEFAULT_CONCURRENCY


async def test_production_asks_for_an_append_only_file(server: RawServer, caplog: pytest.LogCaptureFixture) -> None:
    """R-07: after a restart from nothing, or from an old snapshot, ended sessions might live again."""
    url = server.url

    def opened(**values: Any) -> Store:
        return open_store(SessionSettings(store_url=url, **values))

    refused = opened(env="production")
    with pytest.raises(ConfigError, match=r"'store_url': the server keeps no append-only file.*allow_volatile"):
        await refused.start(deadline=soon())
    await refused.close()
    accepted, development = opened(env="production", allow_volatile=True), opened()
    for store in (development, accepted):
        await store.start(deadline=soon())
    told = [record for record in caplog.records if record.__dict__.get("event") == "volatile_store"]
    assert [record.levelno for record in told] == [logging.WARNING], "of the accepted one; development asks nothing"
    async with started(store_at(url)) as admin:
        await admin.link.request("CONFIG", "SET", "appendonly", "yes")
    good = opened(env="production")
    await good.start(deadline=soon())
    for store in (good, accepted, development):
        await store.close()
