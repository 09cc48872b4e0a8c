"""The cost of a session per request, beyond the application without sessions: in the process, one request at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from wsgessions import SessionMiddleware
from wsgessions.store.cache_statistics import CacheStatistics
from wsgessions.store.capabilities import CacheLookup, find_capability

from .asgi_client import AsgiClient, serving
from .run import Run
from .section import Section, Value, table
from .subjects import BARE, SUBJECTS, VALUE, Subject, ours, peers
from .timing import Cost, Way, cost_over

__all__ = ["ATTRIBUTES", "AT_ONCE", "measure", "statistics_of", "together"]

ATTRIBUTES: Final = 20
MANY: Final = 4096
"""Clients in rotation: the default number of clients with cached cookies in a process."""

AT_ONCE: Final = 32
"""Concurrent clients, as under a server with so many connections."""

_HEAD: Final = ("", "no id", "untouched", "read", f"read, {MANY:,} clients", "write")

_TEXT: Final = f"""One request at a time, in the event loop of uvicorn (uvloop), in turn with the same framework's
application without sessions; the difference of the best rounds, in microseconds. *No id*: a visitor without a session,
on a route that does not read it; *untouched*: such a route, requested by a client with a session; *read* and *write*:
of one attribute of {ATTRIBUTES}. One client, unless said otherwise; with {MANY:,} clients in rotation, the data of a
client are no longer in the processor's cache. A round was counted only if the cache, the manager or the route itself
confirmed the work."""


@dataclass
class _Row:
    name: str
    costs: dict[str, Cost] = field(default_factory=dict)


async def measure(run: Run) -> list[Section]:
    """All libraries, then measurements of wsgessions alone."""
    rows = [await _ours(run), *[await _peer(subject, run) for subject in peers()]]
    return [
        Section("One request, in process", "\n\n".join([_TEXT, "Time:", _table(rows, cpu=False), _targets(rows)])),
        Section("The same: CPU time of the process", _table(rows, cpu=True)),
        Section(f"{AT_ONCE} requests at once: CPU time of the process", await _at_once(run)),
        Section("Reads that are not hot, and hops", await _special(run)),
    ]


def _table(rows: list[_Row], *, cpu: bool) -> str:
    columns = _HEAD[1:]
    cells = [[(row.costs[name].cpu if cpu else row.costs[name].wall) for name in columns] for row in rows]
    return table(_HEAD, [[row.name, *line] for row, line in zip(rows, cells, strict=True)])


def _targets(rows: list[_Row]) -> str:
    own, signed, star = (
        next(row for row in rows if row.name == name)
        for name in ("wsgessions", "Starlette signed cookie", "starsessions")
    )

    def ratio(column: str, other: _Row) -> float:
        return own.costs[column].cpu / other.costs[column].cpu

    many = f"read, {MANY:,} clients"
    return table(
        ("ratio of CPU time", "one client", f"{MANY:,} clients", "target"),
        [
            ("hot read / read with the signed cookie", ratio("read", signed), ratio(many, signed), "0.15"),
            ("hot read / read with starsessions", ratio("read", star), ratio(many, star), "0.04"),
            ("write / write with starsessions", ratio("write", star), None, "0.4"),
        ],
    )


# -- all libraries -----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _beside_bare(app: Callable[..., Any], bare: str, run: Run) -> AsyncIterator[AsgiClient]:
    bare_app = SUBJECTS[bare].make(run.store_url)
    async with serving(app), serving(bare_app):
        yield AsgiClient(bare_app)


async def _difference(way: Way, bare: AsgiClient, path: str, run: Run, *, requests: int = 200) -> Cost:
    rounds = run.choose(quick=4, full=40)
    return await cost_over(way, Way(lambda: bare.get(path)), rounds=rounds, requests=requests)


async def _peer(subject: Subject, run: Run) -> _Row:
    row, app = _Row(subject.name), subject.make(run.store_url)
    async with _beside_bare(app, subject.bare, run) as bare:
        stranger, known = AsgiClient(app), AsgiClient(app)
        await known.get(f"/fill/{ATTRIBUTES}")
        rotation = await _rotation(app, run)

        async def reads() -> bool:
            return await known.get("/read") == VALUE.encode()

        async def has_written() -> bool:
            before = await known.get("/tick")
            await known.get("/write")
            return int(await known.get("/tick")) > int(before)

        requests = 50 if subject.uses_store else 200
        for column, way, path in (
            ("no id", Way(lambda: stranger.get("/untouched")), "/untouched"),
            ("untouched", Way(lambda: known.get("/untouched")), "/untouched"),
            ("read", Way(lambda: known.get("/read"), check=reads), "/read"),
            (f"read, {MANY:,} clients", Way(lambda: next(rotation).get("/read")), "/read"),
            ("write", Way(lambda: known.get("/write"), check=has_written), "/write"),
        ):
            if column == "write":
                await known.get("/write")
            row.costs[column] = await _difference(way, bare, path, run, requests=requests)
    return row


async def _ours(run: Run) -> _Row:
    row, app = _Row("wsgessions"), ours(run.store_url)
    async with _beside_bare(app, BARE, run) as bare:
        stranger, known = AsgiClient(app), AsgiClient(app)
        await known.get(f"/fill/{ATTRIBUTES}")
        rotation = await _rotation(app, run)
        cache, counted = statistics_of(app), app.manager.statistics

        def hits() -> int:
            return cache.heap_hits

        for column, way, path in (
            ("no id", Way(lambda: stranger.get("/untouched"), hits), "/untouched"),
            ("untouched", Way(lambda: known.get("/untouched"), hits, 1), "/untouched"),
            ("read", Way(lambda: known.get("/read"), hits, 1), "/read"),
            (f"read, {MANY:,} clients", Way(lambda: next(rotation).get("/read"), hits, 1), "/read"),
            ("write", Way(lambda: known.get("/write"), lambda: counted.commits, 1), "/write"),
        ):
            row.costs[column] = await _difference(way, bare, path, run, requests=50 if path == "/write" else 200)
    return row


async def _rotation(app: Callable[..., Any], run: Run) -> itertools.cycle[AsgiClient]:
    clients = [AsgiClient(app) for _ in range(run.choose(quick=64, full=MANY))]
    for client in clients:
        await client.get(f"/fill/{ATTRIBUTES}")
    return itertools.cycle(clients)


def statistics_of(app: SessionMiddleware) -> CacheStatistics:
    """The counters of an application's near cache."""
    cache = find_capability(app.manager.store, CacheLookup)
    if cache is None:
        raise RuntimeError("this application has no near cache")
    return cache.statistics


