"""Which bytes are next: records one after the other in a ring, the oldest making room for the newest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Ring"]


class Ring:
    """Hands out room from ``start`` to ``end``; knows places, not what lies there.

    A record lies in one piece. What is left before ``end`` when the next one does not fit is not used in this round.
    """

    __slots__ = ("_turn", "end", "head", "start", "tail")

    def __init__(self, start: int, end: int) -> None:
        self.start: Final = start
        self.end: int = end
        """May be moved on as long as nothing had to make room."""
        self.head: int = start
        """Where the next record goes if it fits."""
        self.tail: int = start
        """Where the oldest record begins, if there is any."""
        self._turn = 0
        """While the newest records are at the front again: where the older ones at the back end. Otherwise 0."""

    def room(self, size: int, drop: Callable[[int], int]) -> int:
        """The place for ``size`` bytes. It is taken by `take`: until then, nothing has happened but drops.

        Args:
            size: at most ``end - start``.
            drop: forgets the record that begins at this place, and says how many bytes it took.
        """
        if self.head + size > self.end:
            while self._turn:
                self._drop_oldest(drop)
            self._turn, self.head = self.head, self.start
        while self._turn and self.head + size > self.tail:
            self._drop_oldest(drop)
        return self.head

    def take(self, size: int) -> None:
        """A record of ``size`` bytes was written where `room` said."""
        self.head += size

    def clear(self) -> None:
        """As if nothing had ever been written."""
        self.head = self.tail = self.start
        self._turn = 0

    def age(self, place: int) -> int:
        """Orders places by what lies there: the smaller, the older."""
        return (place - self.tail) % (self.end - self.start)

    def _drop_oldest(self, drop: Callable[[int], int]) -> None:
        self.tail += drop(self.tail)
        if self.tail >= self._turn:
            self.tail, self._turn = self.start, 0
