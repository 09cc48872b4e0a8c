"""What a session costs one request over the app without sessions: in the process, one request at a time."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from .asgi_client import AsgiClient
from .subjects import SUBJECTS, Subject

__all__ = ["Cost", "measure"]

ATTRIBUTES = 20
ROUTES = ("/untouched", "/read", "/write")


@dataclass(frozen=True, slots=True)
class Cost:
    """Microseconds that each route takes over the same framework's application without sessions."""

    subject: str
    untouched_anonymous: float
    untouched: float
    read: float
    write: float


async def measure(store_url: str, *, rounds: int, requests: int) -> list[Cost]:
    """Measure all subjects, alternating with their bare application so that a drift of the machine hits both."""
    clients = {name: AsgiClient(subject.make(store_url)) for name, subject in SUBJECTS.items()}
    strangers = {name: AsgiClient(subject.make(store_url)) for name, subject in SUBJECTS.items()}
    costs = []
    for subject in SUBJECTS.values():
        if subject.name == subject.bare:
            continue
        await clients[subject.name].get(f"/fill/{ATTRIBUTES}")
        costs.append(await _cost(subject, clients, strangers, rounds, requests))
    return costs


async def _cost(
    subject: Subject, clients: dict[str, AsgiClient], strangers: dict[str, AsgiClient], rounds: int, requests: int
) -> Cost:
    bare = clients[subject.bare]
    anonymous = await _difference(strangers[subject.name], bare, "/untouched", rounds, requests)
    known = [await _difference(clients[subject.name], bare, route, rounds, requests) for route in ROUTES]
    return Cost(subject.name, anonymous, *known)


async def _difference(client: AsgiClient, bare: AsgiClient, path: str, rounds: int, requests: int) -> float:
    await _time(client, path, requests)
    differences = [await _time(client, path, requests) - await _time(bare, path, requests) for _ in range(rounds)]
    return statistics.median(differences)


async def _time(client: AsgiClient, path: str, requests: int) -> float:
    began = time.perf_counter()
    for _ in range(requests):
        await client.get(path)
    return (time.perf_counter() - began) / requests * 1e6
