"""Pushes 100 MB of sessions through a near cache on a real store, and says by how many bytes the process grew.

``python -m tests.cache.memory_program URL HEAP OFF_HEAP DIRECTORY`` prints the growth of memory of its own and of
shared memory, then what the tiers account for, then how many sessions are served without asking the store.
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
from pathlib import Path

from tests.stores.valkey.shared_server import store_at
from wsgessions.cache.lease import Lease
from wsgessions.cache.near_cache import NearCache
from wsgessions.cache.off_heap import OffHeap
from wsgessions.record import Seen, SessionKey
from wsgessions.testing.stores.harness import created

SESSIONS = 5_000
ATTRIBUTES = 20
BYTES = 1_000
AT_ONCE = 50


def resident() -> tuple[int, int]:
    """Bytes in memory that are this process's own, and those of files, such as shared memory."""
    _, pages, shared, *_ = map(int, Path("/proc/self/statm").read_text(encoding="ascii").split())
    size = os.sysconf("SC_PAGE_SIZE")
    return (pages - shared) * size, shared * size


async def push(cache: NearCache, number: int) -> list[tuple[SessionKey, Seen]]:
    """Create so many sessions."""
    made: list[tuple[SessionKey, Seen]] = []
    for _ in range(0, number, AT_ONCE):
        batch = [created(cache, {f"name_{n}": os.urandom(BYTES) for n in range(ATTRIBUTES)}) for _ in range(AT_ONCE)]
        records = await asyncio.gather(*batch)
        made += [(record.key, record.seen) for record in records]
    return made


async def main(url: str, heap: int, off_heap: int, base: str) -> None:
    tier = OffHeap(off_heap, "memory", directory=Path(base)) if off_heap else None
    cache = NearCache(store_at(url), lease=Lease(60.0), max_bytes=heap, off_heap=tier)
    await cache.start()
    await push(cache, 2 * AT_ONCE)  # what is loaded and made once
    gc.collect()
    own, shared = resident()
    pushed = await push(cache, SESSIONS)
    gc.collect()
    own_after, shared_after = resident()
    served = sum(cache.lookup(key, seen) is not None for key, seen in pushed)
    sys.stdout.write(f"{own_after - own} {shared_after - shared} ")
    sys.stdout.write(f"{cache.heap.bytes} {tier.bytes_used if tier else 0} {served}\n")
    await cache.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
