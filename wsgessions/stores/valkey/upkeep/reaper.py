"""The reaper: removes expired sessions from the store (E-4, F-27).

Any process may sweep any segment; a claim in the store lets one of them do it at a time. A sweep is spread over its
interval, and removes a bounded number of sessions, so that it does not delay requests. The process with the claim of
the first segment also searches for sessions that no sweep would find, since they are missing in the index (R-28).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Iterator
from typing import Final

from ....errors import StoreRefused, StoreUnavailable
from ....internal.background import BackgroundTask
from ....internal.jitter import chance
from ....internal.log_throttle import LogThrottle
from ..client.replies import Reply
from ..client.requests import ScriptCall
from ..diagnostics import StoreDiagnostics
from ..format.segments import Segment
from ..format.session_scripts import DUE, REAP
from ..sender import Sender
from ..sessions.principal_index import PrincipalIndex
from .index_repair import IndexRepair

__all__ = ["Reaper"]

_log = LogThrottle(logging.getLogger("wsgessions.reaper"))

_CLAIM_INTERVALS: Final = 5
"""The number of intervals after which a claim expires if it is not renewed."""
_SEGMENTS_AT_ONCE: Final = 16
_BATCH: Final = 100
"""Sessions per script: a script blocks all other commands."""
_BATCHES: Final = 5
"""Batches per segment and sweep."""


class Reaper:
    """A background task that deletes sessions which expired longer ago than the store's grace.

    Args:
        sender: of the store to sweep.
        repair: finds sessions that are missing in the index.
        index: the indexes of principals, which expired sessions leave.
        diagnostics: counts unreadable records.
        grace_ms: see `DEFAULT_GRACE`.
        interval: seconds for one sweep of all segments.
    """

    def __init__(
        self,
        sender: Sender,
        repair: IndexRepair,
        index: PrincipalIndex,
        diagnostics: StoreDiagnostics,
        *,
        grace_ms: int,
        interval: float = 1.0,
    ) -> None:
        self.expired: int = 0
        """Expired sessions that this process has removed."""
        self.orphans: int = 0
        """Removed index entries without a session."""
        self._sender = sender
        self._repair = repair
        self._index = index
        self._diagnostics = diagnostics
        self._grace_ms = grace_ms
        self._interval = interval
        self._claim_ms = round(max(interval, 0.2) * 1000 * _CLAIM_INTERVALS)
        self._node = secrets.token_bytes(8)
        self._task = BackgroundTask("wsgessions reaper", self._run)
        self._claimed_by_others: dict[Segment, float] = {}
        self._left_alone: dict[Segment, int] = {}

    def start(self) -> None:
        """Start to sweep; does nothing if it is started already."""
        if not self._task.running:
            self._node = secrets.token_bytes(8)  # not before, since a server may fork in between (C-21)
            self._task.start()

    async def stop(self) -> None:
        """Stop, in the middle of a sweep if necessary; a running script is completed by the store."""
        await self._task.stop()

    async def _run(self) -> None:
        while True:
            try:
                await self.sweep(pace=self._interval)
                if self._is_first():
                    await self._repair.step()
            except StoreUnavailable as error:
                _log.warning("sweep_failed", "expired sessions could not be removed, and will be later: %s", error)
            except Exception as error:  # noqa: BLE001 - a reaper that died would fill the store without a sound
                _log.error("sweep_broke", "a sweep for expired sessions failed unexpectedly: %s", type(error).__name__)
            await asyncio.sleep(self._interval * chance.uniform(0.1, 0.3))  # spreads nodes

    async def sweep(self, *, pace: float = 0.0) -> int:
        """Sweep all segments once that no other process has claimed.

        Args:
            pace: seconds over which to spread it.

        Returns:
            The number of sessions removed.

        Raises:
            StoreUnavailable: the store did not answer. The next sweep finds the remaining sessions.
        """
        before, groups = self.expired, list(self._groups())
        for group in groups:
            await self._sweep_group(group)
            await asyncio.sleep(pace / len(groups))
        return self.expired - before

    def _is_first(self) -> bool:
        """Whether the last sweep got the claim of the first segment, which one of all sweeping processes does."""
        first = next(iter(self._sender.agreement.segments or ()), None)
        return first is not None and first not in self._claimed_by_others

    def _groups(self) -> Iterator[list[Segment]]:
        """The segments without a known claim of another process, a few at a time, in random order."""
        now, segments = time.monotonic(), self._sender.agreement.segments or ()
        mine = [segment for segment in segments if self._claimed_by_others.get(segment, 0.0) <= now]
        begin = chance.randrange(len(mine)) if mine else 0  # spreads nodes
        mine = mine[begin:] + mine[:begin]
        for i in range(0, len(mine), _SEGMENTS_AT_ONCE):
            yield mine[i : i + _SEGMENTS_AT_ONCE]

    async def _sweep_group(self, group: list[Segment]) -> None:
        for _ in range(_BATCHES):
            listed = await self._run_scripts([self._due(segment) for segment in group])
            due = {segment: found for segment, found in zip(group, listed, strict=True) if self._note(segment, found)}
            await self._reap(due)
            group = [segment for segment, members in due.items() if len(members) == _BATCH]
            if not group:
                return

    def _due(self, segment: Segment) -> ScriptCall:
        left_alone = self._left_alone.get(segment, 0)
        args = (self._node, self._claim_ms, self._grace_ms, left_alone, _BATCH)
        return ScriptCall(DUE, (segment.expiries, segment.claim), args)

    def _note(self, segment: Segment, members: list[bytes] | None) -> bool:
        """Whether there is work for this node in the segment."""
        if members is None:
            wait = self._claim_ms / 1000 * chance.uniform(1.0, 1.5)  # spreads nodes
            self._claimed_by_others[segment] = time.monotonic() + wait
            return False
        self._claimed_by_others.pop(segment, None)
        if not members:
            self._left_alone.pop(segment, None)
        return bool(members)

    async def _reap(self, due: dict[Segment, list[bytes]]) -> None:
        calls = [
            ScriptCall(REAP, (segment.expiries, *map(segment.record_prefix.__add__, found)), (self._grace_ms,))
            for segment, found in due.items()
        ]
        for segment, counts in zip(due, await self._run_scripts(calls), strict=True):
            expired, orphans, unreadable, too_new, bound = counts
            self.expired += expired
            self.orphans += orphans
            self._diagnostics.unreadable += unreadable
            if too_new:
                self._left_alone[segment] = self._left_alone.get(segment, 0) + too_new
            if bound:
                await self._index.leave(zip(bound[::2], bound[1::2], strict=True), self._soon())

    async def _run_scripts(self, calls: list[ScriptCall]) -> list[Reply]:
        replies = await self._sender.link.pipeline(calls, deadline=self._soon())
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        return replies

    def _soon(self) -> float:
        return time.monotonic() + max(self._interval, 1.0)
