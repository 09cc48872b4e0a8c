"""The store needs no more rights than the rules that we ship give (S-86): the contract holds under them."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources

import pytest

from tests.stores.valkey.caching_node import caching_node
from tests.stores.valkey.links import at, until
from tests.stores.valkey.links import started as started_link
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import AGE, repair_of, shared_server, started, store_at
from wsgessions.errors import StoreRefused, StoreUnavailable
from wsgessions.store.contract import Store
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import created
from wsgessions.testing.stores.suite import CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite, StoreSuite

__all__ = ["shared_server"]

_contexts = itertools.count()


class TestValkeyStoreUnderItsAcl(StoreSuite, CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite):
    examples = 10

    @pytest.fixture(autouse=True)
    async def _as_the_user_of_the_rules(self, shared_server: RawServer) -> None:
        self.admin_url = shared_server.url
        self.url = shared_server.url.replace("unix://", "unix://wsgessions:a-password@")
        _, name, *rules = resources.files("wsgessions.stores.valkey").joinpath("acl.txt").read_text().split()
        async with started_link(at(self.admin_url)) as admin:
            await admin.request("ACL", "SETUSER", name, "reset", *rules, "on", ">a-password")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[ValkeyStore]:
        store = store_at(self.url, namespace="wsg", context_path=f"/{next(_contexts)}", reap_interval=0.01)
        async with started(store):
            yield store

    async def advance(self, store: Store, seconds: float) -> None:
        """By another user: no store may do what this does."""
        assert isinstance(store, ValkeyStore)
        assert store.segments is not None
        prefix = next(iter(store.segments)).expiries.partition(b"{")[0]
        async with started_link(at(self.admin_url)) as admin:
            await admin.call(AGE, [], [prefix + b"*", round(seconds * 1000)])

    async def test_the_rules_give_no_more_than_the_keys_of_the_namespace(self, store: Store) -> None:
        assert isinstance(store, ValkeyStore)
        await created(store)
        for command in (("GET", "other"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("DEL", "wsg:x")):
            with pytest.raises(StoreRefused) as refused:
                await store.link.request(*command)
            assert refused.value.server_code == "NOPERM"

    async def test_the_rules_let_sessions_be_looked_for_that_are_missing_in_the_index(self, store: Store) -> None:
        """R-28."""
        assert isinstance(store, ValkeyStore)
        assert store.segments is not None
        record = await created(store)
        await store.link.request("ZREM", store.segments.of(record.key).expiries, record.key.digest)
        repair = repair_of(store)
        while await repair.step():
            pass
        assert store.trouble.reindexed == 1

    async def test_the_rules_are_enough_for_a_near_cache(self) -> None:
        """C-4: heartbeats and tracking."""
        async with caching_node(self.url, namespace="wsg", context_path=f"/{next(_contexts)}") as node:
            await node.may_serve()
            record = await created(node.cache)
            assert node.recalls(record)

    async def test_another_database_than_0_needs_one_command_more(self) -> None:
        with pytest.raises(StoreUnavailable, match="no permissions to run the 'select' command"):
            async with started_link(at(f"{self.url}?db=1")):
                pass

    async def test_the_names_of_all_keys_can_be_heard_but_not_what_is_in_them(self) -> None:
        """What the documentation says of the mode of tracking that is not used here."""
        heard: list[object] = []
        link = at(self.url, on_push=heard.append)
        async with started_link(link), started_link(at(self.admin_url)) as admin:
            await link.request("CLIENT", "TRACKING", "ON", "BCAST")
            await admin.request("SET", "other:key", "a-secret")
            await link.request("PING")
            await until(lambda: bool(heard))
            with pytest.raises(StoreRefused, match="NOPERM"):
                await link.request("GET", "other:key")
        assert "other:key" in repr(heard)
        assert "a-secret" not in repr(heard)

    async def test_the_rules_let_a_node_say_and_ask_which_connection_it_is(self) -> None:
        async with started_link(at(self.url)) as link:
            assert await link.request("CLIENT", "SETNAME", "node") == b"OK"
            assert b"name=node" in await link.request("CLIENT", "INFO")

    async def test_the_rules_are_enough_to_wait_for_replicas(self) -> None:
        """C-15b."""
        async with started_link(at(self.admin_url)) as admin:
            for command in (("WAIT", "1", "250"), ("EVAL", "", "1", "wsg:f"), ("SET", "wsg:f", "")):
                assert await admin.request("ACL", "DRYRUN", "wsgessions", *command) == b"OK"
