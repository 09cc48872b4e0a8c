"""The lineage of one stored state: the versions before it that the store remembers. It distinguishes a lost version
from an old one.

It is packed, because one is kept with each cached state and hardly ever read: versions of 8 bytes, big-endian, in
ascending order. The first is the floor: nothing is known about versions up to it. After it comes every version that
followed, the present one last. An empty lineage has no information.
"""

from __future__ import annotations

from typing import Final

__all__ = ["COMMITS_REMEMBERED", "UNKNOWN_PAST", "begun", "continued", "holds", "latest"]

COMMITS_REMEMBERED: Final = 8
"""The number of remembered commits of a session, to recognise commits that are sent again (C-9) or were lost (C-12)."""

UNKNOWN_PAST: Final = b""
"""The lineage of a state without a known one: every older version may belong to it."""

_SIZE: Final = 8
_LONGEST: Final = _SIZE * (1 + COMMITS_REMEMBERED)


def begun(version: int) -> bytes:
    """The lineage of a state with this version, without known versions before it."""
    return version.to_bytes(_SIZE)


def continued(lineage: bytes, version: int) -> bytes:
    """The lineage of the state that followed directly on the one with this ``lineage``; the oldest part is dropped.

    After an `UNKNOWN_PAST` it begins with this version.
    """
    return (lineage + version.to_bytes(_SIZE))[-_LONGEST:]


def latest(lineage: bytes) -> bytes:
    """The part of a lineage that is kept, the latest one, in case a store returns more, which no release of ours
    writes.
    """
    return lineage[-_LONGEST:]


def holds(lineage: bytes, version: int) -> bool:
    """Whether a version that a client has seen can be one of these. False proves that it was lost (C-12)."""
    stamp = version.to_bytes(_SIZE)
    if not lineage or stamp <= lineage[:_SIZE]:
        return True
    at = lineage.find(stamp)
    while at > 0 and at % _SIZE:  # across two versions
        at = lineage.find(stamp, at + 1)
    return at > 0
