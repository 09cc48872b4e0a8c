"""The store's clock, as a node sees it: all times of sessions are the store's, a node only estimates (C-16, F-12)."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

__all__ = ["StoreClock", "instant"]

_SLOWEST: Final = 0.5
"""Seconds. A slower reply tells less than an earlier one: who relies on the clock allows for half a second (C-16)."""


class StoreClock:
    """Estimates the store's time from the times in its replies.

    Until the first reply it shows this machine's wall clock. Afterwards it runs on the monotonic clock from the last
    observation, so that a step of the wall clock changes nothing. The error is at most half the round trip of that
    reply, plus the drift since.
    """

    __slots__ = ("_monotonic", "_observed", "_offset")

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._observed = False

    def observe(self, store_ms: int, *, sent_at: float) -> None:
        """Take note of a time in a reply that has just arrived.

        Args:
            store_ms: milliseconds since the epoch by the store's clock.
            sent_at: when the request was sent, by the monotonic clock in seconds.
        """
        now = self._monotonic()
        if now - sent_at > _SLOWEST and self._observed:
            return  # what is known already is nearer to the truth
        self._offset = store_ms / 1000 - (sent_at + now) / 2
        self._observed = True

    def now_ms(self) -> int:
        """The store's time now, estimated, in milliseconds since the epoch."""
        return int((self._monotonic() + self._offset) * 1000)


def instant(milliseconds: int) -> datetime:
    """A time of the store as the application is told it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
