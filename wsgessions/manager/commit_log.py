"""The content of this process's latest commits, for `Session.last_commit`: for display only."""

from __future__ import annotations

from typing import Final

from ..internal.two_generation_cache import TwoGenerationCache
from ..record import SessionKey
from ..session import CommitReport

__all__ = ["MAX_REPORTS", "CommitReports"]

MAX_REPORTS: Final = 1024
"""The largest number of remembered commits; at least half of it is remembered."""


class CommitReports(TwoGenerationCache[bytes, tuple[int, int, int, tuple[str, ...], frozenset[str]]]):
    """The last commit of each of the recently committed sessions, by the digest of its key: the fields of a
    `CommitReport`, which is made only when it is read.
    """

    def __init__(self) -> None:
        super().__init__(MAX_REPORTS // 2)

    def of(self, key: SessionKey) -> CommitReport | None:
        """The report of a session's last commit, if it is remembered."""
        commit = self[key.digest]
        if commit is None:
            return None
        version, size, whole, changed, removed = commit
        return CommitReport(version, size, whole, changed, tuple(sorted(removed)))
