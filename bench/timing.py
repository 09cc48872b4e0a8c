"""Times of single requests on a machine with other load.

The subject and the application without sessions take turns in short rounds, and of each the best round counts: other
load makes rounds longer and never shorter. A round counts only if a check proves that it did its work.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

__all__ = ["Cost", "Way", "cost_over"]

_TURN = 50
"""After so many requests the event loop gets a turn, as it does under a server: heartbeats need it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds of one request."""

    wall: float
    cpu: float
    """Of this process, so without the store's."""

    def __sub__(self, other: Cost) -> Cost:
        return Cost(self.wall - other.wall, self.cpu - other.cpu)

    def best(self, other: Cost) -> Cost:
        return Cost(min(self.wall, other.wall), min(self.cpu, other.cpu))


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of request."""

    request: Callable[[], Awaitable[object]]
    count: Callable[[], int] = lambda: 0
    """The number of units of work so far, where they are counted."""
    per_request: int = 0
    """The exact number of units that each request must have done."""
    check: Callable[[], Awaitable[bool]] | None = None
    """Called after a round, where work is not counted: whether the last request did it."""


_NEVER = Cost(float("inf"), float("inf"))


async def cost_over(way: Way, bare: Way, *, rounds: int, requests: int) -> Cost:
    """The cost of this request beyond one to the application without sessions.

    Raises:
        RuntimeError: most rounds did not do their work.
    """
    await _round(way, requests)
    best, best_bare, counted = _NEVER, _NEVER, 0
    for _ in range(rounds):
        before = way.count()
        cost = await _round(way, requests)
        bare_cost = await _round(bare, requests)
        done = way.count() - before == requests * way.per_request
        if done and (way.check is None or await way.check()):
            best, best_bare, counted = best.best(cost), best_bare.best(bare_cost), counted + 1
    if counted < rounds / 2:
        raise RuntimeError(f"only {counted} of {rounds} rounds did the work that they were to do")
    return best - best_bare


async def _round(way: Way, requests: int) -> Cost:
    await asyncio.sleep(0)
    request = way.request
    cpu, wall = time.thread_time(), time.perf_counter()
    for number in range(requests):
        await request()
        if number % _TURN == 0:
            await asyncio.sleep(0)
    return Cost((time.perf_counter() - wall) / requests * 1e6, (time.thread_time() - cpu) / requests * 1e6)
