"""A layer in front of a store that sees every call, and can hold it up or make it fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from wsgessions.clock import StoreClock
from wsgessions.errors import StoreUnavailable
from wsgessions.record import (
    CommitOutcome,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
)
from wsgessions.stores.base import NEVER, Countable, SecretKeeping, Store

T = TypeVar("T")


class SpyStore:
    """A `Store`.

    Attributes:
        calls: the names of the calls so far, in order.
        down: while it is set, every call fails and nothing reaches the store behind.
        deaf: while it is set, calls reach the store behind and their answers are lost.
        before: awaited with the name of a call before it is passed on.
        after: awaited with the name of a call after it was done, before it is answered.
    """

    def __init__(self, below: Store) -> None:
        self.below = below
        self.calls: list[str] = []
        self.deltas: list[SessionDelta] = []
        self.created: list[NewSession] = []
        self.down = False
        self.deaf = False
        self.before: Callable[[str], Awaitable[None]] = _nothing
        self.after: Callable[[str], Awaitable[None]] = _nothing

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    @property
    def clock(self) -> StoreClock:
        return self.below.clock

    async def _pass(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(name)
        await self.before(name)
        if self.down:
            raise StoreUnavailable("the store is down")
        result = await call()
        await self.after(name)
        if self.deaf:
            raise StoreUnavailable("the answer is lost")
        return result

    async def start(self, *, deadline: float = NEVER) -> None:
        await self._pass("start", lambda: self.below.start(deadline=deadline))

    async def close(self) -> None:
        self.calls.append("close")
        await self.below.close()

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        self.created.append(new)
        return await self._pass("create", lambda: self.below.create(new, deadline=deadline))

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        return await self._pass("load", lambda: self.below.load(key, since=since, deadline=deadline))

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        self.deltas.append(delta)
        return await self._pass("apply", lambda: self.below.apply(delta, deadline=deadline))

    async def rotate(self, delta: SessionDelta, successor: Successor, *, deadline: float = NEVER) -> CommitOutcome:
        self.deltas.append(delta)
        return await self._pass("rotate", lambda: self.below.rotate(delta, successor, deadline=deadline))

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        await self._pass("touch", lambda: self.below.touch(keys, deadline=deadline))

    async def count(self, *, deadline: float = NEVER) -> int:
        """Not among the calls: only tests ask."""
        assert isinstance(self.below, Countable)
        return await self.below.count(deadline=deadline)

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """Not among the calls: it comes with the start."""
        assert isinstance(self.below, SecretKeeping)
        return await self.below.shared_secret(proposal, deadline=deadline)

    async def delete(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        return await self._pass("delete", lambda: self.below.delete(key, deadline=deadline))


async def _nothing(name: str) -> None:
    """Neither wait nor fail."""
