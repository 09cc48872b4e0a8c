"""A small cache of recently computed results that never change."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["TwoGenerationCache"]

K = TypeVar("K")
V = TypeVar("V")


class TwoGenerationCache(Generic[K, V]):
    """A mapping that keeps at least the last ``size`` entries that were added or used, and at most twice as many.

    Two dicts take turns, so that a look-up costs little more than one of a dict, and an entry is moved only to be kept.
    """

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """The cached value of this key; None if there is none."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Cache ``value``, which must not be None."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value
