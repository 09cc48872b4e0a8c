"""What this process sent in its latest commits, for `Session.last_commit`: to show, not to decide by."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from .attribute_changes import AttributeChanges
from .owner import CommitReport
from .record import SessionKey
from .session_limits import size_of

__all__ = ["MAX_REPORTS", "CommitReports"]

MAX_REPORTS: Final = 1024
"""Sessions whose last commit is remembered."""


class CommitReports:
    """The last commit of each of the sessions that were committed last."""

    def __init__(self) -> None:
        self._reports: OrderedDict[SessionKey, CommitReport] = OrderedDict()

    def of(self, key: SessionKey) -> CommitReport | None:
        """The report of a session's last commit, if it is remembered."""
        return self._reports.get(key)

    def add(self, key: SessionKey, version: int, changes: AttributeChanges, whole: int) -> CommitReport:
        """Remember a commit; ``whole`` is the number of bytes that a write of the whole session would have sent."""
        sent = size_of(changes.changed) + sum(map(len, changes.removed))
        report = CommitReport(version, sent, whole, tuple(changes.changed), tuple(sorted(changes.removed)))
        self._reports[key] = report
        self._reports.move_to_end(key)
        if len(self._reports) > MAX_REPORTS:
            self._reports.popitem(last=False)
        return report
