"""The content of this process's latest commits, for `Session.last_commit`: for display only."""

from __future__ import annotations

from typing import Final

from ..internal.two_generation_cache import TwoGenerationCache
from ..record import SessionKey
from ..session import CommitReport
from ..session.changes import Changes

__all__ = ["MAX_REPORTS", "CommitReports"]

MAX_REPORTS: Final = 1024
"""The largest number of remembered commits; at least half of it is remembered."""


class CommitReports:
    """The last commit of each of the recently committed sessions. Its text is made only when it is read."""

    def __init__(self) -> None:
        self._commits: TwoGenerationCache[bytes, tuple[int, Changes, int, int]] = TwoGenerationCache(MAX_REPORTS // 2)

    def of(self, key: SessionKey) -> CommitReport | None:
        """The report of a session's last commit, if it is remembered."""
        commit = self._commits[key.digest]
        if commit is None:
            return None
        version, sent, size, whole = commit
        return CommitReport(version, size, whole, tuple(sent.changed), tuple(sorted(sent.removed)))

    def add(self, key: SessionKey, version: int, sent: Changes, whole: int) -> int:
        """Remember a commit.

        Args:
            key: the session.
            version: its version after the commit.
            sent: the commit.
            whole: the number of bytes that a write of the whole session would have sent.

        Returns:
            The number of bytes that were sent.
        """
        size = 0
        for name, raw in sent.changed.items():
            size += len(name) + len(raw)
        for name in sent.removed:
            size += len(name)
        self._commits.put(key.digest, (version, sent, size, whole))
        return size
