"""One timer for all deadlines of a link, since a timer for each request would cost more than the request (3.9 us)."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import Context
from typing import Final

__all__ = ["DeadlineTimer"]

_GRAIN: Final = 0.01
"""Seconds between two looks, at least: deadlines that lie closer together are found by one look."""
_LONGEST: Final = 3600.0
"""Seconds that a timer runs at most; event loops differ in what they make of very long ones."""


class DeadlineTimer:
    """Rings at the earliest instant it was set to. Most requests are answered by then, so it rarely rings.

    Args:
        look: called with the present instant; returns the instant of the next look, or infinity.
    """

    def __init__(self, look: Callable[[float], float]) -> None:
        self.due: float = math.inf
        """The instant of `time.monotonic` at which it rings next."""
        self._look = look
        self._context: Final = Context()
        """Not that of the request whose deadline it is set to, see `wsgessions.internal.own_context`."""
        self._timer: asyncio.TimerHandle | None = None

    def set(self, instant: float) -> None:
        """Ring at ``instant``. To be called only where that is earlier than `due`."""
        self.cancel()
        self.due = instant
        seconds = min(max(0.0, instant - time.monotonic()), _LONGEST)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._ring, context=self._context)

    def cancel(self) -> None:
        self.due = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        now = time.monotonic()
        self.cancel()
        due = max(self._look(now), now + _GRAIN)
        if due < self.due:
            self.set(due)
