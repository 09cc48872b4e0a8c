"""What a session costs one request over the app without sessions: in the process, one request at a time."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from .asgi_client import AsgiClient, serving
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
    subjects = [subject for subject in SUBJECTS.values() if subject.name != subject.bare]
    return [await _cost(subject, store_url, rounds, requests) for subject in subjects]


async def _cost(subject: Subject, store_url: str, rounds: int, requests: int) -> Cost:
    app, bare_app = subject.make(store_url), SUBJECTS[subject.bare].make(store_url)
    async with serving(app), serving(bare_app):
        bare, stranger, known = AsgiClient(bare_app), AsgiClient(app), AsgiClient(app)
        await known.get(f"/fill/{ATTRIBUTES}")
        anonymous = await _difference(stranger, bare, "/untouched", rounds, requests)
        return Cost(
            subject.name, anonymous, *[await _difference(known, bare, route, rounds, requests) for route in ROUTES]
        )


async def _difference(client: AsgiClient, bare: AsgiClient, path: str, rounds: int, requests: int) -> float:
    await _time(client, path, requests)
    differences = [await _time(client, path, requests) - await _time(bare, path, requests) for _ in range(rounds)]
    return statistics.median(differences)


async def _time(client: AsgiClient, path: str, requests: int) -> float:
    began = time.perf_counter()
    for _ in range(requests):
        await client.get(path)
    return (time.perf_counter() - began) / requests * 1e6
