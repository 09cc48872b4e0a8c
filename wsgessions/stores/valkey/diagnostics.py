"""The diagnostics of a store about invalid records: counters, and log lines at a limited rate (R-20 to R-22)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ...errors import RecordTooNew
from ...internal.log_throttle import LogThrottle
from ...record import SessionKey
from .format.metadata import ScriptStatus

__all__ = ["StoreDiagnostics"]

_log = LogThrottle(logging.getLogger("wsgessions.valkey"))


@dataclass(slots=True)
class StoreDiagnostics:
    """Counters of this process."""

    unreadable: int = 0
    """Damaged records, or values of another type, that were read. They stay unchanged, for inspection."""
    too_new: int = 0
    """Records of a later release that were read."""
    reindexed: int = 0
    """Sessions that were missing in the index of their segment."""
    resent: int = 0
    """Requests sent again after the link was lost."""
    unconfirmed: int = 0
    """Ends of sessions that the replicas had not confirmed in time, and that were reported as done (C-15b)."""
    revived: int = 0
    """Ended sessions that a failover had brought back, and that were ended again (C-15b)."""

    def note(self, refusal: int, key: SessionKey) -> None:
        """Record why a record was not used.

        Raises:
            RecordTooNew: if that is the reason.
        """
        if refusal == ScriptStatus.UNREADABLE:
            self.unreadable += 1
            _log.error("unreadable_record", "session %s is damaged in the store; it is left unchanged", key.ref)
        elif refusal == ScriptStatus.TOO_NEW:
            self.too_new += 1
            _log.error("newer_format", "session %s was written by a later release; it is left unchanged", key.ref)
            raise RecordTooNew(
                "the session was written by a later release of wsgessions",
                hint="upgrade this server, or route its users to upgraded ones",
            )

    def note_reindexed(self, number: int) -> None:
        """Record sessions that had to be indexed again (R-28)."""
        if number:
            self.reindexed += number
            _log.warning(
                "reindexed", "%d sessions were missing in the index of the store, and were added again", number
            )

    def note_unconfirmed(self, replicas: int) -> None:
        """Record that not all replicas have confirmed the end of a session in time."""
        self.unconfirmed += 1
        _log.warning("unconfirmed_end", "not all %d replicas have confirmed the end of a session in time", replicas)

    def note_revived(self, key: SessionKey) -> None:
        """Record a session that was ended again."""
        self.revived += 1
        _log.warning("revived", "session %s had ended, was brought back by a failover, and is ended again", key.ref)
