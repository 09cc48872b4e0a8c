"""Revocations: what a process knows to have ended, it ends again where a failover has brought it back (C-15b).

A replica that is promoted may lack the latest writes, and with them ends of sessions: logouts, and ids that a
login replaced. So each process remembers for the life of a tombstone which keys are dead, and asserts this whenever
another history of the store begins. To end what has ended changes nothing, and where nothing is, nothing is stored.

Of a login that was lost the old id comes back to life, and the new one is unknown. The old one is ended all the same
(S-06): an attacker may know it, and its owner, with only the new one, has to log in again in any case.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from ....cache.lease import lease_clock
from ....errors import RecordTooNew, StoreUnavailable
from ....internal.log_throttle import LogThrottle
from ....internal.own_context import begin_task
from ....record import SessionKey
from ....store.constants import TOMBSTONE_MS
from ..sessions.commit import end_at_primary

if TYPE_CHECKING:
    from ..store import ValkeyStore

__all__ = ["MOST_REVOCATIONS", "Revocations"]

_log = LogThrottle(logging.getLogger("wsgessions.replication"))

MOST_REVOCATIONS: Final = 32_768
"""So many are remembered, about 10 MB; then the oldest go first, which replicas have most surely heard of."""
_BATCH: Final = 64
"""So many are repeated at the same time: requests that come meanwhile wait for no more."""
_ANSWER: Final = 5.0
_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 2.0


class Revocations:
    """The revocations that one store object has seen. Belongs to the event loop of the store."""

    def __init__(self, store: ValkeyStore) -> None:
        self._store = store
        self._until: OrderedDict[SessionKey, float] = OrderedDict()
        self._timeline = b""
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._until)

    def note(self, key: SessionKey) -> None:
        """The store has told that this key is dead for ever."""
        now = lease_clock()
        self._until.pop(key, None)
        self._until[key] = now + TOMBSTONE_MS / 1000
        self._forget(now)
        if len(self._until) > MOST_REVOCATIONS:
            self._until.popitem(last=False)
            _log.info("revocations_full", "more than %d ends are to be remembered; the oldest go", MOST_REVOCATIONS)

    def see_timeline(self, timeline: bytes) -> None:
        """The store is of this history: a replication id (fact 16)."""
        if timeline in (b"", self._timeline):
            return
        self._timeline = timeline
        if self._until and self._task is None:
            self._task = begin_task(self._assert_all(), name="wsgessions revocations")

    async def stop(self) -> None:
        """Leave off. What was seen is remembered, should the store be started again."""
        task, self._task = self._task, None
        if task is not None:
            self._timeline = b""  # it may not be through
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _forget(self, now: float) -> None:
        """Drop those whose tombstones are over; they stand in the order of time."""
        while self._until and next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)

    async def _assert_all(self) -> None:
        timeline = b""
        try:
            while timeline != self._timeline:
                timeline = self._timeline
                self._forget(lease_clock())
                keys = list(reversed(self._until))  # the youngest first: they were lost, if any were
                for i in range(0, len(keys), _BATCH):
                    await self._assert(keys[i : i + _BATCH], timeline)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _assert(self, keys: Sequence[SessionKey], timeline: bytes) -> None:
        """End all of these, or see yet another history begin."""
        pause = _FIRST_PAUSE
        while True:
            done = await asyncio.gather(*map(self._end, keys))
            keys = [key for key, ended in zip(keys, done, strict=True) if not ended and key in self._until]
            if not keys or timeline != self._timeline:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._forget(lease_clock())

    async def _end(self, key: SessionKey) -> bool:
        """Whether it is known to have ended, or never will be."""
        try:
            ended = await end_at_primary(self._store, key, time.monotonic() + _ANSWER)
        except RecordTooNew:
            return True
        except StoreUnavailable as error:
            _log.info("not_asserted", "an end that a failover may have lost could not be repeated yet: %s", error)
            return False
        if ended.existed:
            self._store.trouble.note_revived(key)
        return True
