"""Puts sessions back into the indexes of their principals that are missing there, as after a failover (E-9, F-17).

The server that has the index may have lost its latest writes while the one that has the session has not.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from .binding import BOUND, member_of, owner_of
from .principals import look_after

if TYPE_CHECKING:
    from .store import ValkeyStore

__all__ = ["repair_principals"]

_DIGEST_SIZE: Final = 16
_PATIENCE: Final = 1.0


async def repair_principals(store: ValkeyStore, records: Iterable[bytes]) -> int:
    """Look after sessions that are somebody's.

    Args:
        store: the store.
        records: names of records; those that are nobody's are passed over.

    Returns:
        How many were missing.

    Raises:
        StoreUnavailable: the store did not answer.
    """
    names, segments = list(records), await store.known_segments(_soon())
    fields = await store.link.pipeline([(b"HGET", name, BOUND) for name in names], deadline=_soon())
    # What is no hash is no session of ours, and a refusal says so.
    owned = [
        owner_of(field, name[-_DIGEST_SIZE:])
        for name, field in zip(names, fields, strict=True)
        if isinstance(field, bytes)
    ]
    members = [(principal, member_of(key)) for principal, key in filter(None, owned)]
    lookups = [(b"ZSCORE", segments.index_of(principal), member) for principal, member in members]
    scores = await store.link.pipeline(lookups, deadline=_soon())
    missing: defaultdict[str, dict[bytes, int]] = defaultdict(dict)
    for (principal, member), score in zip(members, scores, strict=True):
        if score is None:
            missing[principal][member] = 0
    looks = [await look_after(store, principal, lost, _soon()) for principal, lost in missing.items()]
    return sum(len(each.live) for each in looks)


def _soon() -> float:
    return time.monotonic() + _PATIENCE
