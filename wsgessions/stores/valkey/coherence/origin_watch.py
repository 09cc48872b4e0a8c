"""Detects for a process without copies that the store was emptied, swapped or replaced (C-25).

A process with copies detects it by its heartbeat. This task reads as often (see `pace`), and only the time since when
the list of members has been kept. The answers also keep the estimate of the store's time accurate (C-16, C-20).
"""

from __future__ import annotations

import logging

from ....errors import StoreUnavailable
from ....internal import real_time as time
from ....internal.background import BackgroundTask
from ....internal.log_throttle import LogThrottle
from ..sender import Sender
from .members import REPLACED, Members
from .pace import Pace

__all__ = ["OriginWatch"]

_log = LogThrottle(logging.getLogger("wsgessions.coherence"))


class OriginWatch:
    """A background task of one store object.

    Args:
        sender: of the store; its link is closed when the list of members differs from the previous one.
        members: the list.
        pace: how often to check.
    """

    def __init__(self, sender: Sender, members: Members, *, pace: Pace) -> None:
        self._sender = sender
        self._members = members
        self._pace = pace
        self._task = BackgroundTask("wsgessions origin", self._run)

    def start(self) -> None:
        """Start; does nothing if it is started already."""
        if not self._task.running:
            self._task.start()

    async def stop(self) -> None:
        """Stop."""
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            await self._pace.pause(self._pace.seconds)
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.info("origin_unknown", "the origin of the store could not be read: %s", error)
            except Exception as error:  # noqa: BLE001 - a watch that died would leave a swapped store unnoticed for ever
                _log.error(
                    "origin_watch_broke", "a check of the list of members failed unexpectedly: %s", type(error).__name__
                )

    async def look(self) -> None:
        """Check once.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        sender, sent_at = self._sender, time.monotonic()
        link, generation = sender.link, sender.link.generation
        listed = await self._members.list(hint=False, deadline=sent_at + max(self._pace.seconds, 1.0))
        if generation != link.generation:
            return  # the answer may be of the previous store
        sender.clock.observe(listed.now_ms, sent_at=sent_at)
        if self._members.is_replaced(listed.origin_ms):
            _log.warning("replaced", f"{REPLACED}; what is shared is read again")
            link.abandon(REPLACED)
