"""The pace of the heartbeat, and of the watch for another store: slower while the sessions are not used (C-4).

A process that has not used a session for a while does not need a lease. It gets one with its next use, by a beat that
is sent at once; until that is answered, sessions are read from the store.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from ....internal import real_time as time
from ....store.cache_statistics import CacheStatistics

__all__ = ["Pace"]

_SLOWEST: Final = 2.0
"""Seconds between two beats in an idle process, unless the interval itself is longer."""
_LARGEST_FACTOR: Final = 4
"""How many times the interval that is at most."""
_SHARE: Final = 0.25
"""The share of the time since the last use after which the next beat is due."""


class Pace:
    """Belongs to the event loop of one store object.

    Args:
        interval: seconds between two beats while sessions are used.
    """

    def __init__(self, interval: float) -> None:
        self._interval: Final = interval
        self._slowest: Final = max(interval, min(interval * _LARGEST_FACTOR, _SLOWEST))
        self._used_at = -math.inf
        self._hits = 0
        self._rests = False
        self._called = asyncio.Event()

    def note_use(self) -> None:
        """Note that a session is used at present; ends a rest."""
        self._used_at = time.monotonic()
        if self._rests:
            self.call()

    def note_hits(self, statistics: CacheStatistics) -> None:
        """Note whether sessions were served from memory since the last beat, of which the store hears nothing."""
        before, self._hits = self._hits, statistics.heap_hits + statistics.off_heap_hits
        if self._hits != before:
            self.note_use()

    def call(self) -> None:
        """End the present pause, or the next one."""
        self._called.set()

    @property
    def seconds(self) -> float:
        """Seconds between the last beat and the next."""
        return min(max(self._interval, (time.monotonic() - self._used_at) * _SHARE), self._slowest)

    async def pause(self, seconds: float) -> bool:
        """Wait for so long, or until `call`; returns whether it was called."""
        self._rests = seconds > self._interval
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._called.wait()
        except TimeoutError:
            return False
        finally:
            self._rests = False
        self._called.clear()
        return True
