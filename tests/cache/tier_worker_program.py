"""A worker with both tiers: ``python -m tests.cache.tier_worker_program URL NAMESPACE OPTIONS`` obeys orders.

One order a line, as JSON: its name and its arguments; the answer is a line too. It ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.stores.valkey.shared_server import store_at
from wsgessions.cache.lease import Lease
from wsgessions.cache.near_cache import NearCache
from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import Seen, SessionKey, SessionRecord
from wsgessions.testing.stores.harness import change, created


class State(NamedTuple):
    """A state of a session, as it travels between a test and its workers."""

    prefix: int
    digest: str
    incarnation: int
    version: int
    value: str

    @property
    def key(self) -> SessionKey:
        return SessionKey(self.prefix, bytes.fromhex(self.digest))


def told(record: SessionRecord | None) -> State | None:
    if record is None:
        return None
    value = record.attributes["a"].decode()
    return State(record.key.prefix, record.key.digest.hex(), record.incarnation, record.version, value)


class Worker:
    """Carries out orders; the name of each is that of a method."""

    def __init__(self, url: str, namespace: str, *, base: str, heap: int, off_heap: int, lease: float) -> None:
        self._tier = OffHeap(off_heap, namespace, directory=Path(base))
        store = store_at(url, namespace=namespace, heartbeat=lease / 5)
        self.cache = NearCache(store, lease=Lease(lease), max_bytes=heap, off_heap=self._tier, audit_share=1.0)

    async def create(self, value: str) -> State | None:
        return told(await created(self.cache, {"a": value.encode()}))

    async def lookup(self, state: State) -> State | None:
        """What is served without asking the store."""
        return told(self.cache.lookup(state.key, Seen(state.incarnation, state.version)))

    async def load(self, state: State) -> State | None:
        found = await self.cache.load(state.key)
        return told(found if isinstance(found, SessionRecord) else None)

    async def write(self, state: State, value: str) -> State | None:
        """On top of what is served, or else of what the store has."""
        served = self.cache.lookup(state.key, Seen(state.incarnation, state.version))
        record = served or await self.cache.load(state.key)
        assert isinstance(record, SessionRecord)
        delta = change(record, a=value.encode())
        return told(record.after(delta, await self.cache.apply(delta)))

    async def delete(self, state: State) -> bool:
        return await self.cache.delete(state.key)

    async def look(self) -> dict[str, Any]:
        """Where this worker stands."""
        await self.cache.below.link.request(b"PING")  # type: ignore[attr-defined]
        counted = self.cache.statistics
        return {
            "siblings": self._tier.siblings,
            "fresh": self.cache._lease.fresh,
            "heap": counted.heap_hits,
            "off_heap": counted.off_heap_hits,
            "audits": counted.audits,
            "wrong": counted.audit_mismatches,
            "losses": {loss.value: number for loss, number in counted.losses.items()},
        }


def say(what: Any) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def meant(argument: Any) -> Any:
    return State(*argument) if isinstance(argument, list) else argument


async def main(url: str, namespace: str, options: dict[str, Any]) -> None:
    worker = Worker(url, namespace, **options)
    await worker.cache.start()
    say("serving")
    while line := await asyncio.to_thread(sys.stdin.readline):
        order, *arguments = json.loads(line)
        say(await getattr(worker, order)(*map(meant, arguments)))
    await worker.cache.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], json.loads(sys.argv[3])))
