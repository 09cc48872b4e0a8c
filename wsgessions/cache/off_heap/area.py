"""One file of the off-heap tier for reading: the worker's own, or that of a sibling."""

from __future__ import annotations

from mmap import mmap
from struct import Struct
from typing import Final

from ...record import SessionKey, SessionRecord
from .layout import BUCKET, HEADER, MAGIC, PAGE, WORD, Geometry, HeaderWord, unpack

__all__ = ["ERA_MASK", "MARK_SHIFT", "PLACE_MASK", "Area"]

MARK_SHIFT: Final = 40
PLACE_MASK: Final = (1 << MARK_SHIFT) - 1
"""The lower bits of a word of the table: the number of the word with which the record begins."""
ERA_MASK: Final = 0xFF
"""The lower bits of a mark, and of a generation: a word of an older generation is invalid."""
_DIGEST_SHIFT: Final = 48

_DIGEST: Final = Struct("@QQ")
_WORDS_PER_BUCKET: Final = BUCKET.size // WORD
_MICROSECONDS: Final = 1_000_000


class Area:
    """A mapped file. Reading takes no lock and no call to another process, and may be done by any thread.

    Args:
        memory: the whole file.
        clock: 16 bytes that identify the clock of its lease.

    Raises:
        ValueError: it is no such file, or not complete yet, or its lease is by another clock.
    """

    __slots__ = ("_buckets", "_end", "_memory", "_words")

    def __init__(self, memory: mmap, clock: bytes) -> None:
        size = len(memory)
        if size % PAGE or HEADER.unpack_from(memory) != (MAGIC, clock, size):
            raise ValueError("not a file of this tier on this machine")
        self._buckets: Final = Geometry.of(size).buckets
        self._memory: Final = memory
        self._words: Final = memoryview(memory).cast("Q")
        self._end: Final = len(self._words)

    @property
    def fresh_until(self) -> float:
        """The lease of the worker that writes here: seconds by the lease's clock."""
        return self._words[HeaderWord.LEASE] / _MICROSECONDS

    @property
    def generation(self) -> int:
        return self._words[HeaderWord.GENERATION]

    def read(self, key: SessionKey) -> SessionRecord | None:
        """The state that is stored for this session, or was at some moment during the call."""
        generation = self.generation
        place, word = self._find(key.digest, generation)
        if not word:
            return None
        data = self._copied(word & PLACE_MASK)
        if self._words[place] != word or self.generation != generation:
            return None  # removed while it was copied
        return unpack(data, key, generation)

    def _copied(self, start: int) -> bytes:
        # The length may be invalid if the record is being overwritten; a slice never leaves the file.
        if start >= self._end:
            return b""
        at = start * WORD
        return self._memory[at : at + min(self._words[start], len(self._memory))]

    def _bucket(self, digest: bytes, generation: int) -> tuple[int, int]:
        """The first word of the bucket for this digest, and its mark there."""
        choice, rest = _DIGEST.unpack(digest)
        mark = rest >> _DIGEST_SHIFT << ERA_MASK.bit_length() | generation & ERA_MASK
        return PAGE // WORD + choice % self._buckets * _WORDS_PER_BUCKET, mark

    def _find(self, digest: bytes, generation: int) -> tuple[int, int]:
        """The index of this session's word in the table and the word; zeros if there is none.

        One of 65536 other sessions has the same mark; it is treated as this one, and `unpack` distinguishes them.
        """
        place, mark = self._bucket(digest, generation)
        for word in BUCKET.unpack_from(self._memory, place * WORD):
            if word >> MARK_SHIFT == mark and word:
                return place, word
            place += 1
        return 0, 0
