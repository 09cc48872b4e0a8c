"""A use of a snapshot, as the near cache counts it when it answers from the heap."""

from __future__ import annotations

from wsgessions.cache.heap import MOST_USES, Snapshot, Snapshots

__all__ = ["served"]


def served(snapshots: Snapshots, digest: bytes) -> Snapshot | None:
    """The snapshot of this session, its use counted."""
    found = snapshots.peek(digest)
    if found is not None and found.uses < MOST_USES:
        found.uses += 1
    return found
