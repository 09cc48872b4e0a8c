"""The lease: the time until which a node may answer from its own memory without reading the store (C-4, C-5)."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from ..internal import real_time

__all__ = ["Lease", "lease_clock"]

_COUNTS_SUSPENSION: Final = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))

lease_clock: Final[Callable[[], float]] = (
    real_time.monotonic if _COUNTS_SUSPENSION is None else partial(time.clock_gettime, _COUNTS_SUSPENSION)
)
"""Seconds on a clock that never goes back, is the same for all processes of the machine, and counts while the machine
is suspended: a lease must not outlive a night with the lid closed."""


class Lease:
    """Granted by each acknowledged heartbeat, from the instant the heartbeat was **sent**.

    Args:
        length: seconds (the setting `lease`, L); 0 for a lease that is never valid.
        clock: `lease_clock`, or a test's.
    """

    __slots__ = ("clock", "fresh_until", "length")

    def __init__(self, length: float, *, clock: Callable[[], float] = lease_clock) -> None:
        self.length: Final = length
        self.clock: Final = clock
        self.fresh_until: float = 0.0
        """The end by ``clock``. Fast paths read it directly: ``lease.clock() < lease.fresh_until``."""

    @property
    def fresh(self) -> bool:
        return self.clock() < self.fresh_until

    def renew(self, sent_at: float) -> None:
        """Extend the lease: a heartbeat that was sent at this instant has been acknowledged."""
        if self.length:
            self.fresh_until = max(self.fresh_until, sent_at + self.length)

    def end(self) -> bool:
        """End the lease until the next renewal; returns whether it was valid."""
        fresh = self.fresh
        self.fresh_until = 0.0
        return fresh
