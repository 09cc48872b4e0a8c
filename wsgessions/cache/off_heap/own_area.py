"""The file that this worker writes, in an order of steps that allows others to read it at any time."""

from __future__ import annotations

import logging
import os
from mmap import mmap
from typing import Final

from ...record import SessionRecord
from .area import ERA_MASK, MARK_SHIFT, PLACE_MASK, Area
from .layout import BUCKET, HEADER, MAGIC, PAGE, WORD, Geometry, HeaderWord, aligned, pack
from .ring import Ring

__all__ = ["OwnArea"]

_log = logging.getLogger("wsgessions.off_heap")
_LARGEST_SHARE: Final = 10
"""A record larger than one tenth of the ring is not kept (F-20)."""
_STEP: Final = 1 << 20
"""The step in bytes by which the allocated part of the file grows."""
_MICROSECONDS: Final = 1_000_000
_DIGEST_AT: Final = slice(2 * WORD, 4 * WORD)
"""The offset of the session's digest in a record."""
_VERSION_AT: Final = 5
"""The number of the word with its version."""


class OwnArea(Area):
    """Written by one thread at a time, the parser's (C-2).

    A record is written to a part that no word of the table refers to, and then published by storing one word. It is
    removed by clearing that word, before its bytes are used again. So this process may be stopped or killed between any
    two instructions: each published record is complete.

    Memory is allocated step by step, by writing zeros, and only then used through the mapping: if the file system is
    full, writing fails and the ring keeps its size. An access to a page that cannot be allocated would kill the
    process.

    Args:
        file: an empty file, open for reading and writing. It is kept open.
        size: the largest size of the file, in bytes, whole pages.
        clock: 16 bytes that identify the clock of the lease.

    Raises:
        OSError: there is no room for the table and the first step.
    """

    __slots__ = ("_file", "_largest", "_limit", "_ring", "bytes", "entries", "evicted")

    def __init__(self, file: int, size: int, clock: bytes) -> None:
        ring = Geometry.of(size).ring
        first = min(ring + _STEP, size)
        os.truncate(file, size)
        _reserve(file, 0, first)
        memory = mmap(file, size)
        HEADER.pack_into(memory, 0, MAGIC, clock, size)
        super().__init__(memory, clock)
        self._file: Final = file
        self._ring: Final = Ring(ring, first)
        self._limit = size
        self._largest = (size - ring) // _LARGEST_SHARE
        self.bytes: int = 0
        """The bytes of the published records."""
        self.entries: int = 0
        self.evicted: int = 0
        """The number of records that were overwritten so far."""

    def put(self, record: SessionRecord) -> None:
        """Store this state in place of the previous one. A state larger than a tenth of the ring is not kept."""
        digest = record.key.digest
        generation = self.generation
        place, word = self._find(digest, generation)
        if word:
            self._remove(place, word)
        data = pack(record, generation)
        size = aligned(len(data))
        ring = self._ring
        if ring.head + size > ring.end < self._limit:
            self._grow(size)
        if size > self._largest:
            return
        start = ring.room(size, self._make_room)
        self._memory[start : start + len(data)] = data
        ring.take(size)
        self._enter(place or self._vacant(digest), digest, start)

    def discard(self, digest: bytes) -> int:
        """Remove this session's record; returns its version, 0 if there was none."""
        place, word = self._find(digest, self.generation)
        if not word:
            return 0
        self._remove(place, word)
        return self._words[(word & PLACE_MASK) + _VERSION_AT]

    def clear(self) -> None:
        """End the generation and the lease: no record in the file is valid any more (C-1, C-5)."""
        words = self._words
        words[HeaderWord.GENERATION] += 1
        words[HeaderWord.LEASE] = 0
        if not self.generation & ERA_MASK:  # the words of all eras are still there
            _blank(self._memory, PAGE, self._ring.start)
        self._ring.clear()
        self.bytes = self.entries = 0

    def renew(self, fresh_until: float) -> None:
        """Set the end of the lease, by the lease's clock; 0 ends it (C-4, C-5)."""
        self._words[HeaderWord.LEASE] = int(fresh_until * _MICROSECONDS)

    def close(self) -> None:
        """End generation and lease, for processes that have it mapped, and release the file and its lock."""
        self._words[HeaderWord.GENERATION] += 1
        self._words[HeaderWord.LEASE] = 0
        os.close(self._file)

    def abandon(self) -> None:
        """Release the parent's file in a forked child: change nothing in it, and drop its lock."""
        os.close(self._file)
        self._words.release()
        self._memory.close()

    def _enter(self, place: int, digest: bytes, start: int) -> None:
        _, mark = self._bucket(digest, self.generation)
        number = start // WORD
        self._words[place] = mark << MARK_SHIFT | number
        self.entries += 1
        self.bytes += aligned(self._words[number])

    def _vacant(self, digest: bytes) -> int:
        """A free slot in this session's bucket; the oldest entry is removed if necessary."""
        first, mark = self._bucket(digest, self.generation)
        bucket = BUCKET.unpack_from(self._memory, first * WORD)
        for place, word in enumerate(bucket, first):
            if not word or (word >> MARK_SHIFT ^ mark) & ERA_MASK:
                return place
        oldest = min(bucket, key=lambda word: self._ring.age((word & PLACE_MASK) * WORD))
        place = first + bucket.index(oldest)
        self._remove(place, oldest)
        self.evicted += 1
        return place

    def _remove(self, place: int, word: int) -> None:
        words = self._words
        words[place] = 0
        self.entries -= 1
        self.bytes -= aligned(words[word & PLACE_MASK])

    def _make_room(self, start: int) -> int:
        """Remove the record that begins here, if it is still published; returns its size."""
        digest = self._memory[start + _DIGEST_AT.start : start + _DIGEST_AT.stop]
        place, word = self._find(digest, self.generation)
        if word and word & PLACE_MASK == start // WORD:
            self._remove(place, word)
            self.evicted += 1
        return aligned(self._words[start // WORD])

    def _grow(self, size: int) -> None:
        ring = self._ring
        end = min(ring.end + max(_STEP, size), self._limit)
        try:
            _reserve(self._file, ring.end, end)
        except OSError as error:
            _log.warning(
                "the off-heap tier stays at %d of %d bytes: %s; give its file system more room or lower the setting "
                "max_bytes_off_heap",
                ring.end,
                self._limit,
                error.strerror,
                extra={"event": "off_heap_full"},
            )
            self._limit = ring.end
            self._largest = (ring.end - ring.start) // _LARGEST_SHARE
        else:
            ring.end = end


def _reserve(file: int, start: int, end: int) -> None:
    """Have the file system allocate this part of the file, which must be unused."""
    zeros = bytes(min(_STEP, end - start))
    while start < end:
        start += os.pwrite(file, memoryview(zeros)[: end - start], start)


def _blank(memory: mmap, start: int, end: int) -> None:
    zeros = bytes(min(_STEP, end - start))
    for at in range(start, end, len(zeros)):
        count = min(len(zeros), end - at)
        memory[at : at + count] = zeros[:count]
