"""What a session costs the store: bytes and commands per request, and how many concurrent changes survive."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from redis.asyncio import Redis

from .asgi_client import AsgiClient
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
    kept: int
    """Of 100 concurrent requests that each set an attribute of their own."""


async def measure(store_url: str) -> list[Traffic]:
    """Measure the subjects that use the store."""
    return [await _traffic(subject, store_url) for subject in SUBJECTS.values() if subject.uses_store]


async def _traffic(subject: Subject, store_url: str) -> Traffic:
    client = AsgiClient(subject.make(store_url))
    await client.get("/fill/20")
    read_20 = await _bytes_per_request(client, "/read", store_url)
    write_20 = await _bytes_per_request(client, "/write", store_url)
    await client.get("/fill/200")
    write_200 = await _bytes_per_request(client, "/write", store_url)
    return Traffic(subject.name, read_20, write_20, write_200, await _kept(client))


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
