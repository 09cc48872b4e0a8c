"""The contract of `wsgessions.store.contract.Store` as tests: a new store is a few lines of test.

```python
class TestMyStore(StoreSuite, CountableSuite):
    @asynccontextmanager
    async def opened(self):
        store = MyStore(...)
        await store.start()
        yield store
        await store.close()

    async def advance(self, store, seconds):
        store.clock_of_the_test += seconds
```

It needs pytest, hypothesis, and pytest-asyncio with ``asyncio_mode = "auto"``.
"""

from __future__ import annotations

import asyncio
import gc
import secrets
import weakref

from ...store.capabilities import CacheLookup, Capability, Countable, LimitedStore, SecretKeeping, find_capability
from ...store.contract import Store
from ...store.listing import Indexing, Listing
from .commits import CommitCases
from .harness import IDLE, StoreHarness, change, created, successor_of
from .life import LifeCases
from .lineage import LineageCases
from .listing import ListingSuite
from .model import ModelCases
from .principals import IndexingSuite, PrincipalCases
from .renewal import RenewalCases

__all__ = ["CountableSuite", "IndexingSuite", "LimitedSuite", "ListingSuite", "SecretKeepingSuite", "StoreSuite"]


_CAPABILITIES = {
    Capability.COUNTING: Countable,
    Capability.LISTING: Listing,
    Capability.INDEXING: Indexing,
    Capability.NEAR_CACHE: CacheLookup,
}


class StoreSuite(LifeCases, CommitCases, LineageCases, RenewalCases, PrincipalCases, ModelCases):
    """The cases for every store. A subclass defines how to open one, and how to let time pass; see `StoreHarness`."""


class CountableSuite(StoreHarness):
    """The cases for a store that counts its sessions (E-7, K-10)."""

    async def test_the_count_is_that_of_the_living(self, store: Store) -> None:
        counter = find_capability(store, Countable)
        assert counter is not None
        before = await counter.count()
        records = [await created(store) for _ in range(5)]
        assert await counter.count() == before + 5
        await store.delete(records[0].key)
        await store.rotate(change(records[1]), successor_of(records[1].key))
        assert await counter.count() == before + 4
        await self.advance(store, IDLE - 60)
        await store.touch([records[2].key])
        await self.advance(store, 120)
        assert await counter.count() == 1


class _Follower:
    def learn(self, secret: bytes) -> None:
        """Does nothing."""


class SecretKeepingSuite(StoreHarness):
    """The cases for a store that keeps the common secret (C-11)."""

    async def test_the_first_proposal_is_the_secret_for_everybody(self, store: Store) -> None:
        keeper = find_capability(store, SecretKeeping)
        assert keeper is not None
        proposals = [secrets.token_bytes(32) for _ in range(10)]
        answers = await asyncio.gather(*map(keeper.shared_secret, proposals))
        assert len(set(answers)) == 1
        assert answers[0] in proposals
        assert await keeper.shared_secret(secrets.token_bytes(32)) == answers[0]

    async def test_a_follower_is_held_weakly(self, store: Store) -> None:
        keeper = find_capability(store, SecretKeeping)
        assert keeper is not None
        secret, follower = await keeper.shared_secret(secrets.token_bytes(32)), _Follower()
        keeper.follow_secret(secret, follower.learn)
        alive = weakref.ref(follower)
        del follower
        gc.collect()
        assert alive() is None


class LimitedSuite(StoreHarness):
    """The cases for a store with missing capabilities: it has none of those.

    A missing capability costs speed, or is not part of the contract; no case of `StoreSuite` is skipped for it.
    """

    async def test_what_it_says_to_lack_it_has_not(self, store: Store) -> None:
        limited = find_capability(store, LimitedStore)
        assert limited is not None
        assert limited.missing_capabilities <= set(Capability)
        for ability, capability in _CAPABILITIES.items():
            assert (ability in limited.missing_capabilities) == (find_capability(store, capability) is None)
