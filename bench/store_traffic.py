"""What a session costs the store: bytes and commands per request, and how many concurrent changes survive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from redis.asyncio import Redis

from wsgessions import SessionManager
from wsgessions.valkey.address import Address, in_turn
from wsgessions.valkey.store import ValkeyStore

from .asgi_client import AsgiClient, serving
from .subjects import SUBJECTS, Subject

__all__ = ["Traffic", "measure"]

REQUESTS = 200
CONCURRENT = 100


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes that reach the store for one request, for sessions of 20 and of 200 attributes, and changes kept."""

    subject: str
    read_20: float
    write_20: float
    write_200: float
    commits: str
    """The commit of one changed attribute of 8 characters alone, where a library has such a thing."""
    kept: int
    """Of 100 concurrent requests that each set an attribute of their own."""


async def measure(store_url: str) -> list[Traffic]:
    """Measure the subjects that use the store."""
    return [await _traffic(subject, store_url) for subject in SUBJECTS.values() if subject.uses_store]


async def _traffic(subject: Subject, store_url: str) -> Traffic:
    # First, while no application of ours is there yet to look for expired sessions in between.
    commits = await _commits(store_url) if subject.name == "wsgessions" else "-"
    app = subject.make(store_url)
    async with serving(app):
        client = AsgiClient(app)
        await client.get("/fill/20")
        read_20 = await _bytes_per_request(client, "/read", store_url)
        write_20 = await _bytes_per_request(client, "/write", store_url)
        await client.get("/fill/200")
        write_200 = await _bytes_per_request(client, "/write", store_url)
        return Traffic(subject.name, read_20, write_20, write_200, commits, await _kept(client))


async def _commits(store_url: str) -> str:
    """The bytes of our commit for sessions of 20 and of 200 attributes."""
    store = ValkeyStore(in_turn(Address.parse_seeds(store_url)), reap_interval=None)
    manager = SessionManager(store=store)
    try:
        return " / ".join([f"{await _commit(manager, count, store_url):.0f}" for count in (20, 200)])
    finally:
        await manager.close()


async def _commit(manager: SessionManager, attributes: int, store_url: str) -> float:
    async with manager.open() as session, Redis.from_url(store_url) as admin:
        session.update({f"attr{index}": "x" * 100 for index in range(attributes)})
        await session.commit()
        session["tick"] = "00000000"
        await session.commit()  # the server has the script from here on
        before = int((await admin.info("stats"))["total_net_input_bytes"])
        for tick in range(REQUESTS):
            session["tick"] = f"{tick:08d}"
            await session.commit()
        after = int((await admin.info("stats"))["total_net_input_bytes"])
    return (after - before) / REQUESTS


async def _bytes_per_request(client: AsgiClient, path: str, store_url: str) -> float:
    await client.get(path)
    async with Redis.from_url(store_url) as admin:
        before = int((await admin.info("stats"))["total_net_input_bytes"])
        for _ in range(REQUESTS):
            await client.get(path)
        after = int((await admin.info("stats"))["total_net_input_bytes"])
    return (after - before) / REQUESTS


async def _kept(client: AsgiClient) -> int:
    names = [f"own{index}" for index in range(CONCURRENT)]
    await asyncio.gather(*(client.get(f"/set/{name}") for name in names))
    present = (await client.get("/names")).decode().split()
    return len(set(names) & set(present))
