"""The store's clock, as a node sees it: all times of sessions are the store's, a node only estimates (C-16, F-12)."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["StoreClock"]


class StoreClock:
    """Estimates the store's time from the times in its replies.

    Until the first reply it shows this machine's wall clock. Afterwards it runs on the monotonic clock from the last
    observation, so that a step of the wall clock changes nothing. The error is at most half the round trip of that
    reply, plus the drift since.
    """

    __slots__ = ("_monotonic", "_offset")

    def __init__(
        self, *, monotonic: Callable[[], float] = time.monotonic, wall: Callable[[], float] = time.time
    ) -> None:
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def observe(self, store_ms: int, *, sent_at: float) -> None:
        """Take note of a time in a reply that has just arrived.

        Args:
            store_ms: milliseconds since the epoch by the store's clock.
            sent_at: when the request was sent, by the monotonic clock in seconds.
        """
        self._offset = store_ms / 1000 - (sent_at + self._monotonic()) / 2

    def now_ms(self) -> int:
        """The store's time now, estimated, in milliseconds since the epoch."""
        return int((self._monotonic() + self._offset) * 1000)
