"""The store in memory keeps the contract of all stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from wsgessions.record.clock import StoreClock
from wsgessions.store.contract import Store
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.testing.stores.harness import IDLE, change, created
from wsgessions.testing.stores.suite import CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite, StoreSuite


class TestMemoryStore(StoreSuite, CountableSuite, IndexingSuite, ListingSuite, SecretKeepingSuite):
    seconds = 1_800_000_000.0

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[MemoryStore]:
        clock = StoreClock(monotonic=lambda: self.seconds, wall=lambda: self.seconds)
        yield MemoryStore(clock=clock)

    async def advance(self, store: Store, seconds: float) -> None:
        self.seconds += seconds

    async def test_sessions_that_are_over_leave_the_memory(self) -> None:
        async with self.opened() as store:
            for _ in range(100):
                record = await created(store)
                await store.apply(change(record, a=b"1"))
                await store.delete((await created(store)).key)
            assert len(store._entries) == 200
            await self.advance(store, IDLE * 10)
            for _ in range(100):
                await created(store)
            assert len(store._entries) == 100
            assert len(store._due) == 100
