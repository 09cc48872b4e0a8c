"""What a store finds wrong with records: counted, and told to the operator without flooding the log (R-20 to R-22)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from ..errors import RecordTooNew
from ..log_throttle import LogThrottle
from ..record import SessionKey
from .layout import Refusal

__all__ = ["Trouble"]

_log = LogThrottle(logging.getLogger("wsgessions.valkey"))


@dataclass(slots=True)
class Trouble:
    """Counters of this process."""

    unreadable: int = 0
    """Records met that are damaged or of another kind. They stay as they are, for inspection."""
    too_new: int = 0
    """Records met that a later release wrote."""
    reindexed: int = 0
    """Sessions that were missing in the index of their segment."""
    resent: int = 0
    """Requests sent again after the link was lost."""

    def note(self, refusal: int, key: SessionKey) -> None:
        """Take note of why a record was not used.

        Raises:
            RecordTooNew: if that is why.
        """
        if refusal == Refusal.UNREADABLE:
            self.unreadable += 1
            _log.error("unreadable_record", "session %s is damaged in the store; it is left as it is", key.ref)
        elif refusal == Refusal.TOO_NEW:
            self.too_new += 1
            _log.error("newer_format", "session %s was written by a later release; it is left to that", key.ref)
            raise RecordTooNew(
                "the session was written by a later release of wsgessions",
                hint="upgrade this server, or route its users to upgraded ones",
            )

    def note_reindexed(self, number: int) -> None:
        """Take note of sessions that had to be indexed again (R-28)."""
        if number:
            self.reindexed += number
            _log.warning("reindexed", "%d sessions were missing in the index of the store, and are back in it", number)
