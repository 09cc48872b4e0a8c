"""The sessions in the slots of a cache, one document under each key."""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from ...internal.log_throttle import LogThrottle
from ...record import SessionKey
from ...record.clock import StoreClock
from ..memory.entry import StoredSession
from .document import Document, Unreadable, pack, unpack
from .slots import Cells

__all__ = ["Cell", "DocumentCells"]

_MARGIN: Final = 60
"""Seconds that a back end keeps a session after its end, because clocks differ."""

_log = LogThrottle(logging.getLogger("wsgessions.aiocache"))


class Cell(NamedTuple):
    """The content of a key."""

    document: Document | None
    """None if there is no value, or an unreadable one."""
    token: object
    """None if there is no value."""

    @property
    def entry(self) -> StoredSession | None:
        return None if self.document is None else self.document.entry


class DocumentCells:
    """Reads and writes documents.

    Args:
        cells: the slots.
        namespace: the prefix of their names.
        grace_ms: how long a session is kept after its idle time.
        clock: the time.
    """

    def __init__(self, cells: Cells, namespace: str, grace_ms: int, clock: StoreClock) -> None:
        self._cells = cells
        self._namespace = namespace
        self._grace = grace_ms
        self._clock = clock

    async def read(self, key: SessionKey) -> Cell:
        """The content of a key.

        Raises:
            RecordTooNew: a later release has written it.
        """
        held = await self._cells.read(self._name(key))
        if held.value is None:
            return Cell(None, None)
        try:
            return Cell(unpack(held.value, key), held.token)
        except Unreadable:
            _log.error("unreadable_record", "session %s is damaged in the cache; it is left unchanged", key.ref)
            return Cell(None, held.token)

    async def add(self, document: Document) -> bool:
        """Store a document if there is none. Returns whether there was none."""
        entry = document.entry
        return await self._cells.add(self._name(entry.key), pack(document), self._seconds(entry))

    async def swap(self, document: Document, token: object) -> bool:
        """Replace a document, unless it was changed since ``token``. Returns whether it was replaced."""
        entry = document.entry
        return await self._cells.swap(self._name(entry.key), pack(document), token, self._seconds(entry))

    async def settle(self, document: Document | None) -> None:
        """Complete a rotation: store the session under its new key, and empty the tombstone."""
        if document is None or document.heir is None:
            return
        await self.add(Document(document.heir))
        cell = await self.read(document.entry.key)
        if cell.document is not None and cell.document.heir is not None:
            await self.swap(Document(cell.document.entry), cell.token)

    def _name(self, key: SessionKey) -> str:
        return f"{self._namespace}:{key.digest.hex()}"

    def _seconds(self, entry: StoredSession) -> int:
        left = entry.obsolete_at(self._grace) - self._clock.now_ms()
        return max(0, left) // 1000 + _MARGIN
