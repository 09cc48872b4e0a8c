"""Fuzz for as long as one likes: ``./dev fuzz [--minutes N] [TARGET ...]``.

Each round takes every target, makes up inputs out of its corpus with a new seed, and lets hypothesis reduce what breaks
a promise. What is found is kept in the corpus, so that each run of the tests replays it from then on.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import sys
import time
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings

from .inputs import CORPUS, altered, corpus
from .targets import TARGETS, seeds

EXAMPLES = 2_000
"""For each target in a round."""


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description="Feed the readers with unexpected bytes.")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"default: all of {', '.join(TARGETS)}")
    parser.add_argument("--minutes", type=float, default=1.0, help="for how long (default: 1)")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32), help="of the first round")
    parser.add_argument("--write-seeds", action="store_true", help="write what is well-formed anew, and do no more")
    options = parser.parse_args(arguments)
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    return write_seeds() if options.write_seeds else fuzz(options.targets or [*TARGETS], options.minutes, options.seed)


def write_seeds() -> int:
    for target, files in seeds().items():
        (CORPUS / target).mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (CORPUS / target / name).write_bytes(data)
    return 0


def fuzz(targets: list[str], minutes: float, first: int) -> int:
    """Rounds until the time is over; 1 if something was found."""
    logging.disable(logging.CRITICAL)
    until = time.monotonic() + 60 * minutes
    inputs, found, number = 0, list[Path](), first
    say(f"seed {first}")
    while not inputs or time.monotonic() < until:
        for target in targets:
            new = attack(target, number)
            inputs += EXAMPLES
            if new is not None and new not in found:
                found.append(new)
                say(f"found: {new.relative_to(Path.cwd())}")
            if time.monotonic() >= until:
                break
        number += 1
    say(f"about {inputs} inputs, {len(found)} that break a promise")
    return 1 if found else 0


def attack(target: str, number: int) -> Path | None:
    """One round for one target. Returns where the input is kept that breaks a promise, if there is one."""
    check, tokens, _ = TARGETS[target]
    last = b""

    def remembered(data: bytes) -> None:
        nonlocal last
        last = data
        check(data)

    run = seed(number)(given(altered(list(corpus(target).values()), tokens))(remembered))
    run = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(run)
    try:
        run()
    except Exception as error:  # noqa: BLE001 - hypothesis raises what the target did, for the smallest input last
        kept = CORPUS / target / f"found-{hashlib.sha256(last).hexdigest()[:12]}"
        kept.write_bytes(last)
        say(f"{target}: {type(error).__name__}: {str(error)[:200]}")
        return kept
    return None


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
