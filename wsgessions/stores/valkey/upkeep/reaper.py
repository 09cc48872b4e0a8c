"""The reaper: removes expired sessions from the store (E-4, F-27).

It follows what is due. One script looks at all segments of a server, and tells when the next session will be due there;
until then the reaper rests, for a minute at most. A session with a shorter life than that is told to the reaper of the
process that stored it, which looks in time.

One process at a time does that, the one with a claim in the store; all others rest until its claim ends. A sweep
removes a bounded number of sessions, so that it does not delay requests. The process with the claim also searches for
sessions that no sweep would find, since they are missing in the index (R-28).
"""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
from collections.abc import Iterator, Sequence
from typing import Final

from ....errors import StoreRefused, StoreUnavailable
from ....internal import real_time as time
from ....internal.background import BackgroundTask
from ....internal.jitter import chance
from ....internal.log_throttle import LogThrottle
from ..client.replies import Reply
from ..client.requests import Argument, ScriptCall
from ..diagnostics import StoreDiagnostics
from ..format.segments import Segment
from ..format.session_scripts import DUE, REAP
from ..sender import Sender
from ..sessions.principal_index import PrincipalIndex
from .index_repair import IndexRepair

__all__ = ["LONGEST_REST", "Reaper"]

_log = LogThrottle(logging.getLogger("wsgessions.reaper"))

