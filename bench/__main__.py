"""``python -m bench``: measure wsgessions and other libraries.

Needs the packages of the ``bench`` group, wrk for requests per second, and valgrind for instructions. Starts its own
Valkey server and ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import uvloop

from . import growth, hit_ratio, http_load, in_process, instructions, memory, resident, store_traffic
from .report import Page
from .run import Run
from .section import Section
from .valkey_server import valkey_server

PARTS: dict[str, Callable[[Run], list[Section]]] = {
    "in-process": lambda run: uvloop.run(in_process.measure(run)),
    "instructions": instructions.measure,
    "http": http_load.measure,
    "store": lambda run: asyncio.run(store_traffic.measure(run)),
    "hit-ratio": hit_ratio.measure,
    "growth": lambda run: uvloop.run(growth.measure(run)),
    "memory": memory.measure,
    "resident": resident.measure,
}
"""In the order of the page. None takes more than some minutes."""


def main() -> int:
    """Measure the parts named on the command line, print them, and write them to the documentation if asked to."""
    options = _options()
    page = Page()
    for part in options.parts:
        print(f"measuring: {part} ...", file=sys.stderr, flush=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder, valkey_server(Path(folder)) as store_url:
            sections = PARTS[part](Run(store_url, Path(folder), quick=options.quick, large=options.large))
        for section in sections:
            print(f"\n## {section.title}\n\n{section.text}", flush=True)
        print(f"({part}: {time.monotonic() - began:.0f} s)", file=sys.stderr)
        if options.write:
            page.put(part, sections, order=list(PARTS))
    if options.write:
        print(f"\nwritten to {page.path}")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"what to measure: {', '.join(PARTS)}; default all")
    parser.add_argument("--quick", action="store_true", help="few repetitions: shows that it works, not how fast")
    parser.add_argument("--large", action="store_true", help="a million sessions too: takes minutes, and a gigabyte")
    parser.add_argument("--write", action="store_true", help="write these parts into the page of the documentation")
    options = parser.parse_args()
    options.parts = options.parts or list(PARTS)
    unknown = set(options.parts) - PARTS.keys()
    if unknown:
        parser.error(f"there is no part {unknown.pop()!r}; there are {', '.join(PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
