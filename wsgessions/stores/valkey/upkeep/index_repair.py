"""Adds sessions that are missing in an index again, and removes entries without a session (R-28, T-13).

A session without an entry is neither counted nor ever reaped; use repairs it, and this repairs unused ones. An entry of
a principal's index remains if a process dies in the middle of a login or a logout (E-9).

All records and indexes of the application are checked in slow passes, one after the other. `SCAN` lists them in
batches; each record is looked up in the index, and only missing ones are checked by a script.
"""

from __future__ import annotations

import logging
import math
import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain
from typing import Final

from ....errors import StoreRefused
from ....internal import real_time as time
from ....internal.log_throttle import LogThrottle
from ..client.replies import Reply
from ..client.requests import Argument, ScriptCall
from ..diagnostics import StoreDiagnostics
from ..format.segments import Segment
from ..format.session_scripts import REINDEX
from ..sender import Sender
from .principal_repair import PrincipalRepair

__all__ = ["IndexRepair"]

_log = LogThrottle(logging.getLogger("wsgessions.reaper"))

_PERIOD: Final = 45.0
"""Seconds from the beginning of a pass to that of the next, or half the idle timeout if that is less."""
_LEAST_PERIOD: Final = 1.0
_KEYS_PER_SCAN: Final = 500
"""The number of keys, of any application, that the server scans before it serves other clients again."""
_SCANS: Final = 6
"""Scans per step, with one step a second; more if a pass would take longer than the idle timeout."""
_RECORDS_PER_SCRIPT: Final = 100

_PASSES_FOR_PRINCIPALS: Final = 10
"""One of so many passes also checks that the indexes of principals are complete, without entries that have no session.
The first two passes over a new connection do as well: the server may have lost data then, also of a login at that
moment (E-9, F-17). If so many passes take longer than half the idle timeout, the number is smaller (T-13)."""
_KEYS: Final = re.compile(r"keys=(\d+)")

_BEGIN: Final = b"0"
"""The cursor before and after a pass."""
_DIGEST_SIZE: Final = 16
_PATIENCE: Final = 1.0


class IndexRepair:
    """Repeated passes over the records of a store's application, a step at a time.

    Args:
        sender: of the store to repair.
        principals: repairs the indexes of principals.
        diagnostics: counts the sessions that were missing.
        idle_timeout: the application's idle timeout in seconds; 0 for none.
    """

    def __init__(
        self, sender: Sender, principals: PrincipalRepair, diagnostics: StoreDiagnostics, *, idle_timeout: float = 0.0
    ) -> None:
        self._sender = sender
        self._principal_repair = principals
        self._diagnostics = diagnostics
        half = idle_timeout / 2 or math.inf
        self._period = max(_LEAST_PERIOD, min(_PERIOD, half))
        between = min(half, _PERIOD * _PASSES_FOR_PRINCIPALS)
        self._passes_for_principals = max(1, math.floor(between / self._period))
        self._longest_pass = max(between, _LEAST_PERIOD)
        self._scans = _SCANS
        self._segments: dict[bytes, Segment] = {}
        self._principals: set[bytes] = set()
        self._pattern = b""
        self._cursor = _BEGIN
        self._generation = 0
        self._due = -math.inf
        self._passes = 0
        self._for_principals = False
        self._once_more = False
        """Whether the next pass checks principals too, regardless of its number."""

    async def step(self) -> bool:
        """Check a bounded number of keys, unless the next pass is not due yet.

        Returns:
            Whether the pass continues with the next step.

        Raises:
            StoreUnavailable: the store did not answer; the next step repeats the check.
        """
        if self._cursor == _BEGIN and not await self._begins():
            return False
        try:
            for _ in range(self._scans):
                await self._look()
                if self._cursor == _BEGIN:
                    return False
        except StoreRefused as error:
            self._cursor = _BEGIN
            _log.warning("repair_refused", "sessions missing in the index cannot be looked for: %s", error)
        return self._cursor != _BEGIN

    @property
    def rest(self) -> float:
        """Seconds until the next pass is due."""
        return max(0.0, self._due - time.monotonic())

    async def _begins(self) -> bool:
        now, segments = time.monotonic(), self._sender.agreement.segments
        if segments is None or (now < self._due and self._generation == self._sender.link.generation):
            return False
        self._due = now + self._period
        self._passes += 1
        self._for_principals = self._once_more or self._passes % self._passes_for_principals == 0
        self._scans = await self._needed_scans()
        self._once_more = False
        self._segments = {segment.record_prefix: segment for segment in segments}
        self._principals = {segment.principals_prefix for segment in segments}
        # The tag of a segment is letters and digits, and the namespace has none of the pattern's own characters.
        application = next(iter(self._segments)).rpartition(b"{")[0]
        self._pattern = application + b"{*}:[ps]:*"
        return True

    async def _needed_scans(self) -> int:
        """The number of scans in a step that completes a pass in time, for any number of keys."""
        told = await self._sender.link.request(b"INFO", b"keyspace", deadline=_soon())
        keys = sum(map(int, _KEYS.findall(told.decode())))
        return max(_SCANS, math.ceil(keys / _KEYS_PER_SCAN / self._longest_pass))

    async def _look(self) -> None:
        link = self._sender.link
        if self._generation != link.generation:  # perhaps another server, for which the cursor is invalid
            self._cursor, self._generation = _BEGIN, link.generation
            self._for_principals = self._once_more = True
        scan: Sequence[Argument] = (b"SCAN", self._cursor, b"MATCH", self._pattern, b"COUNT", _KEYS_PER_SCAN)
        cursor, names = await link.request(*scan, deadline=_soon())
        found = self._by_segment(names)
        await self._repair(found)
        if self._for_principals:
            self._diagnostics.note_reindexed(await self._principal_repair.repair(chain(*found.values())))
            await self._principal_repair.drop_orphans(filter(self._is_index, names))
        self._cursor = cursor

    def _is_index(self, name: bytes) -> bool:
        """Whether this is the index of a principal."""
        return name[:-_DIGEST_SIZE] in self._principals

    def _by_segment(self, names: Sequence[bytes]) -> dict[Segment, list[bytes]]:
        """The names of records; other keys that match the pattern are not ours."""
        found: defaultdict[Segment, list[bytes]] = defaultdict(list)
        for name in names:
            segment = self._segments.get(name[:-_DIGEST_SIZE])
            if segment is not None:
                found[segment].append(name)
        return found

    async def _repair(self, found: dict[Segment, list[bytes]]) -> None:
        lookups = [
            (b"ZMSCORE", segment.expiries, *(name[-_DIGEST_SIZE:] for name in names))
            for segment, names in found.items()
        ]
        missing = [
            (segment, [name for name, score in zip(names, scores, strict=True) if score is None])
            for (segment, names), scores in zip(found.items(), await self._ask(lookups), strict=True)
        ]
        calls = [
            ScriptCall(REINDEX, (segment.expiries, *names[i : i + _RECORDS_PER_SCRIPT]))
            for segment, names in missing
            for i in range(0, len(names), _RECORDS_PER_SCRIPT)
        ]
        self._diagnostics.note_reindexed(sum(await self._ask(calls)))

    async def _ask(self, commands: Sequence[Sequence[Argument] | ScriptCall]) -> list[Reply]:
        replies = await self._sender.link.pipeline(commands, deadline=_soon())
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        return replies


def _soon() -> float:
    return time.monotonic() + _PATIENCE