LONGEST_REST: Final = 60.0
"""Seconds after which the process with the claim looks again, whatever is due: for sessions with a shorter life whose
process died before it could look."""
_CLAIM_INTERVALS: Final = 5
"""The number of intervals for which a claim lasts beyond the next look: then another process takes over."""
_LEAST_INTERVAL: Final = 0.2
"""Seconds that count as the interval of a claim at least."""
_SEGMENTS_PER_SCRIPT: Final = 256
_BATCH: Final = 100
"""Sessions per segment and script: a script blocks all other commands."""
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
        interval: the least number of seconds between two sweeps.
        longest_rest: the largest number.
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
        longest_rest: float = LONGEST_REST,
    ) -> None:
        self.expired: int = 0
        """Expired sessions that this process has removed."""
        self.orphans: int = 0
        """Removed index entries without a session."""
        self.has_claim: bool = False
        """Whether this process had the claim of the first segment at its last look: one of all processes has it."""
        self.rest: float = 0.0
        """Seconds from the last look to the next."""
        self._sender = sender
        self._repair = repair
        self._index = index
        self._diagnostics = diagnostics
        self._grace_ms = grace_ms
        self._interval = interval
        self._longest_rest = max(longest_rest, interval)
        self._margin = max(interval, _LEAST_INTERVAL) * _CLAIM_INTERVALS
        self._node = secrets.token_bytes(8)
        self._task = BackgroundTask("wsgessions reaper", self._run)
        self._left_alone: dict[Segment, int] = {}
        self._wakes_at = math.inf
        self._expected_at = math.inf
        self._earlier = asyncio.Event()

    def start(self) -> None:
        """Start to sweep; does nothing if it is started already."""
        if not self._task.running:
            self._node = secrets.token_bytes(8)  # not before, since a server may fork in between (C-21)
            self._earlier = asyncio.Event()
            self._task.start()

    async def stop(self) -> None:
        """Stop, in the middle of a sweep if necessary; a running script is completed by the store."""
        await self._task.stop()

    def expect(self, life_ms: int) -> None:
        """Look in time for a session that has just been stored, and is due after so many milliseconds.

        Only necessary for a life shorter than the longest rest: the reapers may be at rest for all of it.
        """
        if life_ms < self._longest_rest * 1000:
            self._expected_at = min(self._expected_at, time.monotonic() + (life_ms + self._grace_ms) / 1000)
            self._wake_by(self._expected_at)

    def look_again(self) -> None:
        """Look at once: the store may be another one than before."""
        self._wake_by(0.0)

    def _wake_by(self, instant: float) -> None:
        if instant < self._wakes_at:
            self._wakes_at = instant
            self._earlier.set()

    async def _run(self) -> None:
        while True:
            began, rest = time.monotonic(), 0.0
            try:
                await self.sweep()
                rest = min(self.rest, await self._repair_index()) if self.has_claim else self.rest
            except StoreUnavailable as error:
                _log.warning("sweep_failed", "expired sessions could not be removed, and will be later: %s", error)
            except Exception as error:  # noqa: BLE001 - a reaper that died would fill the store without a sound
                _log.error("sweep_broke", "a sweep for expired sessions failed unexpectedly: %s", type(error).__name__)
            await asyncio.sleep(self._interval * chance.uniform(1.0, 1.3))  # spreads nodes
            await self._sleep(began + rest)

    async def _repair_index(self) -> float:
        """A step of a pass; returns the seconds until the next."""
        return 0.0 if await self._repair.step() else self._repair.rest

    async def _sleep(self, until: float) -> None:
        """Wait until this instant, or that of the earliest expected session."""
        self._wakes_at = min(self._wakes_at, until, self._expected_at)
        while (seconds := self._wakes_at - time.monotonic()) > 0:
            self._earlier.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._earlier.wait()
            except TimeoutError:
                break
        self._wakes_at = math.inf

    async def sweep(self) -> int:
        """Sweep all segments once that no other process has claimed.

        Returns:
            The number of sessions removed.

        Raises:
            StoreUnavailable: the store did not answer. The next sweep finds the remaining sessions.
        """
        before, expected_at = self.expired, self._expected_at
        self.rest = math.inf if self._sender.agreement.segments else 0.0
        # The process with the claim may not know of what is expected here.
        takes_over = expected_at <= time.monotonic()
        if takes_over:
            self._expected_at = math.inf  # a session that is stored from here on may be missed by this look
        try:
            await self._sweep(takes_over=takes_over)
        except StoreUnavailable:
            self._expected_at = min(self._expected_at, expected_at)
            raise
        return self.expired - before

    async def _sweep(self, *, takes_over: bool) -> None:
        groups, broken = list(self._groups()), set[Segment]()
        for _ in range(_BATCHES):
            replies = await self._answers([self._look(group, takes_over=takes_over) for group in groups])
            due = [self._note(group, reply, broken) for group, reply in zip(groups, replies, strict=True)]
            await self._reap({segment: found for each in due for segment, found in each.items()})
            groups = [group for group, each in zip(groups, due, strict=True) if _BATCH in map(len, each.values())]
            if not groups:
                break
        # The answer to this says why there is no list of these.
        await self._answers([(b"ZCOUNT", segment.expiries, b"-inf", b"+inf") for segment in broken])

    def _groups(self) -> Iterator[Sequence[Segment]]:
        """The segments that one script may look at: here all of one server, unless they are very many."""
        segments = tuple(self._sender.agreement.segments or ())
        for i in range(0, len(segments), _SEGMENTS_PER_SCRIPT):
            yield segments[i : i + _SEGMENTS_PER_SCRIPT]

    def _look(self, group: Sequence[Segment], *, takes_over: bool) -> ScriptCall:
        limits = (self._grace_ms, round(self._longest_rest * 1000), round(self._margin * 1000), _BATCH)
        left_alone = (self._left_alone.get(segment, 0) for segment in group)
        keys = (group[0].claim, *(segment.expiries for segment in group))
        return ScriptCall(DUE, keys, (self._node, int(takes_over), *limits, *left_alone))

    def _note(self, group: Sequence[Segment], reply: Reply, broken: set[Segment]) -> dict[Segment, list[bytes]]:
        """The sessions that this node has to remove, by segment; ``broken`` gets those without an index."""
        has_claim: int = reply[0]
        rest_ms: float = reply[1]
        numbers: list[int] = reply[2::2]
        members: list[list[bytes] | None] = reply[3::2]
        if group[0] is next(iter(self._sender.agreement.segments or ()), None):
            self.has_claim = bool(has_claim)
        if not has_claim:
            rest_ms += self._margin * 1000 * chance.uniform(0.0, 0.5)  # spreads nodes
        listed = {group[number]: found for number, found in zip(numbers, members, strict=True)}
        broken.update(segment for segment, found in listed.items() if found is None)
        due = {segment: found for segment, found in listed.items() if found}
        for segment in group if has_claim else ():
            if segment not in due:
                self._left_alone.pop(segment, None)
        self.rest = min(self.rest, 0.0 if due else rest_ms / 1000)
        return due

    async def _reap(self, due: dict[Segment, list[bytes]]) -> None:
        calls = [
            ScriptCall(REAP, (segment.expiries, *map(segment.record_prefix.__add__, found)), (self._grace_ms,))
            for segment, found in due.items()
        ]
        for segment, counts in zip(due, await self._answers(calls), strict=True):
            expired, orphans, unreadable, too_new, bound = counts
            self.expired += expired
            self.orphans += orphans
            self._diagnostics.unreadable += unreadable
            if too_new:
                self._left_alone[segment] = self._left_alone.get(segment, 0) + too_new
            if bound:
                await self._index.leave(zip(bound[::2], bound[1::2], strict=True), self._soon())

    async def _answers(self, commands: Sequence[Sequence[Argument] | ScriptCall]) -> list[Reply]:
        if not commands:
            return []
        replies = await self._sender.link.pipeline(commands, deadline=self._soon())
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        return replies

    def _soon(self) -> float:
        return time.monotonic() + max(self._interval, 1.0)
