"""`LoopBoundStore` with a class for each capability of a store; `bound` has what all of them are.

Importing this module is what makes the capabilities known, so it is the one to import `LoopBoundStore` from.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from ...record import SessionKey, SessionRecord
from ...store.alike import Comparison, SettingsComparison
from ...store.cache_statistics import CacheStatistics
from ...store.capabilities import (
    Barrier,
    CacheLookup,
    Capability,
    Countable,
    HistoryCheck,
    LimitedStore,
    PrimaryCheck,
    SecretKeeping,
    SeenState,
    TouchBuffer,
)
from ...store.contract import NEVER, Store
from ...store.followers import Followers
from ...store.listing import Indexing, Listing, Names, SessionHead, SessionPage
from .bound import LoopBoundStore, capability_of

__all__ = ["LoopBoundStore"]


def _buffers_nothing(*_: object) -> bool:
    return False


def _holds_nothing(*_: object) -> None:
    return None


class CountingStore(LoopBoundStore, forwards=Countable):
    async def count(self, *, deadline: float = NEVER) -> int:
        return await self._ask(Countable, lambda store: store.count(deadline=deadline), deadline)


class ListingStore(LoopBoundStore, forwards=Listing):
    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        return await self._ask(Listing, lambda each: each.page(cursor, limit, names=names, deadline=deadline), deadline)

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        return await self._ask(Listing, lambda store: store.with_ref(ref, names=names, deadline=deadline), deadline)


class IndexingStore(LoopBoundStore, forwards=Indexing):
    async def keys_of(self, principal: str, *, deadline: float = NEVER) -> list[SessionKey]:
        return await self._ask(Indexing, lambda store: store.keys_of(principal, deadline=deadline), deadline)

    async def heads_of(
        self, principal: str, keys: Collection[SessionKey], *, names: Names = (), deadline: float = NEVER
    ) -> list[SessionHead]:
        return await self._ask(
            Indexing, lambda each: each.heads_of(principal, keys, names=names, deadline=deadline), deadline
        )


class SecretKeepingStore(LoopBoundStore, forwards=SecretKeeping):
    def __init__(self, factory: Callable[[], Store]) -> None:
        super().__init__(factory)
        self._followers = Followers()
        self._secret = b""
        """The latest known secret; empty before `follow_secret`."""

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        return await self._ask(SecretKeeping, lambda store: store.shared_secret(proposal, deadline=deadline), deadline)

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        self._secret = known
        self._followers.add(tell)
        capability_of(self._store, SecretKeeping).follow_secret(known, self._learn)

    def _serve_from(self, store: Store | None) -> None:
        super()._serve_from(store)
        if store is not None and self._secret:
            capability_of(store, SecretKeeping).follow_secret(self._secret, self._learn)

    def _learn(self, secret: bytes) -> None:
        self._secret = secret
        self._followers.tell(secret)


class LimitedBoundStore(LoopBoundStore, forwards=LimitedStore):
    @property
    def missing_capabilities(self) -> frozenset[Capability]:
        return capability_of(self._store, LimitedStore).missing_capabilities


class BarrierStore(LoopBoundStore, forwards=Barrier):
    async def barrier(self, *, deadline: float = NEVER) -> None:
        await self._ask(Barrier, lambda store: store.barrier(deadline=deadline), deadline)


class PrimaryCheckingStore(LoopBoundStore, forwards=PrimaryCheck):
    async def confirm(self, *, deadline: float = NEVER) -> None:
        await self._ask(PrimaryCheck, lambda store: store.confirm(deadline=deadline), deadline)


class HistoryCheckingStore(LoopBoundStore, forwards=HistoryCheck):
    async def never_had(self, key: SessionKey, *, since_us: int, deadline: float = NEVER) -> bool:
        return await self._ask(
            HistoryCheck, lambda store: store.never_had(key, since_us=since_us, deadline=deadline), deadline
        )


class ComparingStore(LoopBoundStore, forwards=SettingsComparison):
    async def compare_settings(self, *, deadline: float = NEVER) -> Comparison:
        return await self._ask(SettingsComparison, lambda store: store.compare_settings(deadline=deadline), deadline)


class TouchBufferingStore(LoopBoundStore, forwards=TouchBuffer):
    note_use: Callable[[SessionKey], bool] = staticmethod(_buffers_nothing)
    """See `TouchBuffer.note_use`."""
    note_presented: Callable[[SessionKey, int], bool] = staticmethod(_buffers_nothing)
    """See `TouchBuffer.note_presented`."""

    def _serve_from(self, store: Store | None) -> None:
        super()._serve_from(store)
        touches = None if store is None else capability_of(store, TouchBuffer)
        self.note_use = _buffers_nothing if touches is None else touches.note_use
        self.note_presented = _buffers_nothing if touches is None else touches.note_presented


class CacheLookupStore(LoopBoundStore, forwards=CacheLookup):
    lookup: Callable[[SessionKey, SeenState | None], SessionRecord | None] = staticmethod(_holds_nothing)
    """See `CacheLookup.lookup`."""

    @property
    def statistics(self) -> CacheStatistics:
        return capability_of(self._store, CacheLookup).statistics

    def _serve_from(self, store: Store | None) -> None:
        super()._serve_from(store)
        self.lookup = _holds_nothing if store is None else capability_of(store, CacheLookup).lookup
