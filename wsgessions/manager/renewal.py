"""Which ids have served long enough (S-07)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from ..identity import Identity
from ..session import Session
from ..settings import SessionSettings
from ..stores.base import Store

__all__ = ["Renewal"]

_MILLISECOND: Final = timedelta(milliseconds=1)


class Renewal:
    """Decides whether a response gives its client a new id.

    Args:
        settings: `renew_interval` and `renew_grace`.
        identity: makes store keys of ids.
        store: tells the time. It may get another clock, with another event loop or after a fork.
    """

    def __init__(self, settings: SessionSettings, identity: Identity, store: Store) -> None:
        interval = settings.renew_interval
        self.grace_ms: Final = settings.renew_grace_ms
        """For so long the old id leads to the new one."""
        self._interval_ms = None if interval is None else interval // _MILLISECOND
        self._identity = identity
        self._store = store

    def due(self, session: Session) -> bool:
        """Whether the id of a session that was looked at is older than the interval.

        Not if the client presented an id that was renewed a moment ago: another response has told it the new one.
        """
        record = session._record
        if self._interval_ms is None or record is None or session._id is None or not session.accessed:
            return False
        if session._successor is not None or self._store.clock.now_ms() < self._due_ms(
            record.created_ms, record.rotated
        ):
            return False
        return self._identity.key(session._id) == record.key

    def _due_ms(self, created_ms: int, rotated: int) -> int:
        return max(created_ms, rotated // 1000) + (self._interval_ms or 0)
