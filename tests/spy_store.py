"""A layer in front of a store that sees every call, and can hold it up or make it fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from wsgessions.errors import StoreUnavailable
from wsgessions.record import NewSession, SessionRecord
from wsgessions.store.capabilities import Countable
from wsgessions.store.contract import NEVER, Store
from wsgessions.testing.adapters.store_layer import StoreLayer

T = TypeVar("T")


class SpyStore(StoreLayer):
    """A `Store`.

    Attributes:
        calls: the names of the calls so far, in order.
        created: what was to be created.
        down: while it is set, every call fails and nothing reaches the store behind.
        deaf: while it is set, calls reach the store behind and their answers are lost.
        before: awaited with the name of a call before it is passed on.
        after: awaited with the name of a call after it was done, before it is answered.
    """

    def __init__(self, below: Store) -> None:
        super().__init__(below)
        self.calls: list[str] = []
        self.created: list[NewSession] = []
        self.down = False
        self.deaf = False
        self.before: Callable[[str], Awaitable[None]] = _nothing
        self.after: Callable[[str], Awaitable[None]] = _nothing

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.calls)

    async def _pass(self, call: str, do: Callable[[], Awaitable[T]]) -> T:
        self.calls.append(call)
        await self.before(call)
        if self.down:
            raise StoreUnavailable("the store is down")
        result = await do()
        await self.after(call)
        if self.deaf:
            raise StoreUnavailable("the answer is lost")
        return result

    async def close(self) -> None:
        self.calls.append("close")
        await super().close()

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        self.created.append(new)
        return await super().create(new, deadline=deadline)

    async def count(self, *, deadline: float = NEVER) -> int:
        """Not among the calls: only tests ask."""
        assert isinstance(self.below, Countable)
        return await self.below.count(deadline=deadline)


async def _nothing(name: str) -> None:
    """Neither wait nor fail."""
