"""One timer for all deadlines of a link, since a timer for each request would cost more than the request (3.9 us)."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextvars import Context
from typing import Final

from ....internal import real_time as time

__all__ = ["DeadlineTimer"]

_GRAIN: Final = 0.01
"""The least number of seconds between two checks: deadlines that are closer together share one check."""
_LONGEST: Final = 3600.0
"""The longest timer in seconds; event loops treat very long ones differently."""


class DeadlineTimer:
    """Fires at the earliest instant it was set to. Most requests are answered by then, so it rarely fires.

    Args:
        look: called with the present instant; returns the instant of the next call, or infinity.
    """

    def __init__(self, look: Callable[[float], float]) -> None:
        self.due: float = math.inf
        """The instant of `time.monotonic` at which it fires next."""
        self._look = look
        self._context: Final = Context()
        """An empty context instead of that of a request, see `wsgessions.internal.own_context`."""
        self._timer: time.Cancellable | None = None

    def set(self, instant: float) -> None:
        """Fire at ``instant``. To be called only if that is earlier than `due`."""
        self.cancel()
        self.due = instant
        seconds = min(max(0.0, instant - time.monotonic()), _LONGEST)
        self._timer = time.call_later(seconds, self._ring, context=self._context)

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
