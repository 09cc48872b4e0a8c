"""One read of one session: its commands, and its answer, which is evaluated as it is parsed (C-2, C-16)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import TYPE_CHECKING

from ....errors import StoreRefused
from ....record import Seen, SessionChanges, SessionKey, SessionRecord
from ....record.clock import StoreClock
from ..client.commands import Argument, ScriptCall
from ..client.replies import Reply
from ..coherence.tracking import CACHING_YES, Tracking
from ..format import scripts
from ..format.forward import Redirect, state_in
from ..format.metadata import ScriptStatus
from ..format.segments import Segment
from ..format.session_scripts import LOAD

if TYPE_CHECKING:
    from ..store import ValkeyStore

__all__ = ["Reading", "audit"]


class Reading:
    """A read of a session, whole or of the changes since a known state.

    Args:
        key: the session.
        segment: its segment.
        since: the state that the caller holds.
        tracking: if given, the answer is stored in its cache, and a cached state saves reading the whole.
        clock: updated with the store's time.
    """

    __slots__ = (
        "_base",
        "_clock",
        "_commands",
        "_generation",
        "_key",
        "_replies",
        "_sent_at",
        "_tracking",
        "found",
        "unindexed",
        "void",
    )

    def __init__(
        self, key: SessionKey, segment: Segment, since: Seen | None, tracking: Tracking | None, clock: StoreClock
    ) -> None:
        self.found: SessionRecord | SessionChanges | Redirect | ScriptStatus | StoreRefused | None = None
        """The answer: None for an expired session, a `StoreRefused` if the server sent an error."""
        self.unindexed: bool = False
        """Whether the session is missing in the index of its segment (R-28)."""
        self.void: bool = False
        """Whether it has to be repeated: the cached state that it is based on was dropped before the answer came."""
        self._key = key
        self._tracking = tracking
        self._clock = clock
        self._base, self._generation = (None, 0) if tracking is None else (tracking.held(key), tracking.generation)
        self._replies: list[Reply] = []
        seen = since if self._base is None else self._base.seen
        record = segment.record(key)
        # Time and score are read apart: a tracked read must subscribe to nothing but the record (C-3b).
        self._commands: list[Sequence[Argument] | ScriptCall] = [(b"TIME",), (b"ZSCORE", segment.expiries, key.digest)]
        if tracking is not None and tracking.on:
            self._commands.append(CACHING_YES)
        whole: Sequence[Argument] = (b"HGETALL", record)
        self._commands.append(whole if seen is None else ScriptCall(LOAD, (record,), (scripts.pack_seen(seen),)))
        self._sent_at = time.monotonic()

    @property
    def commands(self) -> Sequence[Sequence[Argument] | ScriptCall]:
        """The commands, to be sent as one unit."""
        return self._commands

    @property
    def complete(self) -> bool:
        """Whether the last reply has come."""
        return not self._replies

    def take(self, reply: Reply) -> None:
        """See `OnReply`; if the commands are sent again over the same link, all replies come again."""
        self._replies.append(reply)
        if len(self._replies) == len(self._commands):
            replies, self._replies = self._replies, []
            self.found = self._parse_replies(*replies)

    def _parse_replies(
        self, clock: Reply, score: Reply, *found: Reply
    ) -> SessionRecord | SessionChanges | Redirect | ScriptStatus | StoreRefused | None:
        for reply in (clock, score):
            if isinstance(reply, StoreRefused):
                return reply
        now_ms = scripts.milliseconds(clock)
        self._clock.observe(now_ms, sent_at=self._sent_at)
        read = _read(self._key, found[-1], now_ms, scripts.instant(score))
        if isinstance(read, StoreRefused):
            return read
        alive = isinstance(read, tuple) and min(read[0].expires_ms, read[1]) > now_ms
        session = self._completed(read[0]) if alive and isinstance(read, tuple) else None
        if self._tracking is not None:
            record = session if isinstance(session, SessionRecord) else None
            self._tracking.note_record(self._key, record, tracked=found[0] == b"OK")
        self.unindexed = session is not None and score is None
        return read if isinstance(read, ScriptStatus | Redirect) else session

    def _completed(self, session: SessionRecord | SessionChanges) -> SessionRecord | SessionChanges | None:
        if self._base is None or self._tracking is None or isinstance(session, SessionRecord):
            return session
        self.void = self._generation != self._tracking.generation
        return None if self.void else self._base.merged(session)


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


async def audit(store: ValkeyStore, key: SessionKey, deadline: float) -> None:
    """Read a session for the cache to compare, see `Feeding.audit`."""
    segment, cache = await store.segment(key, deadline), store.tracking.cache

    def send(_: bool) -> Awaitable[Reply]:
        reading = Reading(key, segment, None, None, store.clock)

        def take(reply: Reply) -> None:
            reading.take(reply)
            if cache is not None and reading.complete and not isinstance(reading.found, StoreRefused):
                cache.audited(key, reading.found if isinstance(reading.found, SessionRecord) else None)

        return store.link.pipeline(reading.commands, deadline=deadline, on_reply=take)

    await store.sender.send(send)
