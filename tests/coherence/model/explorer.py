"""Walks through all schedules of a small scenario, or through many random ones of a larger one.

Nothing can be undone in a world, so a branch is reached by doing its schedule again. A state that was
met before is not entered again. Two states are taken for the same if the store, streams, copies, leases, and
what each request has been told are the same: all that decides what happens next but the innermost state of suspended
coroutines, of which the latest answers stand in the place.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.coherence.model.checks import Violation
from tests.coherence.model.world import Scenario, World

__all__ = ["Found", "begun", "explore", "replay", "wander"]


_MOODS = (0.01, 1.0, 1.0, 10.0)


@dataclass(slots=True)
class Found:
    """What an exploration has come to."""

    schedules: int = 0
    states: int = 0
    served_from_memory: int = 0
    complete: bool = True
    """Whether there was nothing left to try."""
    violation: str = ""
    """What was broken, and by which schedule; empty if nothing was."""


class _Search:
    def __init__(self, scenario: Scenario, states: int) -> None:
        self.scenario = scenario
        self.found = Found()
        self._seen: set[int] = set()
        self._most = states

    def run(self) -> Found:
        """Depth first."""
        todo: list[tuple[str, ...]] = [()]
        world: World | None = None
        try:
            while todo:
                if self.found.states >= self._most:
                    self.found.complete = False
                    break
                prefix = todo.pop()
                world = begun(self.scenario)
                for word in prefix:
                    world.do(word, again=True)
                todo += self._descend(world)
        except Violation as violation:
            assert world is not None
            self.found.violation = _told(violation, world)
        return self.found

    def _descend(self, world: World) -> Iterator[tuple[str, ...]]:
        """Go down to the end of one schedule; gives the branches that were passed by."""
        branches: list[tuple[str, ...]] = []
        while len(world.schedule) < self.scenario.depth:
            words = world.enabled()
            if not words:
                break
            state = world.fingerprint()
            if state in self._seen:
                return iter(branches)
            self._seen.add(state)
            self.found.states += 1
            branches += [(*world.schedule, word) for word in reversed(words[1:])]
            world.do(words[0])
        world.end()
        self.found.schedules += 1
        self.found.served_from_memory += world.checks.served_from_memory
        return iter(branches)


def begun(scenario: Scenario) -> World:
    """A world in which all have begun."""
    world = World(scenario)
    world.begin()
    return world


def explore(scenario: Scenario, *, states: int) -> Found:
    """All schedules, or those that lead to so many states."""
    return _Search(scenario, states).run()


def wander(scenario: Scenario, *, walks: int, seed: int = 0) -> Found:
    """Random schedules, each in a mood of its own: a stream that hardly moves, a loop that is always late."""
    found = Found(complete=False)
    for walk in range(walks):
        choose = random.Random(f"{seed} {walk}")
        world = begun(scenario)
        try:
            moods: dict[str, float] = {}
            while (words := world.enabled()) and len(world.schedule) < scenario.depth:
                weights = [moods.setdefault(word, choose.choice(_MOODS)) for word in words]
                world.do(choose.choices(words, weights)[0])
            world.end()
        except Violation as violation:
            found.violation = _told(violation, world)
            return found
        found.schedules += 1
        found.served_from_memory += world.checks.served_from_memory
    return found


def replay(scenario: Scenario, schedule: str) -> World:
    """Do a schedule again, as it was printed."""
    world = begun(scenario)
    for word in schedule.split():
        world.do(word)
    return world


def _told(violation: Violation, world: World) -> str:
    return f"{violation}\nschedule: {' '.join(world.schedule)}"
