"""Long runs of the campaigns: ``python -m tests.coherence --help``."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.coherence import campaigns, late, losses, upsets
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
    "emptied": losses.emptied,
    "partitions": losses.partitions,
    "killed": losses.killed,
    "logins": losses.logins,
}
SELDOM: dict[str, Sequence[str]] = {
    "hops": ["hops", "rotated"],
    "slow-writers": ["refused_commits"],
    "late": ["unknown_outcomes", "followed_moves", "store_failures"],
    "pauses": ["unknown_outcomes"],
    "lapses": ["lost: pushes_lost"],
    "emptied": ["lost: replaced"],
    "partitions": ["unknown_outcomes", "store_failures"],
    "killed": ["killed in mid-logout"],
    "logins": ["late_ids"],
}
"""What has to happen in a campaign: where it never does, the campaign shows nothing about it."""


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


def table(branches: Mapping[str, Mapping[str, int]]) -> str:
    """How often what happens seldom has happened, in all campaigns and in each."""
    names = sorted({name for counts in branches.values() for name in counts})
    lines = ["What happens seldom, and how often it did:"]
    for name in names:
        where = {campaign: counts[name] for campaign, counts in branches.items() if counts.get(name)}
        each = ", ".join(f"{campaign} {count}" for campaign, count in where.items())
        lines.append(f"  {name:<40} {sum(where.values()):>8}  {each}")
    return "\n".join(lines)


def main() -> int:
    """Run them; the exit code says whether a rule was broken, or a campaign never came to what it is about."""
    chosen, failed = options(), 0
    seed = random.SystemRandom().randrange(2**31) if chosen.seed is None else chosen.seed
    plan = Plan(chosen.hops, chosen.processes, seed, frozenset(map(Fault, chosen.faults)))
    branches: dict[str, Mapping[str, int]] = {}
    requests, started = 0, time.monotonic()
    for name in chosen.campaigns or CAMPAIGNS:
        began = time.monotonic()
        outcome = asyncio.run(CAMPAIGNS[name](plan))
        say(f"{name} (seed {seed}, {time.monotonic() - began:.0f} s): {outcome.summary}")
        branches[name] = outcome.branches
        requests += len(outcome.history)
        missed = [branch for branch in SELDOM.get(name, ()) if not outcome.branches.get(branch)]
        if missed:
            failed += 1
            say(f"  never came to: {', '.join(missed)}")
        if outcome.violations:
            failed += 1
            chosen.save.mkdir(parents=True, exist_ok=True)
            path = chosen.save / f"{name}-{seed}.jsonl"
            save(outcome.history, path)
            say(f"{shown(outcome.violations)}\nthe history is in {path}")
    say(table(branches))
    say(f"{requests} requests in {time.monotonic() - started:.0f} s")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
