"""A small cache of recently computed results that never change."""

from __future__ import annotations

from typing import TypeVar

from .masked import shows_as

__all__ = ["TwoGenerationCache"]

K = TypeVar("K")
V = TypeVar("V")


@shows_as(lambda cache: f"<{len(cache)} recent results>")
class TwoGenerationCache(dict[K, V | None]):
    """A mapping that keeps at least the last ``size`` entries that were added or used, and at most twice as many.

    ``cache[key]`` is the cached value; None if there is none. Two dicts take turns: this one has the young generation,
    so that a recent value is found without a call of Python code, and an entry is moved only to be kept. The other
    methods of a dict, such as ``get``, know the young generation only.
    """

    __slots__ = ("_old", "_size")

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._old: dict[K, V | None] = {}

    def __missing__(self, key: K) -> V | None:
        value = self._old.get(key)
        if value is not None:
            self.put(key, value)
        return value

    def put(self, key: K, value: V) -> None:
        """Cache ``value``, which must not be None."""
        if len(self) >= self._size:
            self._old = dict(self)
            self.clear()
        self[key] = value
