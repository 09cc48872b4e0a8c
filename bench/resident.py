"""The resident memory of a process over many requests, with a near cache that is too small."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import time
from pathlib import Path
from typing import Final, NamedTuple

import uvloop

from .asgi_client import AsgiClient, serving
from .in_process import AT_ONCE, statistics_of
from .run import Run
from .section import Section, Value, table
from .subjects import ours

__all__ = ["measure"]

_MIB: Final = 2**20
_LIMIT: Final = 8 * _MIB
_REQUESTS: Final = 650_000
_STEPS: Final = 13
_CLIENTS: Final = 2_000
_USUAL: Final = (5, 20, 100)
"""Attributes of 100 characters in most sessions."""
_LARGE: Final = 1_000
"""In each fortieth one: 110 kB, which comes in one answer of the store and is freed at the end of the request."""

_TEXT: Final = f"""One process with a near cache of {_LIMIT // _MIB} MB serves {AT_ONCE} requests at a time from
{_CLIENTS:,} sessions that take more than that in the store; four of five read, one writes, and each fortieth session
has 110 kB. The growth is that of the resident memory since before the first request, without any setting of the
allocator."""


class _Point(NamedTuple):
    requests: int
    resident: int
    hits: float
    seconds: float


def measure(run: Run) -> list[Section]:
    """In a process of its own."""
    requests = run.choose(quick=_REQUESTS // 100, full=_REQUESTS)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        points = pool.apply(_serve, (run.store_url, requests))
    rows: list[list[Value]] = [
        [f"{point.requests:,}", point.resident / _MIB, point.hits, point.seconds] for point in points
    ]
    head = ("requests", "growth of RSS (MB)", "hit ratio", "seconds")
    return [Section("Resident memory over many requests", f"{_TEXT}\n\n{table(head, rows)}")]


def _serve(store_url: str, requests: int) -> list[_Point]:
    return uvloop.run(_served(store_url, requests))


async def _served(store_url: str, requests: int) -> list[_Point]:
    app, chance = ours(store_url, namespace="resident", max_bytes_on_heap=_LIMIT), random.Random(7)
    async with serving(app):
        clients = [AsgiClient(app) for _ in range(_CLIENTS)]
        began, before, points = time.monotonic(), _resident(), list[_Point]()
        for number, client in enumerate(clients):
            await client.get(f"/fill/{_USUAL[number % 3] if number % 40 else _LARGE}")
        cache = statistics_of(app)
        for step in range(1, _STEPS + 1):
            hits = cache.heap_hits
            for _ in range(requests // _STEPS // AT_ONCE):
                chosen = chance.sample(clients, AT_ONCE)
                await asyncio.gather(*(each.get(chance.choice(_ROUTES)) for each in chosen))
            ratio = (cache.heap_hits - hits) / (requests // _STEPS)
            taken = (_resident() - before, ratio, time.monotonic() - began)
            points.append(_Point(step * requests // _STEPS, *taken))
        return points


_ROUTES: Final = ("/read", "/read", "/read", "/read", "/write")


def _resident() -> int:
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096
