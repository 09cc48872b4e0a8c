"""Replica acknowledgements: waits until replicas have the changes that the primary has acknowledged (C-15b).

``WAIT`` blocks its connection, and covers earlier writes of other connections (fact 15). So one small connection beside
the link works in rounds while a caller waits: it writes, and waits for the replicas to confirm that. A round covers all
changes that were acknowledged before it began, so their callers share it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final, NamedTuple

from ....errors import StoreRefused, StoreUnavailable
from ....internal import real_time as time
from ....internal.log_throttle import LogThrottle
from ....internal.own_context import begin_task
from ....store.address import Address
from ....store.contract import NEVER
from ..client.link import Link
from ..client.requests import ScriptCall
from ..client.script import Script
from ..sender import Sender

__all__ = ["Fence"]

_log = LogThrottle(logging.getLogger("wsgessions.replication"))

FENCE: Final = Script.load("fence")
"""Write a key, and return the replication id."""
_ROUND: Final = 0.25
"""The longest ``WAIT`` in seconds; a caller that still waits then is part of the next round."""
_ANSWER: Final = 1.0
"""Seconds beyond that for its answer, and for a connection if there is none."""


class _Waiter(NamedTuple):
    timeline: bytes
    replicas: int
    passed: asyncio.Future[bool]

    def judge(self, timeline: bytes, replicas: int) -> bool:
        """Resolve the waiter if a round with this outcome covers it; returns whether it does."""
        reached = replicas >= self.replicas
        if not self.passed.done() and (reached or timeline != self.timeline):
            self.passed.set_result(reached and timeline == self.timeline)
        return self.passed.done()


class Fence:
    """Belongs to the event loop of its store. Connects at its first use, to the server of the store's link.

    Args:
        sender: of the store.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._link: Link | None = None
        self._beside = 0
        self._waiting: list[_Waiter] = []
        self._task: asyncio.Task[None] | None = None

    async def passed(self, timeline: bytes, replicas: int, *, deadline: float) -> bool:
        """Wait until replicas have all changes that the primary acknowledged before this call.

        Args:
            timeline: the replication id of the acknowledgement. Confirmations of another timeline do not count.
            replicas: the required number of replicas.
            deadline: see `Store`.

        Returns:
            Whether they have confirmed. If not, for any reason, the result is unknown: they may have the changes.
        """
        waiter = _Waiter(timeline, replicas, asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        if self._task is None:
            self._task = begin_task(self._run(), name="wsgessions fence")
        try:
            async with asyncio.timeout(None if deadline == NEVER else max(0.0, deadline - time.monotonic())):
                return await waiter.passed
        except TimeoutError:
            return False

    async def close(self) -> None:
        """Close the connection; callers that still wait get False."""
        task, link = self._task, self._link
        self._task = self._link = None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if link is not None:
            await link.close()

    async def _run(self) -> None:
        group: list[_Waiter] = []
        try:
            while self._waiting:
                group, self._waiting = [each for each in self._waiting if not each.passed.done()], []
                timeline, replicas = await self._round(max((each.replicas for each in group), default=0))
                self._waiting += [each for each in group if not each.judge(timeline or each.timeline, replicas)]
        finally:
            for each in (*group, *self._waiting):
                each.judge(b"", 0)
            self._waiting.clear()
            self._task = None

    async def _round(self, replicas: int) -> tuple[bytes, int]:
        """The replication id of the write, empty if unknown, and the number of replicas that have confirmed it."""
        if not replicas:
            return b"", 0
        deadline = time.monotonic() + _ROUND + _ANSWER
        wait = (b"WAIT", replicas, round(_ROUND * 1000))
        try:
            segment = next(iter(await self._sender.known_segments(deadline)))
            answers = await self._at_primary().pipeline((ScriptCall(FENCE, (segment.fence,)), wait), deadline=deadline)
        except StoreUnavailable as error:
            _log.info("fence_interrupted", "acknowledgements could not be read; retrying: %s", error)
            return b"", 0
        for answer in answers:
            if isinstance(answer, StoreRefused):
                _log.warning("fence_refused", "acknowledgements of replicas cannot be read: %s", answer)
                return b"refused", 0
        return answers[0], answers[1]

    def _at_primary(self) -> Link:
        if self._link is None:
            self._link = Link(self._locate, name="wsgessions-fence")
        elif self._beside != self._sender.link.generation:
            self._link.abandon("the store's link was made anew, perhaps to another server")
        self._beside = self._sender.link.generation
        return self._link

    async def _locate(self) -> Address:
        address = self._sender.link.address
        if address is None:
            raise StoreUnavailable("the store is not connected")
        return await address.with_credentials()