async def _at_once(run: Run) -> str:
    rows: list[list[Value]] = []
    for subject in (SUBJECTS["wsgessions"], *peers()):
        app = subject.make(run.store_url)
        async with _beside_bare(app, subject.bare, run) as bare:
            clients = [AsgiClient(app) for _ in range(AT_ONCE)]
            strangers = [AsgiClient(bare.app) for _ in clients]
            for client in clients:
                await client.get(f"/fill/{ATTRIBUTES}")
            costs = [
                await cost_over(
                    Way(partial(together, clients, path)),
                    Way(partial(together, strangers, path)),
                    rounds=run.choose(quick=4, full=40),
                    requests=4,
                )
                for path in ("/read", "/write")
            ]
        rows.append([subject.name, *(cost.cpu / AT_ONCE for cost in costs)])
    return (
        "As above, per request of so many concurrent requests, which share turns of the event loop and system"
        " calls.\n\n" + table(("", "read", "write"), rows)
    )


async def together(clients: list[AsgiClient], path: str) -> None:
    """One request of each client, all under way at the same time."""
    await asyncio.gather(*(client.get(path) for client in clients))


# -- ours alone --------------------------------------------------------------------------------------------------------


async def _special(run: Run) -> str:
    rows = [
        ("read from memory outside the heap", await _off_heap(run)),
        ("conditional read: a copy is there, but the lease is 0", await _cold(run, "/read", lease="0s")),
        ("whole read: no near cache", await _whole_read(run)),
        *await _hops(run),
    ]
    return (
        "As above, for wsgessions alone. A hop is a request that reaches another server than the one before; here both"
        " servers are in one process, each with a connection of its own, so the CPU time is that of both.\n\n"
        + table(("", "time (us)", "CPU (us)"), [(name, cost.wall, cost.cpu) for name, cost in rows])
    )


async def _off_heap(run: Run) -> Cost:
    app = ours(run.store_url, max_bytes_on_heap=0, max_bytes_off_heap=16 * 2**20, namespace="offheap")
    async with _beside_bare(app, BARE, run) as bare:
        client = AsgiClient(app)
        await client.get(f"/fill/{ATTRIBUTES}")
        cache = statistics_of(app)
        return await _difference(Way(lambda: client.get("/read"), lambda: cache.off_heap_hits, 1), bare, "/read", run)


async def _cold(run: Run, path: str, **settings: Any) -> Cost:
    app = ours(run.store_url, **settings)
    async with _beside_bare(app, BARE, run) as bare:
        client = AsgiClient(app)
        await client.get(f"/fill/{ATTRIBUTES}")
        cache = statistics_of(app)
        way = Way(lambda: client.get(path), cache.misses.total, 1)
        return await _difference(way, bare, path, run, requests=50)


async def _whole_read(run: Run) -> Cost:
    app = ours(run.store_url, max_bytes_on_heap=0)
    async with _beside_bare(app, BARE, run) as bare:
        client = AsgiClient(app)
        await client.get(f"/fill/{ATTRIBUTES}")
        way = Way(lambda: client.get("/read"), lambda: app.manager.statistics.loads, 1)
        return await _difference(way, bare, "/read", run, requests=50)


async def _hops(run: Run) -> list[tuple[str, Cost]]:
    """A browser between two nodes: each node reads the write of the other, and then writes itself."""
    async with AsyncExitStack() as stack:
        nodes = [ours(run.store_url) for _ in range(2)]
        for node in nodes:
            await stack.enter_async_context(serving(node))
        bare_app = SUBJECTS[BARE].make(run.store_url)
        bare, client, turn = AsgiClient(bare_app), AsgiClient(nodes[0]), itertools.cycle(nodes)
        await client.get(f"/fill/{ATTRIBUTES}")

        async def hop() -> None:
            client.app = next(turn)
            await client.get("/write")

        async def write_here_read_there() -> None:
            await hop()
            client.app = next(turn)
            await client.get("/read")

        def work() -> int:
            """Commits, and reads of the store: each hop needs one read, since the other node has written."""
            counted = [node.manager.statistics for node in nodes]
            return sum(each.commits + each.loads for each in counted)

        async def twice() -> None:
            await bare.get("/read")
            await bare.get("/read")

        return [
            ("write after a hop", await _beside(Way(hop, work, 2), lambda: bare.get("/read"), run)),
            ("write, and a read after a hop", await _beside(Way(write_here_read_there, work, 2), twice, run)),
        ]


async def _beside(way: Way, bare: Callable[[], Awaitable[object]], run: Run) -> Cost:
    return await cost_over(way, Way(bare), rounds=run.choose(quick=4, full=40), requests=25)
