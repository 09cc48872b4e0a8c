"""Revocations: a process ends sessions again that it knows to have ended, and that a failover may have brought back
(C-15b).

A replica that is promoted may lack the latest writes, and with them ends of sessions: logouts, and ids that a login
replaced. So each process remembers ended keys for the life of a tombstone, and ends them again whenever a new timeline
of the store begins. This changes nothing for an ended session, and stores nothing for a missing one.

If a login was lost, the old id becomes valid again, and the new one is unknown. The old one is ended all the same
(S-06): an attacker may know it, and the user, with only the new one, has to log in again in any case.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ....cache.lease import lease_clock
from ....errors import RecordTooNew, StoreUnavailable
from ....internal import real_time as time
from ....internal.log_throttle import LogThrottle
from ....internal.own_context import begin_task
from ....record import SessionKey
from ....store.constants import TOMBSTONE_MS
from ..diagnostics import StoreDiagnostics
from ..format.metadata import ScriptStatus

__all__ = ["MOST_REVOCATIONS", "Revocations"]

_log = LogThrottle(logging.getLogger("wsgessions.replication"))

MOST_REVOCATIONS: Final = 32_768
"""The number of remembered revocations, about 10 MB; beyond it the oldest are dropped first, which most likely have
reached the replicas."""
_BATCH: Final = 64
"""The number of simultaneous repetitions: requests that come meanwhile wait for at most so many."""
_ANSWER: Final = 5.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Revocations:
    """The revocations that one store object has seen. Belongs to the event loop of the store.

    Args:
        end: ends a session at the primary, before a deadline; returns whether there was one.
        diagnostics: counts what is recorded.
    """

    def __init__(self, end: Callable[[SessionKey, float], Awaitable[bool]], diagnostics: StoreDiagnostics) -> None:
        self._end = end
        self._diagnostics = diagnostics
        self._until: OrderedDict[SessionKey, float] = OrderedDict()
        self._timeline = b""
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._until)

    def note(self, key: SessionKey) -> None:
        """Remember that this key has ended for ever, as returned by the store."""
        now = lease_clock()
        self._until.pop(key, None)
        self._until[key] = now + TOMBSTONE_MS / 1000
        self._forget(now)
        if len(self._until) > MOST_REVOCATIONS:
            self._until.popitem(last=False)
            _log.info(
                "revocations_full", "there are more than %d ends to remember; the oldest are dropped", MOST_REVOCATIONS
            )

    def note_status(self, status: ScriptStatus, key: SessionKey) -> None:
        """Record why a read found no session under this key; remember the key if it has ended for ever.

        Raises:
            RecordTooNew: see `StoreDiagnostics.note`.
        """
        self._diagnostics.note(status, key)
        if status is ScriptStatus.REVOKED:
            self.note(key)

    def see_timeline(self, timeline: bytes) -> None:
        """Set the present timeline of the store: its replication id (fact 16)."""
        if timeline in (b"", self._timeline):
            return
        self._timeline = timeline
        if self._until and self._task is None:
            self._task = begin_task(self._assert_all(), name="wsgessions revocations")

    async def stop(self) -> None:
        """Stop. Revocations stay remembered, in case the store is started again."""
        task, self._task = self._task, None
        if task is not None:
            self._timeline = b""  # it may not be finished
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _forget(self, now: float) -> None:
        """Drop revocations with expired tombstones; they are in the order of time."""
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)

    async def _assert_all(self) -> None:
        timeline = b""
        try:
            while timeline != self._timeline:
                timeline = self._timeline
                self._forget(lease_clock())
                keys = list(reversed(self._until))  # the newest first: they are the most likely to be lost
                for i in range(0, len(keys), _BATCH):
                    await self._assert(keys[i : i + _BATCH], timeline)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _assert(self, keys: Sequence[SessionKey], timeline: bytes) -> None:
        """End all of these again, or stop when another timeline begins."""
        pause = _FIRST_PAUSE
        while True:
            done = await asyncio.gather(*map(self._end_again, keys))
            keys = [key for key, ended in zip(keys, done, strict=True) if not ended and key in self._until]
            if not keys or timeline != self._timeline:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._forget(lease_clock())

    async def _end_again(self, key: SessionKey) -> bool:
        """Whether it is known to have ended, or never will be."""
        try:
            existed = await self._end(key, time.monotonic() + _ANSWER)
        except RecordTooNew:
            return True
        except StoreUnavailable as error:
            _log.info("not_asserted", "an end that a failover may have lost could not be repeated yet: %s", error)
            return False
        if existed:
            self._diagnostics.note_revived(key)
        return True
