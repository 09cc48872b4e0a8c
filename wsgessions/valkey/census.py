"""All sessions of an application at once: how many there are, and which, by the indexes of its segments (E-7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..record import SessionKey
from .reading import milliseconds

if TYPE_CHECKING:
    from .store import ValkeyStore

__all__ = ["count", "some_keys"]


async def count(store: ValkeyStore, deadline: float) -> int:
    """See `Countable.count`."""
    segments = await store.known_segments(deadline)
    now_ms = await _now_ms(store, deadline)
    commands = [(b"ZCOUNT", segment.expiries, f"({now_ms}", b"+inf") for segment in segments]
    counts: list[int] = await store.answers(commands, deadline)
    return sum(counts)


async def some_keys(store: ValkeyStore, limit: int, deadline: float) -> list[SessionKey]:
    """See `Listing.some_keys`. The index is complete but for moments (R-28)."""
    found: list[SessionKey] = []
    segments, now_ms = await store.known_segments(deadline), await _now_ms(store, deadline)
    for prefix, segment in enumerate(segments):
        live = (b"ZRANGE", segment.expiries, f"({now_ms}", b"+inf", b"BYSCORE", b"LIMIT", 0, limit - len(found))
        [digests] = await store.answers([live], deadline)
        found += [SessionKey(prefix, digest) for digest in digests]
        if len(found) == limit:
            break
    return found


async def _now_ms(store: ValkeyStore, deadline: float) -> int:
    return milliseconds(await store.send(lambda _: store.link.request(b"TIME", deadline=deadline)))
