"""The heartbeat: proves repeatedly that a node's copies are fresh, and lists the node in the store (C-4 to C-6).

One beat is one pipeline on the link that fills the cache:

```
CLIENT INFO                  how many bytes the server has sent: no push since the last beat is missing (C-22)
heartbeat.lua         the keyed write, also of the canary, which this node has tracked since its last beat; the push
                      about that comes right behind the reply, or pushes are being lost (F-13)
CLIENT CACHING YES
MGET canary hint      both are tracked from here on
```

A reply proves more than a live connection: the server may write, so it is the primary; its timeline and its list of
members are those of the beat before; and all that it had pushed until then has arrived, since replies and pushes come
in one order. A barrier, which waits for all nodes, changes the hint, so that they beat at once (C-15).

A node that has not used a session for a while beats more slowly, see `pace`, and its lease may end in between.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from typing import Final

from ....cache.lease import Lease
from ....cache.listener import InvalidationListener
from ....errors import StoreRefused, StoreUnavailable
from ....internal import real_time as time
from ....internal.background import BackgroundTask
from ....internal.jitter import chance
from ....internal.log_throttle import LogThrottle
from ....store.cache_statistics import Loss
from ....store.constants import TRACKED_KEYS
from ..client.replies import Reply
from ..client.requests import ScriptCall
from ..client.script import Script
from ..sender import Sender
from .byte_count import CLIENT_INFO, Verdict
from .members import REPLACED, Members
from .pace import Pace
from .tracking import CACHING_YES, Tracking

__all__ = ["Heartbeat"]

_log = LogThrottle(logging.getLogger("wsgessions.coherence"))

HEARTBEAT: Final = Script.load("heartbeat", "clock", "member_list")
"""Record the presence of a node."""
_BEATS_PER_SWEEP: Final = 32
"""Once in so many beats a node removes inactive members from the list, and reads the size of the tracking table."""
_JITTER: Final = 50e-6
"""Seconds for each member over which the beats for one hint are spread (C-15)."""
_LEAST_PAUSE: Final = 0.002
"""Seconds between a hint and the beat, so that many simultaneous hints cause one beat."""
_SOON: Final = 0.001
"""Seconds between a beat without an exact count and the next; doubled after each in a row."""
_ROLE_LOST: Final = frozenset({"READONLY", "MOVED", "CLUSTERDOWN", "MASTERDOWN"})
"""Errors that show that the connection leads to the wrong server."""


_NEARLY_FULL: Final = 0.9


class Heartbeat:
    """The beats of one store object.

    Args:
        sender: of the store, with the link that they use.
        tracking: of that link.
        members: the list that this node enters.
        cache: called with every renewal and every loss.
        lease: the lease that the cache serves under; only its length and clock are used here.
        see_timeline: called with the replication id of the primary at each beat.
        pace: how often to beat.
        interval: seconds between two beats while sessions are used (the setting `heartbeat`, *h*).
        tracked_keys: how many keys the server can track (the setting `tracking_table_max_keys`); 0 for any number.
    """

    def __init__(
        self,
        sender: Sender,
        tracking: Tracking,
        members: Members,
        cache: InvalidationListener,
        lease: Lease,
        *,
        see_timeline: Callable[[bytes], None],
        pace: Pace,
        interval: float,
        tracked_keys: int = TRACKED_KEYS,
    ) -> None:
        self.node: bytes = b""
        """This node's name in the list of members, drawn at each start (C-21)."""
        self.replicas: int = 0
        """The number of replicas of the primary at the last beat."""
        self._sender = sender
        self._tracking = tracking
        self._list = members
        self._cache = cache
        self._see_timeline = see_timeline
        self._lease = lease
        self._pace = pace
        self._interval = interval
        self._tracked_keys = tracked_keys
        self._task = BackgroundTask("wsgessions heartbeat", self._run)
        self._urgent = 0
        self._acknowledged_ms = 0
        self._timeline: bytes = b""
        self._members = 1
        self._watching = False
        self._canary_seen = False
        self._pushes_arrive = True
        self._counted = True
        self._counted_at = 0.0
        """The sending time of the last evaluated count, by the lease's clock: the lease counts from it."""
        self._uncounted = 0
        """Beats in a row without an exact count."""
        self._replaced = False
        self._beats = 0

    def start(self) -> None:
        """Start to beat; does nothing if it is started already."""
        if not self._task.running:
            self.node, self._acknowledged_ms = secrets.token_bytes(8), 0
            self._task.start()

    async def stop(self) -> None:
        """Stop, and leave the list of members, if the store answers."""
        if not await self._task.stop():
            return
        self._cache.on_refused()
        link, segments = self._sender.link, self._sender.agreement.segments
        if link.connected and segments is not None:
            segment = next(iter(segments))
            try:
                deadline = time.monotonic() + self._interval
                await link.request(b"HDEL", segment.members, self.node, deadline=deadline)
            except StoreUnavailable as error:
                _log.info("not_signed_off", "the list of members keeps this node until its lease is over: %s", error)

    def connect(self) -> None:
        """Reset for a fresh connection, of which no bytes are missing yet."""
        self._counted_at = self._lease.clock()

    def lose(self) -> None:
        """Reset after the end of the connection: no key is tracked any more."""
        self._watching, self._pushes_arrive, self._counted = False, True, True
        self._acknowledged_ms = 0  # data from the next connection may be of another store
        self._cache.statistics.tracking = False

    # Beating

    async def _run(self) -> None:
        while True:
            began = self._lease.clock()
            try:
                await self._beat()
            except StoreUnavailable as error:
                self._cache.on_refused()
                _log.warning("heartbeat_failed", "a heartbeat failed, so nothing is served from memory: %s", error)
            except Exception as error:  # noqa: BLE001 - without beats the cache would be useless for ever, silently
                self._cache.on_refused()
                _log.error("heartbeat_broke", "a heartbeat broke off: %s", type(error).__name__)
            await self._pause(began + self._next_in() - self._lease.clock())

    def _next_in(self) -> float:
        self._uncounted = 0 if self._counted else self._uncounted + 1
        return self._pace.seconds if self._counted else min(_SOON * 2.0**self._uncounted, self._interval)

    async def _pause(self, seconds: float) -> None:
        """Wait until the next beat is due, or one is called for, as by a hint: two beats then, the second confirms the
        first (C-15).
        """
        if self._urgent:
            self._urgent -= 1
            return
        if await self._pace.pause(seconds):
            self._urgent = 1
            await asyncio.sleep(_LEAST_PAUSE + chance.uniform(0, self._members * _JITTER))  # spreads nodes

    async def _beat(self) -> None:
        self._pace.note_hits(self._cache.statistics)
        segment = next(iter(await self._sender.known_segments(time.monotonic() + self._interval)))
        canary = segment.canary_prefix + self.node
        self._tracking.watched = {segment.hint: self._pace.call, canary: self._see_canary}
        self._replaced, self._counted = False, True
        beat = _Beat(self, self._lease.clock(), time.monotonic(), counts=self._tracking.count is not None)
        await self._sender.link.pipeline(
            (
                *((CLIENT_INFO,) if beat.counts else ()),
                ScriptCall(HEARTBEAT, (segment.members, canary), self._arguments()),
                CACHING_YES,
                (b"MGET", canary, segment.hint),
            ),
            deadline=time.monotonic() + max(self._lease.length, self._interval),
            on_reply=beat.take,
        )
        if self._replaced:  # all shared parameters are read again over a fresh connection (C-25)
            self._sender.link.abandon(REPLACED)
        if beat.refused is not None:
            if beat.refused.server_code in _ROLE_LOST:
                self._sender.link.abandon(f"the server is not the primary any more ({beat.refused.server_code})")
            raise beat.refused

    def _arguments(self) -> tuple[bytes | int, ...]:
        sweep, self._beats = self._beats % _BEATS_PER_SWEEP == 0, self._beats + 1
        return self.node, self._acknowledged_ms, round(self._lease.length * 1000), int(sweep)

    def _see_canary(self) -> None:
        self._canary_seen = True

    # In the parser

    def take_refusal(self) -> None:
        """End the lease at once (C-5)."""
        self._cache.statistics.tracking = False
        self._cache.on_refused()

    def take_count(self, info: Reply, sent_at: float) -> None:
        """Handle the reply with the server's byte count."""
        count = self._tracking.count
        if count is not None:
            count.take(info, self._sender.link)
        self._counted = count is not None and count.verdict is not Verdict.UNCOUNTED
        if self._counted:
            self._counted_at = sent_at
        if count is not None and count.verdict is Verdict.MISSING:
            self._lose_pushes("some of the store's invalidations have not arrived; all copies of sessions are dropped")

    def take_beat(self, beat: Reply, sent_at: float) -> None:
        """Handle the reply to the write, sent at this monotonic instant, and the push behind it, if it has come."""
        now_ms, timeline, self.replicas, origin, before_ms = beat[:5]
        self._sender.clock.observe(now_ms, sent_at=sent_at)
        if self._canary_seen and not self._pushes_arrive:
            self._pushes_arrive = True
            self._lose_pushes("the store's invalidations arrive again; copies made meanwhile are dropped")
        elif self._watching and not self._canary_seen:
            self._pushes_arrive = False
            self._lose_pushes("the store's invalidations do not arrive, so nothing is served from memory")
        if timeline != self._timeline:
            if self._timeline:
                _log.warning("timeline", "another primary has taken over; all copies of sessions are dropped")
                self._cache.on_lost(Loss.TIMELINE)
            self._timeline = timeline
        if self._list.is_replaced(origin) or before_ms < self._acknowledged_ms:
            _log.warning("replaced", f"{REPLACED}; all copies are dropped")
            self._replaced = True
            self._cache.on_lost(Loss.REPLACED)
        if self._counted:  # only then has all been heard that was pushed before, which a barrier waits for
            self._acknowledged_ms = now_ms
        self._see_timeline(timeline)
        if len(beat) > 5:
            self._members, keys, items = beat[5:]
            self._see_table(keys, items)

    def _lose_pushes(self, what: str) -> None:
        """Drop the copies: those cached since the last proof that pushes arrive may stay stale (C-22)."""
        _log.error("pushes_lost", what)
        self._cache.on_lost(Loss.PUSHES_LOST)

    def _see_table(self, keys: int, items: int) -> None:
        """Warn before the table is full: the server then drops keys at random, and reports them as changed (fact
        10).
        """
        statistics = self._cache.statistics
        statistics.tracked_keys, statistics.tracked_items = keys, items
        if self._tracked_keys and keys >= _NEARLY_FULL * self._tracked_keys:
            _log.warning(
                "tracking_table",
                "the store tracks %d sessions for all servers, of at most %d; beyond that copies are dropped early: "
                "raise its tracking-table-max-keys, and tracking_table_max_keys here, or lower max_bytes_on_heap",
                keys,
                self._tracked_keys,
            )

    def take_watch(self, allowed: Reply, sent_at: float) -> None:
        """Handle the replies that end a beat: canary and hint are tracked again."""
        self._watching, self._canary_seen = allowed == b"OK", False
        self._cache.statistics.tracking = self._watching and self._pushes_arrive
        if self._cache.statistics.tracking and not self._replaced:
            self._cache.on_heartbeat(sent_at if self._tracking.count is None else self._counted_at)


class _Beat:
    """Handles the replies to one beat, also when it is sent again."""

    __slots__ = ("_heartbeat", "_replies", "_sent_at", "_sent_monotonic", "counts", "refused")

    def __init__(self, heartbeat: Heartbeat, sent_at: float, sent_monotonic: float, *, counts: bool) -> None:
        self.counts: bool = counts
        """Whether it begins with a count of bytes."""
        self.refused: StoreRefused | None = None
        self._heartbeat = heartbeat
        self._sent_at = sent_at
        self._sent_monotonic = sent_monotonic
        self._replies: list[Reply] = []

    def take(self, reply: Reply) -> None:
        if not self._replies:
            self.refused = None
            if self.counts:
                self._heartbeat.take_count(reply, self._sent_at)
        self._replies.append(reply)
        if isinstance(reply, StoreRefused):
            self.refused = reply
            self._heartbeat.take_refusal()
        done = len(self._replies) - self.counts
        if done == 2 and self.refused is None:  # the push comes between the two
            self._heartbeat.take_beat(self._replies[-2], self._sent_monotonic)
        elif done == 3:
            allowed, self._replies = self._replies[-2], []
            if self.refused is None:
                self._heartbeat.take_watch(allowed, self._sent_at)
