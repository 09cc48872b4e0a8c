"""``python -m bench``: measure wsgessions beside its peers.

Needs the packages of the ``bench`` group, and wrk for requests per second. Starts its own Valkey server and ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from . import http_load, in_process, store_traffic
from .report import page, table
from .valkey_server import valkey_server

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "benchmarks.md"
PARTS = ("in-process", "http", "store")


def main() -> int:
    """Measure what the command line asks for, print it, and write it to the documentation if asked to."""
    options = _options()
    sections: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, valkey_server(Path(folder)) as store_url:
        for part in options.parts:
            title, text = _measure(part, store_url, Path(folder), quick=options.quick)
            sections[title] = text
            print(f"\n{title}\n\n{text}", flush=True)
    if options.write:
        PAGE.write_text(page(sections))
        print(f"\nwritten to {PAGE}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=PARTS, metavar="part", help=f"what to measure: {', '.join(PARTS)}; default all"
    )
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that it works, not how fast")
    parser.add_argument("--write", action="store_true", help=f"write the results to {PAGE.name} of the documentation")
    return parser.parse_args()


def _measure(part: str, store_url: str, folder: Path, *, quick: bool) -> tuple[str, str]:
    print(f"measuring: {part} ...", file=sys.stderr, flush=True)
    if part == "in-process":
        costs = asyncio.run(in_process.measure(store_url, rounds=3 if quick else 15, requests=50 if quick else 400))
        return "One request, in process, over the app without sessions", table(costs)
    if part == "http":
        rates = http_load.measure(store_url, folder, seconds=1 if quick else 4, rounds=1 if quick else 3)
        return "Requests per second under uvicorn, 32 connections", table(rates)
    if part == "store":
        return "Traffic to the store, and concurrent changes kept", table(asyncio.run(store_traffic.measure(store_url)))
    raise SystemExit(f"no part {part!r}; there are {', '.join(PARTS)}")


if __name__ == "__main__":
    sys.exit(main())
