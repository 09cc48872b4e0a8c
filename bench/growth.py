"""How costs depend on the number of sessions, attributes and servers."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from wsgessions import SessionMiddleware
from wsgessions.codec import encode
from wsgessions.credentials.identity import Identity, new_session_id
from wsgessions.credentials.presented import CredentialChannel
from wsgessions.record import NewSession

from .asgi_client import AsgiClient, serving
from .chart import Axis, Line, line_chart
from .in_process import statistics_of
from .run import Run
from .section import Section, Value, table
from .subjects import BARE, SUBJECTS, ours
from .timing import Cost, Way, cost_over

__all__ = ["measure"]

SESSIONS: Final = (1_000, 10_000, 100_000)
A_MILLION: Final = 1_000_000
ATTRIBUTES: Final = (1, 10, 100, 1000)
NODES: Final = (1, 2, 4, 8)
_SAMPLE: Final = 1000
"""The number of sessions that are requested in turn."""
_AT_ONCE: Final = 256
_PUSHED: Final = 0.002
"""Seconds after which the other nodes have received a write; with too short a time they would still read again."""


async def measure(run: Run) -> list[Section]:
    """All three kinds of growth."""
    sessions = run.choose(quick=SESSIONS[:1], full=SESSIONS) + ((A_MILLION,) if run.large else ())
    return [
        await _by_sessions(sessions, run),
        await _by_attributes(run.choose(quick=ATTRIBUTES[:2], full=ATTRIBUTES), run),
        await _by_nodes(run.choose(quick=NODES[:2], full=NODES), run),
    ]


async def _cost(way: Way, path: str, run: Run, *, requests: int) -> Cost:
    bare = AsgiClient(SUBJECTS[BARE].make(run.store_url))
    return await cost_over(way, Way(lambda: bare.get(path)), rounds=run.choose(quick=3, full=20), requests=requests)


async def _three_costs(
    app: SessionMiddleware, cold: SessionMiddleware, cookies: Sequence[dict[bytes, bytes]], run: Run
) -> list[Cost]:
    """A hot read, a whole read, and a write, each by these clients in turn."""
    hot = itertools.cycle([AsgiClient(app, each) for each in cookies])
    reading = itertools.cycle([AsgiClient(cold, each) for each in cookies])
    cache = statistics_of(app)
    for _ in cookies:  # so that each of them knows the version it has seen
        await next(hot).get("/read")
        await next(reading).get("/read")
    return [
        await _cost(Way(lambda: next(hot).get("/read"), lambda: cache.heap_hits, 1), "/read", run, requests=200),
        await _cost(
            Way(lambda: next(reading).get("/read"), lambda: cold.manager.statistics.loads, 1), "/read", run, requests=50
        ),
        await _cost(
            Way(lambda: next(hot).get("/write"), lambda: app.manager.statistics.commits, 1), "/write", run, requests=50
        ),
    ]


@asynccontextmanager
async def _two_apps(run: Run, namespace: str) -> AsyncIterator[tuple[SessionMiddleware, SessionMiddleware]]:
    """One that holds hot sessions, and one without any near cache."""
    app = ours(run.store_url, namespace=namespace)
    cold = ours(run.store_url, namespace=namespace, max_bytes_on_heap=0)
    async with serving(app), serving(cold):
        yield app, cold


# -- sessions ----------------------------------------------------------------------------------------------------------


async def _by_sessions(counts: Sequence[int], run: Run) -> Section:
    rows: list[list[Value]] = []
    for count in counts:
        async with _two_apps(run, f"many{count}") as (app, cold):
            cookies = await _fill(app, count)
            costs = await _three_costs(app, cold, cookies, run)
            rows.append([f"{count:,}", *(value for cost in costs for value in (cost.wall, cost.cpu))])
    text = (
        f"Sessions of 4 attributes of 20 characters in the store and, as far as the default limit allows, on the heap;"
        f" {_SAMPLE:,} of them are requested in turn. In microseconds, beyond the application without sessions."
    )
    head = ("sessions", "hot read", "CPU", "whole read", "CPU", "write", "CPU")
    return Section("Cost against the number of sessions", f"{text}\n\n{table(head, rows)}")


async def _fill(app: SessionMiddleware, count: int) -> list[dict[bytes, bytes]]:
    """Make so many sessions, and return the cookies of a sample of them."""
    cookies: list[dict[bytes, bytes]] = []
    every = max(1, count // _SAMPLE)
    for start in range(0, count, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, count))
        made = await asyncio.gather(*(_create(app) for _ in numbers))
        cookies += [_cookies_of(app, each) for number, each in zip(numbers, made, strict=True) if not number % every]
    return cookies[:_SAMPLE]


async def _create(app: SessionMiddleware) -> str:
    settings = app.manager.settings
    session_id = new_session_id(settings.id_length)
    attributes = {f"attr{index}": encode("x" * 20, name="attr") for index in range(4)}
    key = Identity(settings.namespace, settings.context_path).key(session_id)
    if await app.manager.store.create(NewSession(key, attributes, 3_600_000, 86_400_000)) is None:
        raise RuntimeError("an id came twice")
    return session_id


def _cookies_of(app: SessionMiddleware, session_id: str) -> dict[bytes, bytes]:
    _, field = app.resolver.set_id(CredentialChannel.COOKIE, session_id, max_age=None)
    name, _, value = field.partition(b";")[0].partition(b"=")
    return {name: value}


# -- attributes --------------------------------------------------------------------------------------------------------


async def _by_attributes(counts: Sequence[int], run: Run) -> Section:
    costs: dict[int, list[Cost]] = {}
    async with _two_apps(run, "attributes") as (app, cold):
        for count in counts:
            client = AsgiClient(app)
            await client.get(f"/fill/{count}")
            costs[count] = await _three_costs(app, cold, [client.cookies], run)
    text = (
        "One session with so many attributes of 100 characters; one of them is read, or another one of 8 characters"
        " is changed. In microseconds, beyond the application without sessions."
    )
    head = ("attributes", "hot read", "CPU", "whole read", "CPU", "write", "CPU")
    rows: list[list[Value]] = [
        [f"{count:,}", *(value for cost in each for value in (cost.wall, cost.cpu))] for count, each in costs.items()
    ]
    kinds = ("hot read", "whole read", "write")
    lines = {
        kind: Line({float(count): each[number].wall for count, each in costs.items()}, colour=number)
        for number, kind in enumerate(kinds)
    }
    chart = line_chart(
        lines,
        Axis("attributes of 100 characters", [float(count) for count in counts], logarithmic=True),
        Axis("microseconds", [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000], logarithmic=True),
    )
    section = "Cost against the number of attributes"
    return Section(section, f"{text}\n\n{table(head, rows)}", {"cost-by-attributes.svg": chart})


# -- servers -----------------------------------------------------------------------------------------------------------


async def _by_nodes(counts: Sequence[int], run: Run) -> Section:
    rows: list[list[Value]] = [[f"{count}", *await _with_nodes(count, run)] for count in counts]
    text = (
        "So many simulated servers in one process, each with its own connection and near cache. The first two columns"
        " are for a session that only one server uses. The other columns are for a session in the caches of all"
        " servers: it is written at the first server, and then read at each of the others. These are single requests"
        " with pauses in between, which makes them more expensive; their CPU time is that of all servers together, so"
        " for a write it includes the pushes to all others and the removal of their copies. In microseconds, beyond"
        " the application without sessions."
    )
    head = ("servers", "hot read", "write", "write, all hold it", "CPU of all servers", "read elsewhere")
    return Section("Cost against the number of servers", f"{text}\n\n{table(head, rows)}")


async def _with_nodes(count: int, run: Run) -> list[Value]:
    async with AsyncExitStack() as stack:
        nodes = [ours(run.store_url, namespace=f"nodes{count}") for _ in range(count)]
        for node in nodes:
            await stack.enter_async_context(serving(node))
        own, shared = AsgiClient(nodes[0]), AsgiClient(nodes[0])
        await own.get("/fill/20")
        await shared.get("/fill/20")
        counted, cache = nodes[0].manager.statistics, statistics_of(nodes[0])
        hot = await _cost(Way(lambda: own.get("/read"), lambda: cache.heap_hits, 1), "/read", run, requests=200)
        alone = await _cost(Way(lambda: own.get("/write"), lambda: counted.commits, 1), "/write", run, requests=50)
        write, read = await _shared(nodes, shared, run)
        return [hot.wall, alone.wall, write.wall, write.cpu, read.wall if count > 1 else None]


async def _shared(nodes: Sequence[SessionMiddleware], client: AsgiClient, run: Run) -> tuple[Cost, Cost]:
    """A write while all other nodes hold copies of the session, and the reads that renew these copies."""
    bare = AsgiClient(SUBJECTS[BARE].make(run.store_url))
    writes, reads, base = list[Cost](), list[Cost](), list[Cost]()
    for _ in range(run.choose(quick=10, full=100)):
        client.app = nodes[0]
        writes.append(await _once(client, "/write"))
        for node in nodes[1:] or nodes:
            client.app = node
            reads.append(await _once(client, "/read"))
        base.append(await _once(bare, "/read"))
    return _usual(writes) - _usual(base), _usual(reads) - _usual(base)


async def _once(client: AsgiClient, path: str) -> Cost:
    """The time of one request, and its CPU time with that of its effects at all nodes."""
    cpu, began = time.thread_time(), time.perf_counter()
    await client.get(path)
    wall = time.perf_counter() - began
    await asyncio.sleep(_PUSHED)
    return Cost(wall * 1e6, (time.thread_time() - cpu) * 1e6)


def _usual(costs: Sequence[Cost]) -> Cost:
    """The first quartile: single requests have outliers in both directions."""
    return Cost(
        statistics.quantiles([each.wall for each in costs])[0], statistics.quantiles([each.cpu for each in costs])[0]
    )
