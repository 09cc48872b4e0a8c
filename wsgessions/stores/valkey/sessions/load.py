"""One read of one session: its commands, and its answer, which is evaluated as it is parsed (C-2, C-16)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from ....errors import StoreRefused
from ....record import Seen, SessionChanges, SessionKey, SessionRecord
from ....record.clock import StoreClock
from ..client.replies import Reply
from ..client.requests import Argument, Packer, PipelineRequest, ScriptCall
from ..coherence.revocations import Revocations
from ..coherence.tracking import CACHING_YES, Tracking
from ..format import scripts
from ..format.forward import Redirect, state_in
from ..format.metadata import ScriptStatus
from ..format.segments import Segment
from ..format.session_scripts import LOAD
from ..sender import Sender
from .former_ids import FormerIds
from .touch import Uses

__all__ = ["Loads", "Reading"]


class Loads:
    """The reads of single sessions of one store object.

    Args:
        sender: of the store.
        tracking: of its link.
        uses: adds a session to its index again.
        former_ids: keeps an id that was renewed, and is still used.
        revocations: gets the reasons why records were not used.
    """

    def __init__(
        self,
        sender: Sender,
        tracking: Tracking,
        uses: Uses,
        former_ids: FormerIds,
        revocations: Revocations,
    ) -> None:
        self._sender = sender
        self._tracking = tracking
        self._uses = uses
        self._former_ids = former_ids
        self._revocations = revocations

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float
    ) -> SessionRecord | SessionChanges | None:
        """Read a session; see `Store.load`."""
        found = await self._read(key, since, deadline)
        if isinstance(found, Redirect):  # one step at most
            there = self._read(found.key, None, deadline)
            found, _ = await asyncio.gather(there, self._former_ids.keep_forward(key, found, deadline))
        return None if isinstance(found, Redirect) else found

    async def _read(
        self, key: SessionKey, since: Seen | None, deadline: float
    ) -> SessionRecord | SessionChanges | Redirect | None:
        segment = await self._sender.segment(key, deadline)
        reading = self._reading(key, segment, since, deadline, tracking=self._tracking if since is None else None)
        await self._sender.ask(reading)
        while reading.void:
            await self._sender.ask(reading)
        found = reading.found
        if isinstance(found, StoreRefused):
            raise found
        if isinstance(found, ScriptStatus):
            self._revocations.note_status(found, key)
            return None
        if reading.unindexed:
            await self._uses.touch([key], deadline)
        return found

    async def audit(self, key: SessionKey, deadline: float) -> None:
        """Read a session for the cache to compare; see `Feeding.audit`."""
        segment, cache = await self._sender.segment(key, deadline), self._tracking.cache
        reading = self._reading(key, segment, None, deadline, tracking=None)

        def compare() -> None:
            if cache is not None and not isinstance(reading.found, StoreRefused):
                cache.audited(key, reading.found if isinstance(reading.found, SessionRecord) else None)

        reading.on_found = compare
        await self._sender.ask(reading)

    def _reading(
        self, key: SessionKey, segment: Segment, since: Seen | None, deadline: float, *, tracking: Tracking | None
    ) -> Reading:
        clock = self._sender.clock
        return Reading(deadline=deadline, key=key, segment=segment, since=since, tracking=tracking, clock=clock)


class Reading(PipelineRequest, kw_only=True, eq=False):
    """The request of a session, whole or of its changes since a known state. Its answer is evaluated as it is parsed.

    If it is sent again, it rests on what is cached by then: data from a lost link is invalid.
    """

    key: SessionKey
    segment: Segment
    since: Seen | None
    """The state that the caller holds."""
    tracking: Tracking | None
    """If given, the answer is stored in its cache, and a cached state saves reading the whole."""
    clock: StoreClock
    """Updated with the store's time."""
    found: SessionRecord | SessionChanges | Redirect | ScriptStatus | StoreRefused | None = None
    """The answer: None for an expired session, a `StoreRefused` if the server sent an error."""
    unindexed: bool = False
    """Whether the session is missing in the index of its segment (R-28)."""
    void: bool = False
    """Whether it has to be repeated: the cached state that it is based on was dropped before the answer came."""
    on_found: Callable[[], None] | None = None
    """Called by the parser after the answer."""
    commands: Sequence[Sequence[Argument] | ScriptCall] = ()
    base: SessionRecord | None = None
    """The cached state that the sending is based on."""
    generation: int = 0
    """That of the cache when it was sent."""

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        tracking, record = self.tracking, self.segment.record(self.key)
        self.base, self.generation = (None, 0) if tracking is None else (tracking.held(self.key), tracking.generation)
        seen = self.since if self.base is None else self.base.seen
        # Time and score are read apart: a tracked read must subscribe to nothing but the record (C-3b).
        self.commands = (
            (b"TIME",),
            (b"ZSCORE", self.segment.expiries, self.key.digest),
            *((CACHING_YES,) if tracking is not None and tracking.on else ()),
            (b"HGETALL", record) if seen is None else ScriptCall(LOAD, (record,), (scripts.pack_seen(seen),)),
        )
        return super().pack(packer, whole=whole)

    def take(self, reply: Reply) -> bool:
        """See `PendingRequest.take`."""
        self.replies.append(reply)
        if len(self.replies) != len(self.commands):
            return False
        self.found = self._parse_replies(*self.replies)
        if self.on_found is not None:
            self.on_found()
        self.answer(self.replies)
        return True

    def _parse_replies(
        self, clock: Reply, score: Reply, *found: Reply
    ) -> SessionRecord | SessionChanges | Redirect | ScriptStatus | StoreRefused | None:
        for reply in (clock, score):
            if isinstance(reply, StoreRefused):
                return reply
        now_ms = scripts.milliseconds(clock)
        self.clock.observe(now_ms, sent_at=self.sent_at)
        read = _read(self.key, found[-1], now_ms, scripts.instant(score))
        if isinstance(read, StoreRefused):
            return read
        alive = isinstance(read, tuple) and min(read[0].expires_ms, read[1]) > now_ms
        session = self._completed(read[0]) if alive and isinstance(read, tuple) else None
        if self.tracking is not None:
            record = session if isinstance(session, SessionRecord) else None
            self.tracking.note_record(self.key, record, tracked=found[0] == b"OK")
        self.unindexed = session is not None and score is None
        return read if isinstance(read, ScriptStatus | Redirect) else session

    def _completed(self, session: SessionRecord | SessionChanges) -> SessionRecord | SessionChanges | None:
        if self.base is None or self.tracking is None or isinstance(session, SessionRecord):
            return session
        self.void = self.generation != self.tracking.generation
        return None if self.void else self.base.merged(session)


def _read(
    key: SessionKey, found: Reply, now_ms: int, score: int | None
) -> tuple[SessionRecord | SessionChanges, int] | Redirect | ScriptStatus | StoreRefused:
    """The session in the answer to the read of a record, with its absolute deadline."""
    if isinstance(found, StoreRefused):
        return ScriptStatus.UNREADABLE if found.server_code == "WRONGTYPE" else found
    if isinstance(found, Mapping):
        return _whole(key, found, now_ms, score)
    status, *parts = found
    if status:
        return ScriptStatus(status)
    if len(parts) == 1:
        return _whole(key, scripts.as_fields(parts[0]), now_ms, score)
    version, interval_ms, deadline_ms, idle_end, changed, live, lineage = parts
    ends = idle_end if score is None else score
    try:
        return scripts.read_changes(version, interval_ms, ends, changed, live, lineage=lineage), deadline_ms
    except ValueError:
        return ScriptStatus.UNREADABLE


def _whole(
    key: SessionKey, fields: Mapping[bytes, bytes], now_ms: int, score: int | None
) -> tuple[SessionRecord, int] | Redirect | ScriptStatus:
    state = state_in(key, fields, score, now_ms)
    return (state, state.deadline_ms) if isinstance(state, SessionRecord) else state
