"""The past of one stored state, as far as the store remembers it: tells a version that was lost from one that is old.

Packed, because one is kept with each cached state and hardly ever looked at: versions of 8 bytes, big-endian, in
ascending order. The first is the floor: of versions up to it nothing is known. Behind it stands every version that
followed, the present one last. An empty lineage knows nothing at all.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COMMITS_REMEMBERED", "UNKNOWN_PAST", "begun", "continued", "holds", "latest"]

COMMITS_REMEMBERED: Final = 8
"""So many of a session's latest commits are remembered, to tell those that are sent again (C-9) or were lost (C-12)."""

UNKNOWN_PAST: Final = b""
"""The lineage of a state without a known one: every older version may be of its past."""

_SIZE: Final = 8
_LONGEST: Final = _SIZE * (1 + COMMITS_REMEMBERED)


def begun(version: int) -> bytes:
    """The lineage of a state with this version, if nothing is known of what was before it."""
    return version.to_bytes(_SIZE)


def continued(lineage: bytes, version: int) -> bytes:
    """The lineage of the state that followed at once on the one with this ``lineage``; the oldest part is let go."""
    return latest(lineage + version.to_bytes(_SIZE))


def latest(lineage: bytes) -> bytes:
    """As much of a lineage as is kept: the latest part, in case a store tells more, which no release of ours writes."""
    return lineage[-_LONGEST:]


def holds(lineage: bytes, version: int) -> bool:
    """Whether a version that a client has seen can be one of these. False is proof that it was lost (C-12)."""
    stamp = version.to_bytes(_SIZE)
    if not lineage or stamp <= lineage[:_SIZE]:
        return True
    at = lineage.find(stamp)
    while at > 0 and at % _SIZE:  # across two versions
        at = lineage.find(stamp, at + 1)
    return at > 0
