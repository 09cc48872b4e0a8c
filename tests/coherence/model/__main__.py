"""Explores one scenario for as long as you like, or does a schedule again::

    python -m tests.coherence.model SCENARIO [--walks N] [--seed N] [--states N] [--mutant NAME] [--schedule "WORDS"]

``--walks`` tries random schedules, ``--states`` all of them up to so many states.
"""

from __future__ import annotations

import argparse
import contextlib
import logging

from tests.coherence.model.checks import Violation
from tests.coherence.model.explorer import explore, replay, wander
from tests.coherence.model.mutants import MUTANTS
from tests.coherence.model.scenarios import SCENARIOS


def main() -> int:
    """Returns 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.coherence.model", description=__doc__)
    parser.add_argument("scenario", choices=SCENARIOS)
    parser.add_argument("--walks", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--states", type=int, default=20_000)
    parser.add_argument("--schedule", default="")
    parser.add_argument("--mutant", choices=[each.__name__ for each in MUTANTS])
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    scenario = SCENARIOS[options.scenario]
    mutants = [each for each in MUTANTS if each.__name__ == options.mutant]
    with mutants[0]() if mutants else contextlib.nullcontext():
        if options.schedule:
            return _replay(options.scenario, options.schedule)
        if options.walks:
            found = wander(scenario, walks=options.walks, seed=options.seed)
        else:
            found = explore(scenario, states=options.states)
    print(found)  # noqa: T201 - a program
    return int(bool(found.violation))


def _replay(name: str, schedule: str) -> int:
    try:
        world = replay(SCENARIOS[name], schedule)
    except Violation as violation:
        print(violation)  # noqa: T201 - a program
        return 1
    print("next:", *world.enabled())  # noqa: T201 - a program
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
