"""The figures that every store of sessions keeps to."""

from __future__ import annotations

from typing import Final

from ..record.history import COMMITS_REMEMBERED

__all__ = [
    "COMMITS_REMEMBERED",
    "DEFAULT_GRACE",
    "EXACT",
    "LONGEST_LEASE",
    "REPLACED_MS",
    "TOMBSTONE_MS",
    "TRACKED_KEYS",
]

TOMBSTONE_MS: Final = 15 * 60 * 1000
"""The life of a tombstone in milliseconds. It must outlast the longest request plus the lease, because what such a
request commits late must still meet it (C-15)."""

REPLACED_MS: Final = 10_000
"""Milliseconds for which an id that its client has given up is remembered as such: as long as requests that were sent
with it may still be on their way (C-24)."""

DEFAULT_GRACE: Final = 2.5
"""Seconds for which an idle session may still be touched or changed after its time, because a use before that time may
be reported late: the default touch interval plus the default lease. It is not served meanwhile, and removed after
(C-16)."""

LONGEST_LEASE: Final = 5.0
"""Seconds that a node may be set to trust its own memory without asking (S-60)."""

TRACKED_KEYS: Final = 1_000_000
"""Keys that a server watches for all its clients, unless it is set otherwise (C-18)."""

EXACT: Final = 2**53
"""Numbers computed at the store stay below this, where a double holds every integer exactly (C-8, C-10)."""
