"""The store's clock, as estimated by a node: all times of sessions are the store's (C-16, F-12)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from ..internal import real_time as time

__all__ = ["StoreClock", "instant"]

_SLOWEST: Final = 0.5
"""Seconds. A slower reply is ignored: users of the clock allow for an error of half a second (C-16)."""
_DRIFT: Final = 0.001
"""The assumed drift of the two clocks, as a share of the time since the last observation: ten times that of clocks of
computers do."""
_GRAIN: Final = 0.001
"""Seconds: the resolution of the store's times, which are rounded down to whole milliseconds."""
_LONGEST: Final = 60.0
"""Seconds for which a change without a deadline may be under way."""


class StoreClock:
    """Estimates the store's time from the times in its replies.

    Until the first reply it shows this machine's wall clock. Afterwards it runs on the monotonic clock from the last
    observation, so that a step of the wall clock changes nothing. The error is at most half the round trip of that
    reply, plus the drift since.

    It also keeps a lower bound: the store's clock had reached the time in the reply when the reply arrived.
    """

    __slots__ = ("_floor", "_floor_at", "_observed", "monotonic", "offset")

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self.monotonic: Callable[[], float] = monotonic
        self._floor_at = monotonic()
        self.offset: float = wall() - self._floor_at
        """Seconds: the store's time, as estimated, is the monotonic clock plus this."""
        self._floor = self.offset
        self._observed = False

    def observe(self, store_ms: int, *, sent_at: float) -> None:
        """Record a time in a reply that has just arrived.

        Args:
            store_ms: milliseconds since the epoch by the store's clock.
            sent_at: when the request was sent, by the monotonic clock in seconds.
        """
        now, told = self.monotonic(), store_ms / 1000
        floor, known = told - now, self._floor - (now - self._floor_at) * _DRIFT
        if self._observed and told + _GRAIN - sent_at >= known:  # otherwise the store's clock has been set back
            floor = max(floor, known)
        self._floor, self._floor_at = floor, now
        if now - sent_at > _SLOWEST and self._observed:
            return  # what is known already is nearer to the truth
        self.offset = told - (sent_at + now) / 2
        self._observed = True

    def now_ms(self) -> int:
        """The store's time now, estimated, in milliseconds since the epoch."""
        return int((self.monotonic() + self.offset) * 1000)

    def not_after(self, deadline: float) -> int:
        """The store's time after which a change must not be applied any more (C-20).

        Never later than the deadline by the store's clock, as long as its drift is within the assumed one: it is
        computed from the lower bound of the store's time, so it is early by the uncertainty of that bound.

        Args:
            deadline: until when the caller waits, an instant of the monotonic clock; infinity counts as a minute.

        Returns:
            Milliseconds since the epoch by the store's clock: the last one that is over at the deadline, since scripts
            use whole milliseconds.
        """
        now = self.monotonic()
        until = min(now + _LONGEST, deadline)
        return int((until + self._floor - (now - self._floor_at) * _DRIFT) * 1000) - 1

    def patience(self, deadline: float) -> float:
        """Seconds after which a change that was sent with this deadline is not carried out any more."""
        return max(0.0, min(deadline - self.monotonic(), _LONGEST))


def instant(milliseconds: int) -> datetime:
    """A time of the store in the form for the application."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
