"""A layer over a store that counts calls, and can be cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar, cast

from ...errors import StoreUnavailable
from ...record import Seen, SessionKey, SessionRecord
from ...store.cache_statistics import CacheStatistics
from ...store.capabilities import CacheLookup, find_capability
from ...store.contract import Store
from .store_layer import StoreLayer

__all__ = ["WatchedStore"]

T = TypeVar("T")


class WatchedStore(StoreLayer):
    """Passes every call on to ``below``, and serves from memory if that does.

    Args:
        below: the store.
    """

    def __new__(cls, below: Store) -> Self:
        cache = find_capability(below, CacheLookup)
        return super().__new__(cls if cache is None else cast("type[Self]", _WatchedCache))

    def __init__(self, below: Store) -> None:
        super().__init__(below)
        self.calls: Counter[str] = Counter()
        """The number of calls of each method, without `start` and `close`."""
        self.stopped = False
        """While True, every call fails as if the server had been unreachable for longer than the lease."""

    def forget(self) -> None:
        """Reset the counts."""
        self.calls.clear()
        self.deltas.clear()

    async def _pass(self, call: str, do: Callable[[], Awaitable[T]]) -> T:
        if call != "start":
            self.calls[call] += 1
        if self.stopped:
            raise StoreUnavailable("the store was stopped by the test")
        return await do()


class _WatchedCache(WatchedStore):
    """Before a store that can serve from memory."""

    @property
    def statistics(self) -> CacheStatistics:
        return self._cache.statistics

    def lookup(self, key: SessionKey, mark: Seen | None) -> SessionRecord | None:
        return None if self.stopped else self._cache.lookup(key, mark)

    @property
    def _cache(self) -> CacheLookup:
        return cast("CacheLookup", find_capability(self.below, CacheLookup))
