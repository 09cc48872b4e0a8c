"""The constants of every session store."""

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
"""The life of a tombstone in milliseconds. It must outlast the longest request plus the lease, because a late commit of
such a request must still find it (C-15)."""

REPLACED_MS: Final = 10_000
"""Milliseconds for which an id that its client has given up is marked as such: as long as requests that were sent
with it may still be on their way (C-24)."""

DEFAULT_GRACE: Final = 2.5
"""Seconds for which an idle session may still be touched or changed after its time, because a use before that time may
be reported late: the default touch interval plus the default lease. It is not served meanwhile, and removed after
(C-16)."""

LONGEST_LEASE: Final = 5.0
"""The longest lease that can be set, in seconds (S-60)."""

TRACKED_KEYS: Final = 1_000_000
"""Keys that a server tracks for all its clients, by default (C-18)."""

EXACT: Final = 2**53
"""Numbers computed at the store stay below this, where a double holds every integer exactly (C-8, C-10)."""
