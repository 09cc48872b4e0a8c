"""The faults of RESP3 push messages on their way to the client: from a seed, so that a run can be repeated."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .counts import ProxyCounts

__all__ = ["PushFaults"]


@dataclass(slots=True)
class _Mode:
    """A fault of a share of the pushes."""

    share: float
    random: random.Random
    seconds: float = 0.0
    spread: bool = False
    """Whether each affected push waits a random time, up to ``seconds``."""

    def hits(self) -> bool:
        return self.share >= 1 or self.random.random() < self.share

    def wait(self) -> float:
        return self.random.uniform(0, self.seconds) if self.spread else self.seconds


class PushFaults:
    """The faults of the pushes of all connections of one proxy."""

    def __init__(self, counts: ProxyCounts) -> None:
        self._counts = counts
        self._dropping: _Mode | None = None
        self._holding: _Mode | None = None

    def hold(self, seconds: float, share: float, seed: int, *, spread: bool) -> None:
        if seconds < 0:
            raise ValueError(f"pushes cannot be held for {seconds} seconds")
        self._holding = _Mode(_checked(share), random.Random(seed), seconds, spread)  # noqa: S311 - no secret

    def drop(self, share: float, seed: int) -> None:
        self._dropping = _Mode(_checked(share), random.Random(seed))  # noqa: S311 - no secret

    def heal(self) -> None:
        self._dropping = self._holding = None

    def fate(self) -> float | None:
        """For the next push: the seconds that it is held back, 0 for none; None if it vanishes."""
        self._counts.pushes_seen += 1
        if self._dropping is not None and self._dropping.hits():
            self._counts.pushes_dropped += 1
            return None
        if self._holding is not None and self._holding.hits():
            self._counts.pushes_held += 1
            return self._holding.wait()
        return 0.0


def _checked(share: float) -> float:
    if not 0 <= share <= 1:
        raise ValueError(f"a share lies between 0 and 1, and {share} does not")
    return share
