"""The allocation of a ring: records one after the other, the newest overwriting the oldest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

__all__ = ["Ring"]


class Ring:
    """Allocates room from ``start`` to ``end``; it knows offsets, not contents.

    A record is contiguous. The rest before ``end`` is not used in a round if the next record does not fit there.
    """

    __slots__ = ("_turn", "end", "head", "start", "tail")

    def __init__(self, start: int, end: int) -> None:
        self.start: Final = start
        self.end: int = end
        """May be moved on until the first record was overwritten."""
        self.head: int = start
        """The offset of the next record if it fits."""
        self.tail: int = start
        """The offset of the oldest record, if there is any."""
        self._turn = 0
        """The end of the older records at the back, while the newest ones are at the front again; otherwise 0."""

    def room(self, size: int, drop: Callable[[int], int]) -> int:
        """The offset for ``size`` bytes. `take` allocates it: until then, only drops have happened.

        Args:
            size: at most ``end - start``.
            drop: removes the record that begins at this offset, and returns its size in bytes.
        """
        if self.head + size > self.end:
            while self._turn:
                self._drop_oldest(drop)
            self._turn, self.head = self.head, self.start
        while self._turn and self.head + size > self.tail:
            self._drop_oldest(drop)
        return self.head

    def take(self, size: int) -> None:
        """Allocate: a record of ``size`` bytes was written at the offset of `room`."""
        self.head += size

    def clear(self) -> None:
        """Reset the ring to the empty state."""
        self.head = self.tail = self.start
        self._turn = 0

    def age(self, place: int) -> int:
        """A sort key for offsets by the age of their records: the smaller, the older."""
        return (place - self.tail) % (self.end - self.start)

    def _drop_oldest(self, drop: Callable[[int], int]) -> None:
        self.tail += drop(self.tail)
        if self.tail >= self._turn:
            self.tail, self._turn = self.start, 0
