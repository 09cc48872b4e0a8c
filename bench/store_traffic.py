"""The cost of a session at the store: commands and bytes per request, memory, and concurrent changes kept."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from redis.asyncio import Redis

from wsgessions import SessionManager
from wsgessions.store.address import Address, in_turn
from wsgessions.stores.valkey.store import ValkeyStore

from .asgi_client import AsgiClient, serving
from .in_process import statistics_of
from .run import Run
from .section import Section, Value, table
from .store_statistics import Work
from .subjects import SUBJECTS, Subject, ours

__all__ = ["measure"]

HOT_READS: Final = 10_000
REQUESTS: Final = 200
CONCURRENT: Final = 100
BATCH: Final = 20

_SHOWN: Final = 0.5
"""Less frequent commands per request are those of heartbeats and the like."""


async def measure(run: Run) -> list[Section]:
    """The commands of wsgessions, then its bytes and those of other libraries with a store."""
    # First, before another application of ours searches for expired sessions meanwhile.
    change = [await _change_alone(count, run) for count in (20, 200)]
    memory = await _memory(run)
    rows = [await _traffic(subject, run) for subject in SUBJECTS.values() if subject.uses_store]
    head = (
        "bytes to the store", "read, 20 attr.", "write, 20 attr.", "write, 200 attr.", "read, 200 attr.", "kept of 100",
    )  # fmt: skip
    intro = (
        "Attributes of 100 characters; a write changes one of 8. *Kept*: changes kept of 100 concurrent requests that"
        " each set an attribute of their own. A hot read of wsgessions sends nothing; the bytes in that column are"
        " those of heartbeats."
    )
    outro = (
        f"The change alone, without reading: {change[0]:.0f} bytes in a session of 20 attributes, {change[1]:.0f} in"
        f" one of 200 (target: 300). Memory of the store for one session of 20 attributes of 100 characters:"
        f" {memory:,.0f} bytes, {memory / 2000:.2f} times the bare values (target: 1.5, at the settings of the embedded"
        " store)."
    )
    text = "\n\n".join([intro, table(head, rows), outro])
    return [
        Section("Commands of the store", await _commands(run)),
        Section("Traffic to the store, and concurrent changes kept", text),
    ]


# -- commands ----------------------------------------------------------------------------------------------------------


async def _commands(run: Run) -> str:
    hot = run.choose(quick=1000, full=HOT_READS)
    async with serving(app := ours(run.store_url)), serving(cold := ours(run.store_url, lease="0s", namespace="cold")):
        client, cold_client = AsgiClient(app), AsgiClient(cold)
        await client.get("/fill/20")
        await cold_client.get("/fill/20")
        hits = statistics_of(app).heap_hits
        rows = [
            (f"{hot:,} hot reads", await _counted(lambda: client.get("/read"), hot, run)),
            (f"{REQUESTS} writes", await _counted(lambda: client.get("/write"), REQUESTS, run)),
            (f"{REQUESTS} conditional reads", await _counted(lambda: cold_client.get("/read"), REQUESTS, run)),
        ]
        hits = statistics_of(app).heap_hits - hits
    if hits < hot:
        raise RuntimeError(f"only {hits} reads were hot")
    async with serving(app := ours(run.store_url, max_bytes_on_heap=0, namespace="whole")):
        client = AsgiClient(app)
        await client.get("/fill/20")
        rows.append((f"{REQUESTS} whole reads", await _counted(lambda: client.get("/read"), REQUESTS, run)))
    text = (
        "All commands that the store counted during the measurement, per request. The last column has the commands"
        " that do not belong to requests: heartbeats, touches, the search for expired sessions, and one hit in a"
        " thousand that is compared with the store. Commands within a script are listed beside the script itself"
        " (EVALSHA); all commands of one request travel in one round trip."
    )
    head = ("", "commands per request", "of one request", "others, in all")
    return f"{text}\n\n" + table(head, [[name, *_sorted_out(work)] for name, work in rows])


async def _counted(request: Callable[[], Awaitable[Any]], requests: int, run: Run) -> tuple[Counter[str], int]:
    for _ in range(BATCH):
        await request()
    before = await asyncio.to_thread(Work.so_far, run.store_url)
    for number in range(requests):
        await request()
        if number % BATCH == 0:
            await asyncio.sleep(0)
    work = (await asyncio.to_thread(Work.so_far, run.store_url)).since(before)
    return work.commands, requests


def _sorted_out(counted: tuple[Counter[str], int]) -> list[Value]:
    commands, requests = counted
    own = {name: calls for name, calls in commands.items() if calls / requests >= _SHOWN}
    per_request = round(sum(own.values()) / requests, 1)
    names = ", ".join(f"{name.upper().replace('|', ' ')} {calls / requests:.0f}" for name, calls in sorted(own.items()))
    return [str(per_request if own else 0), names or "none", sum(commands.values()) - sum(own.values())]


# -- bytes -------------------------------------------------------------------------------------------------------------


async def _traffic(subject: Subject, run: Run) -> list[Value]:
    app = subject.make(run.store_url)
    async with serving(app):
        small, large = AsgiClient(app), AsgiClient(app)
        await small.get("/fill/20")
        await large.get("/fill/200")
        figures = [
            await _bytes_per_request(client, path, run)
            for client, path in ((small, "/read"), (small, "/write"), (large, "/write"), (large, "/read"))
        ]
        return [subject.name, *(round(figure) for figure in figures), await _kept(small)]


async def _bytes_per_request(client: AsgiClient, path: str, run: Run) -> float:
    await client.get(path)
    before = Work.so_far(run.store_url)
    for _ in range(REQUESTS):
        await client.get(path)
    return Work.so_far(run.store_url).since(before).bytes_in / REQUESTS


async def _kept(client: AsgiClient) -> int:
    names = [f"own{index}" for index in range(CONCURRENT)]
    await asyncio.gather(*(client.get(f"/set/{name}") for name in names))
    present = (await client.get("/names")).decode().split()
    return len(set(names) & set(present))


async def _change_alone(attributes: int, run: Run) -> float:
    """The bytes of one commit of one changed attribute of 8 characters."""
    store = ValkeyStore(in_turn(Address.parse_seeds(run.store_url)), reap_interval=None)
    manager = SessionManager(store=store)
    async with manager.open() as session:
        session.update({f"attr{index}": "x" * 100 for index in range(attributes)})
        await session.commit()
        session["tick"] = "00000000"
        await session.commit()  # the server has the script after this call
        before = Work.so_far(run.store_url)
        for tick in range(REQUESTS):
            session["tick"] = f"{tick:08d}"
            await session.commit()
        work = Work.so_far(run.store_url).since(before)
    await manager.close()
    return work.bytes_in / REQUESTS


async def _memory(run: Run, sessions: int = 1000) -> float:
    """The bytes of one session in the store, its entry in the index included."""
    manager = SessionManager(store_url=run.store_url, namespace="memory")
    await manager.start()
    async with Redis.from_url(run.store_url) as admin:
        before = (await admin.info("memory"))["used_memory_dataset"]
        for _ in range(sessions):
            async with manager.open() as session:
                session.update({f"attr{index}": "x" * 100 for index in range(20)})
        after = (await admin.info("memory"))["used_memory_dataset"]
    await manager.close()
    return float(after - before) / sessions
