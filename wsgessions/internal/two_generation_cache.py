"""A small memory of what was worked out lately, for answers that never change."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["TwoGenerationCache"]

K = TypeVar("K")
V = TypeVar("V")


class TwoGenerationCache(Generic[K, V]):
    """A mapping that keeps at least the last ``size`` entries that were put in or used, and at most twice as many.

    Two dicts take turns, so that a look costs no more than one of them, and no entry is ever moved but to be kept.
    """

    __slots__ = ("_old", "_size", "_young")

    def __init__(self, size: int) -> None:
        self._size = size
        self._young: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def get(self, key: K) -> V | None:
        """What is remembered for this key, if anything."""
        value = self._young.get(key)
        if value is None:
            value = self._old.get(key)
            if value is not None:
                self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember ``value``, which is not None."""
        if len(self._young) >= self._size:
            self._old, self._young = self._young, {}
        self._young[key] = value
