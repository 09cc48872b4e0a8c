"""Finds out that browsers present sessions of another application, or of another store, under the cookie of this one.

Two applications of one host with the same cookie end each other's sessions: each finds the id of the other unknown, and
replaces it. The watermark shows it. Servers of one namespace, or with the same `secrets`, accept the watermarks of each
other, so a browser with an unknown id and an accepted watermark that was made a moment ago has a session somewhere. If
this store has had none under that id, not even an ended one, the session is not one of this application.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Final

from ..errors import StoreUnavailable
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..record import SessionKey
from ..settings import SessionSettings
from ..store.capabilities import HistoryCheck, find_capability
from ..store.contract import Store

__all__ = ["ForeignSessions"]

_log = LogThrottle(logging.getLogger("wsgessions.suspicion"), interval=3600.0)

_RECENT_US: Final = 60_000_000
"""Microseconds: a session whose latest change is older may have expired without a trace."""
_ENOUGH: Final = 3
_WINDOW: Final = 600.0
"""Seconds within which so many show that it is no accident: a client can make up an id beside its own watermark."""


class ForeignSessions:
    """The observation of one manager.

    Args:
        store: the store; one that cannot tell what it has had leaves this without effect.
        settings: the settings, of which the idle timeout and names for the text are used.
    """

    def __init__(self, store: Store, settings: SessionSettings) -> None:
        self._store = store
        self._history = find_capability(store, HistoryCheck)
        self._settings = settings
        self._recent_us = min(_RECENT_US, settings.interval_ms * 1000 or _RECENT_US)
        self._began = 0.0
        self._number = 0

    async def look(self, key: SessionKey, seen_us: int, *, deadline: float) -> None:
        """A client with an accepted watermark has presented an id that the store does not know.

        Args:
            key: of the presented id.
            seen_us: the version in the watermark.
            deadline: see `Store`.
        """
        if self._history is None or self._store.clock.now_ms() * 1000 - seen_us > self._recent_us:
            return
        with suppress(StoreUnavailable):  # nothing depends on the answer, and the next use of the store reports it
            if await self._history.never_had(key, since_us=seen_us, deadline=deadline):
                self._count()

    def _count(self) -> None:
        now, settings = time.monotonic(), self._settings
        if now - self._began > _WINDOW:
            self._began, self._number = now, 0
        self._number += 1
        if self._number >= _ENOUGH:
            _log.warning(
                "foreign_session",
                "browsers present sessions in the cookie %s that the application %s has never had. If another "
                "application of this host has that cookie, give each a cookie.name of its own (the default has the "
                "context_path); else give all servers of this one the same store_url, namespace and context_path",
                settings.cookie.name,
                settings.context_path,
            )
