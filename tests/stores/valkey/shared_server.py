"""One server for all tests of a module; each test has a namespace of its own there."""

from __future__ import annotations

import gc
import itertools
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.stores.valkey.raw_server import RawServer
from wsgessions.store.address import Address, in_turn
from wsgessions.stores.valkey.client.script import Script
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.stores.valkey.upkeep.index_repair import IndexRepair
from wsgessions.stores.valkey.upkeep.principal_repair import PrincipalRepair
from wsgessions.stores.valkey.upkeep.reaper import Reaper

_numbers = itertools.count()

# Moves all times that the store keeps into the past, which is as good as waiting. A sorted set holds instants; so do
# the fields `created` and `deadline` of the metadata, which stand behind magic, format, incarnation and version.
AGE = Script(
    "age",
    """
    local by = tonumber(ARGV[2])
    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
      local kind = redis.call('TYPE', key).ok
      if kind == 'zset' then
        local entries = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
        for i = 1, #entries, 2 do redis.call('ZADD', key, entries[i + 1] - by, entries[i]) end
      elseif kind == 'hash' then
        for _, field in ipairs({'m', 't'}) do
          local raw = redis.call('HGET', key, field)
          if raw then
            local created, interval, deadline = struct.unpack('>I8I8I8', raw, 19)
            raw = raw:sub(1, 18) .. struct.pack('>I8I8I8', created - by, interval, deadline - by) .. raw:sub(43)
            redis.call('HSET', key, field, raw)
          end
        end
        local rotated, forward, given_up = unpack(redis.call('HMGET', key, 'i', 'f', 'e'))
        if given_up then redis.call('HSET', key, 'e', struct.pack('>I8', struct.unpack('>I8', given_up) - by)) end
        if rotated then redis.call('HSET', key, 'i', struct.pack('>I8', struct.unpack('>I8', rotated) - by * 1000)) end
        if forward then
          local ends = struct.unpack('>I8', forward, 25)
          redis.call('HSET', key, 'f', forward:sub(1, 24) .. struct.pack('>I8', ends - by))
        end
      end
      -- The list of members lives by heartbeats, and for the processes no time has passed.
      local members = kind == 'hash' and redis.call('HEXISTS', key, 'm') + redis.call('HEXISTS', key, 't') == 0
      local ttl = redis.call('PTTL', key)
      if ttl > 0 and not members then redis.call('PEXPIRE', key, math.max(ttl - by, 1)) end
    end
    """,
)


@pytest.fixture(scope="module")
def shared_server() -> Iterator[RawServer]:
    """A running server; its directory has a short name, as the path of a socket must.

    A store that nobody has any more closes itself once it is collected. That must be before its server goes, which it
    would look for ever after, and say so in the logs of other tests.
    """
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory))
        server.start()
        yield server
        gc.collect()
        server.kill()


def store_at(url: str, **options: Any) -> ValkeyStore:
    """A store that sweeps only when told to, in a namespace of its own unless one is given."""
    options = {"namespace": f"t{next(_numbers)}", "reap_interval": None, **options}
    return ValkeyStore(in_turn([Address.parse(url)]), **options)


@asynccontextmanager
async def started(store: ValkeyStore) -> AsyncIterator[ValkeyStore]:
    try:
        await store.start()
        yield store
    finally:
        await store.close()


async def age(store: ValkeyStore, seconds: float) -> None:
    """Let time pass for what is in the store."""
    await store.link.call(AGE, [], [f"{store._namespace}:*", round(seconds * 1000)])


def repair_of(store: ValkeyStore, *, idle_timeout: float = 0.0) -> IndexRepair:
    """A pass over what is in the store, step by step."""
    return store.make_repair(idle_timeout)


def reaper_of(store: ValkeyStore, *, interval: float = 1.0) -> Reaper:
    """One more process that sweeps the store."""
    return store.make_reaper(interval, 0.0)


async def drop_orphans(store: ValkeyStore, indexes: Iterable[bytes]) -> None:
    """The part of a pass that removes entries without a session from indexes of principals."""
    await PrincipalRepair(store.sender, store.sessions.index, store.sessions.principals).drop_orphans(indexes)
