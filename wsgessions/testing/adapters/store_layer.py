"""A layer over a store that does nothing yet: the base of the layers of tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar

from ...record import (
    CommitOutcome,
    NewSession,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
)
from ...record.clock import StoreClock
from ...store.contract import NEVER, Store

__all__ = ["StoreLayer"]

T = TypeVar("T")


class StoreLayer:
    """Passes every call on to ``below`` by way of `_pass`, for subclasses to step in; `close` goes there at once.

    Args:
        below: the store.
    """

    def __init__(self, below: Store) -> None:
        self.below = below
        self.deltas: list[SessionDelta] = []
        """What was to be sent by `Store.apply` and `Store.rotate`."""

    async def _pass(self, call: str, do: Callable[[], Awaitable[T]]) -> T:
        """Do one call, with the name ``call``."""
        return await do()

    @property
    def clock(self) -> StoreClock:
        return self.below.clock

    async def start(self, *, deadline: float = NEVER) -> None:
        await self._pass("start", lambda: self.below.start(deadline=deadline))

    async def close(self) -> None:
        await self.below.close()

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        return await self._pass("create", lambda: self.below.create(new, deadline=deadline))

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        return await self._pass("load", lambda: self.below.load(key, since=since, deadline=deadline))

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        self.deltas.append(delta)
        return await self._pass("apply", lambda: self.below.apply(delta, deadline=deadline))

    async def rotate(self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER) -> CommitOutcome:
        self.deltas.append(delta)
        return await self._pass("rotate", lambda: self.below.rotate(delta, successor, deadline=deadline))

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        await self._pass("touch", lambda: self.below.touch(keys, deadline=deadline))

    async def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        return await self._pass("was_replaced", lambda: self.below.was_replaced(key, deadline=deadline))

    async def end_forward(self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER) -> None:
        await self._pass("end_forward", lambda: self.below.end_forward(keys, grace_ms=grace_ms, deadline=deadline))

    async def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> bool:
        return await self._pass("delete", lambda: self.below.delete(key, by_client=by_client, deadline=deadline))
