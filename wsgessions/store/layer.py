"""The base of a store in front of another one: it passes all calls on."""

from __future__ import annotations

from collections.abc import Collection, Coroutine
from typing import Any, Final, Generic, TypeVar

from ..record import CommitOutcome, NewSession, RotationTarget, SessionDelta, SessionKey, SessionRecord
from ..record.clock import StoreClock
from .contract import NEVER, Store

__all__ = ["Layer"]

Below = TypeVar("Below", bound=Store)

_PASSED_ON: Final = ("create", "apply", "rotate", "delete", "was_replaced", "end_forward")


class Layer(Generic[Below]):
    """The calls of a `Store` that most layers pass on unchanged. A layer overrides the others.

    Those that it does not override are the methods of the store behind themselves, without a frame of their own.

    Args:
        below: the store behind.
    """

    def __init__(self, below: Below) -> None:
        self.below = below
        for name in _PASSED_ON:
            if getattr(type(self), name) is getattr(Layer, name):
                setattr(self, name, getattr(below, name))

    @property
    def clock(self) -> StoreClock:
        """The clock of the store behind."""
        return self.below.clock

    def create(self, new: NewSession, *, deadline: float = NEVER) -> Coroutine[Any, Any, SessionRecord | None]:
        """See `Store.create`."""
        return self.below.create(new, deadline=deadline)

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        """See `Store.apply`."""
        return self.below.apply(delta, deadline=deadline)

    def rotate(
        self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        """See `Store.rotate`."""
        return self.below.rotate(delta, successor, deadline=deadline)

    def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        """See `Store.delete`."""
        return self.below.delete(key, by_client=by_client, deadline=deadline)

    def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        """See `Store.was_replaced`."""
        return self.below.was_replaced(key, deadline=deadline)

    def end_forward(
        self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER
    ) -> Coroutine[Any, Any, None]:
        """See `Store.end_forward`."""
        return self.below.end_forward(keys, grace_ms=grace_ms, deadline=deadline)
