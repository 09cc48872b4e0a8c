"""Sessions in caches of aiocache keep the contract of all stores, whatever the back end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from tests.stores.aiocache.back_ends import alias_of, back_end
from tests.stores.aiocache.memcached import PROGRAM
from wsgessions.record.clock import StoreClock
from wsgessions.store.contract import Store
from wsgessions.stores.aiocache.store import AiocacheStore
from wsgessions.testing.stores.suite import LimitedSuite, SecretKeepingSuite, StoreSuite


class OnBackEnd(StoreSuite, SecretKeepingSuite, LimitedSuite):
    seconds = 1_800_000_000.0
    name: ClassVar[str]
    examples = 8

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def server(cls) -> Iterator[None]:
        with back_end(cls.name) as cls.config:
            cls.alias = alias_of(**cls.config)
            yield

    config: ClassVar[dict[str, Any]]
    alias: ClassVar[str]

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[AiocacheStore]:
        clock = StoreClock(monotonic=lambda: self.seconds, wall=lambda: self.seconds)
        store = AiocacheStore(self.alias, clock=clock)
        await store.start()
        yield store
        await store.close()

    async def advance(self, store: Store, seconds: float) -> None:
        self.seconds += seconds


class TestInMemory(OnBackEnd):
    name = "memory"
    examples = 50


class TestInAClassOfTheApplication(OnBackEnd):
    name = "without swap"
    examples = 50


class TestOnRedis(OnBackEnd):
    name = "redis"


class TestOnAStandInForMemcached(OnBackEnd):
    name = "memcached stand-in"


if PROGRAM is not None:

    class TestOnMemcached(OnBackEnd):
        name = "memcached"
