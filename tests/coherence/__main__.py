"""Long runs of the campaigns: ``python -m tests.coherence --help``."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from pathlib import Path

from tests.coherence import campaigns, late, upsets
from tests.coherence.campaigns import Campaign, Fault, Plan
from tests.coherence.checkers import shown
from tests.coherence.history import save

CAMPAIGNS: dict[str, Campaign] = {
    "hops": campaigns.hops,
    "tabs": campaigns.tabs,
    "quiet": campaigns.quiet,
    "regressed": campaigns.regressed,
    "logout": campaigns.logout,
    "barrier": campaigns.barrier,
    "slow-writers": campaigns.slow_writers,
    "deadlines": campaigns.deadlines,
    "upsets": upsets.upset,
    "failover": upsets.failover,
    "late": late.late,
    "pauses": late.pauses,
    "lapses": late.lapses,
    "forked": late.forked,
    "deaf": late.deaf,
}


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.coherence", description="Look for violations of coherence.")
    parser.add_argument("campaigns", nargs="*", metavar="CAMPAIGN", help=f"by default all: {', '.join(CAMPAIGNS)}")
    parser.add_argument("--hops", type=int, default=10_000, help="requests, roughly (default 10000)")
    parser.add_argument("--processes", type=int, default=3, help="nodes (default 3)")
    parser.add_argument("--seed", type=int, default=None, help="by default a new one each time; it is printed")
    parser.add_argument("--faults", nargs="*", default=[], choices=[*Fault], help="what befalls the links")
    parser.add_argument("--save", type=Path, default=Path("coherence-histories"), help="where failed histories go")
    return parser.parse_args()


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Run them; the exit code says whether a rule was broken."""
    chosen, failed = options(), 0
    seed = random.SystemRandom().randrange(2**31) if chosen.seed is None else chosen.seed
    plan = Plan(chosen.hops, chosen.processes, seed, frozenset(map(Fault, chosen.faults)))
    for name in chosen.campaigns or CAMPAIGNS:
        began = time.monotonic()
        outcome = asyncio.run(CAMPAIGNS[name](plan))
        say(f"{name} (seed {seed}, {time.monotonic() - began:.0f} s): {outcome.summary}")
        if outcome.violations:
            failed += 1
            chosen.save.mkdir(parents=True, exist_ok=True)
            path = chosen.save / f"{name}-{seed}.jsonl"
            save(outcome.history, path)
            say(f"{shown(outcome.violations)}\nthe history is in {path}")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
