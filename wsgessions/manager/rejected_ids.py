"""Ids that were never issued or are invalid: counted, logged at a limited rate, reported to the application (S-11)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import Enum
from typing import Final

from ..internal.log_throttle import LogThrottle
from ..internal.peer_class import peer_class
from .statistics import SessionStatistics

__all__ = ["OnSuspicious", "RejectedId", "RejectedIdMonitor"]

_log = LogThrottle(logging.getLogger("wsgessions.suspicion"))


class RejectedId(Enum):
    """What is wrong with a presented id. Unless ids conflict, the request continues without a session."""

    MALFORMED = "malformed"
    """It does not have the form of an id (S-04)."""
    CONFLICTING = "conflicting"
    """Several different ids, of which at most one counts (S-29)."""
    OVERSIZED = "oversized"
    """More cookies than are read (S-31)."""
    UNKNOWN = "unknown"
    """The store does not know it: made up, or, far more often, ended or expired (S-03)."""


_WORDS: Final = {
    RejectedId.MALFORMED: "no session: the id is malformed",
    RejectedId.CONFLICTING: "several ids were presented, of which at most one counts",
    RejectedId.OVERSIZED: "no session, and none is made: the cookies are oversized",
}

OnSuspicious = Callable[[RejectedId, str | None], object]
"""A function of the application that is called with each rejected id, and the peer's address from the server."""


class RejectedIdMonitor:
    """Counts rejected ids, and reports them.

    Args:
        statistics: the counters.
        hook: a synchronous function, called in the request and therefore quick: it records the peer, and throttling is
            done elsewhere. Its exceptions are logged, and the request continues.
    """

    def __init__(self, statistics: SessionStatistics, hook: OnSuspicious | None) -> None:
        self.statistics: SessionStatistics = statistics
        self._hook = hook

    def note(self, suspicion: RejectedId, peer: str | None) -> None:
        """A request from ``peer`` has presented such an id."""
        self._count(suspicion)
        source = peer_class(peer)  # one attacker must not hide another
        if suspicion is RejectedId.UNKNOWN:
            text = "an id was presented that is ended, expired or made up, from %r"
            _log.info("unknown_id", text, peer, source=source)
        else:
            _log.warning(f"{suspicion.value}_id", "%s, from %r", _WORDS[suspicion], peer, source=source)
        if self._hook is not None:
            self._tell(self._hook, suspicion, peer)

    def _count(self, suspicion: RejectedId) -> None:
        match suspicion:
            case RejectedId.MALFORMED:
                self.statistics.malformed_ids += 1
            case RejectedId.CONFLICTING:
                self.statistics.conflicting_ids += 1
            case RejectedId.OVERSIZED:
                self.statistics.oversized_cookies += 1
            case RejectedId.UNKNOWN:
                self.statistics.unknown_ids += 1

    @staticmethod
    def _tell(hook: OnSuspicious, suspicion: RejectedId, peer: str | None) -> None:
        try:
            hook(suspicion, peer)
        except Exception as error:  # noqa: BLE001 - no error of the hook may fail the request
            _log.error("on_suspicious", "the hook on_suspicious raised %s", type(error).__name__)
