"""A layer over a store that notes what passes through it, and can be cut off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Self, cast

from ..clock import StoreClock
from ..errors import StoreUnavailable
from ..record import (
    CommitOutcome,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
)
from ..stores.base import NEVER, Recalling, Store, find_power
from ..stores.cache_statistics import CacheStatistics

__all__ = ["WatchedStore"]


class WatchedStore:
    """Passes every call on to ``below``, and serves from memory where that does.

    Args:
        below: the store.
    """

    def __new__(cls, below: Store) -> Self:
        cache = find_power(below, Recalling)
        return super().__new__(cls if cache is None else cast("type[Self]", _WatchedCache))

    def __init__(self, below: Store) -> None:
        self.below = below
        self.calls: Counter[str] = Counter()
        """How often each method was called, `start` and `close` left out."""
        self.deltas: list[SessionDelta] = []
        """What was sent to `Store.apply` and `Store.rotate`."""
        self.stopped = False
        """While True, every call fails as if there had been no server for so long that no copy is fresh any more."""

    def forget(self) -> None:
        """Count from nothing again."""
        self.calls.clear()
        self.deltas.clear()

    def _note(self, call: str) -> None:
        self.calls[call] += 1
        if self.stopped:
            raise StoreUnavailable("the store was stopped by the test")

    @property
    def clock(self) -> StoreClock:
        return self.below.clock

    async def start(self, *, deadline: float = NEVER) -> None:
        if self.stopped:
            raise StoreUnavailable("the store was stopped by the test")
        await self.below.start(deadline=deadline)

    async def close(self) -> None:
        await self.below.close()

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        self._note("create")
        return await self.below.create(new, deadline=deadline)

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        self._note("load")
        return await self.below.load(key, since=since, deadline=deadline)

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        self._note("apply")
        self.deltas.append(delta)
        return await self.below.apply(delta, deadline=deadline)

    async def rotate(self, delta: SessionDelta, successor: Successor, *, deadline: float = NEVER) -> CommitOutcome:
        self._note("rotate")
        self.deltas.append(delta)
        return await self.below.rotate(delta, successor, deadline=deadline)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        self._note("touch")
        await self.below.touch(keys, deadline=deadline)

    async def delete(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        self._note("delete")
        return await self.below.delete(key, deadline=deadline)


class _WatchedCache(WatchedStore):
    """Before a store that can serve from memory."""

    @property
    def statistics(self) -> CacheStatistics:
        return self._cache.statistics

    def recall(self, key: SessionKey, mark: Seen | None) -> SessionRecord | None:
        return None if self.stopped else self._cache.recall(key, mark)

    @property
    def _cache(self) -> Recalling:
        return cast("Recalling", find_power(self.below, Recalling))
