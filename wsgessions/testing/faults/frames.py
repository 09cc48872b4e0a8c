"""Finds the boundaries of RESP3 messages, without parsing their contents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["FrameSplitter"]

_BULK: Final = frozenset(b"$!=")
"""Kinds with a length in bytes: blob, blob error, verbatim text."""
_LISTS: Final = frozenset(b"*~>")
_MAPS: Final = frozenset(b"%|")
_PUSH: Final = ord(">")


class FrameSplitter:
    """Splits a server's stream into messages, from pieces of any size."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._open: list[int] = []  # how many parts are missing of each aggregate that has begun, outermost first

    def feed(self, data: bytes) -> Iterator[tuple[bool, bytes]]:
        """Add ``data``; yields the messages that are now complete, and for each whether it is a push."""
        self._buffer += data
        while self._scan_part():
            if not self._open:
                frame = bytes(self._buffer[: self._scanned])
                del self._buffer[: self._scanned]
                self._scanned = 0
                yield frame[0] == _PUSH, frame

    def _scan_part(self) -> bool:
        """Skip one line, with its blob if it has one; returns whether it was complete."""
        end = self._buffer.find(b"\r\n", self._scanned)
        if end < 0:
            return False
        kind, after = self._buffer[self._scanned], end + 2
        parts = 0
        if kind in _BULK:
            length = int(self._buffer[self._scanned + 1 : end])
            after += length + 2 if length >= 0 else 0
            if after > len(self._buffer):
                return False
        elif kind in _LISTS or kind in _MAPS:
            parts = max(0, int(self._buffer[self._scanned + 1 : end])) * (2 if kind in _MAPS else 1)
            parts += kind == ord("|")  # an attribute is followed by the message that it belongs to
        self._scanned = after
        self._count(parts)
        return True

    def _count(self, parts: int) -> None:
        if self._open:
            self._open[-1] -= 1
        if parts:
            self._open.append(parts)
        while self._open and self._open[-1] == 0:
            self._open.pop()
