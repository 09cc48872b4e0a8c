"""Sessions in one Valkey or Redis primary: each change is one script, each read one round trip (C-7 to C-10, C-16)."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final

from ..clock import StoreClock
from ..errors import NonStopTimeout, StoreRefused, StoreUnavailable
from ..record import (
    CommitOutcome,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
)
from ..stores.base import NEVER
from ..stores.figures import DEFAULT_GRACE, TOMBSTONE_MS
from . import layout
from .address import Locate
from .commands import Argument, Commands, ScriptCall
from .layout import Refusal
from .link import Link
from .preflight import agree_on_concurrency, check_server
from .reaper import Reaper
from .replies import LinkLost, Reply
from .segments import Segment, Segments, application_prefix
from .session_scripts import COMMIT, CREATE, DELETE, LOAD, TOUCH
from .trouble import Trouble

__all__ = ["ValkeyStore"]

_SENDINGS: Final = 3
"""So often is a request sent, counting the first time, before the link is taken to be no good (F-00b)."""
_TOUCHES_PER_SCRIPT: Final = 64
_SCRIPTS_PER_PIPELINE: Final = 32
_UNKNOWN: Final = "the store has not confirmed the request, which may or may not have been carried out"


class ValkeyStore:
    """A `Store` that is also `Countable` and `SecretKeeping`. Belongs to the event loop that starts it.

    Args:
        locate: asked for the server's address before every attempt to connect.
        release: called when the store is closed, to give back what ``locate`` holds.
        namespace: the first part of every key; default ``"wsg"``.
        context_path: the application; applications with the same one share sessions.
        concurrency: the number of segments; 0 takes the number recorded in the store, or 64 in a new one (E-1).
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
        reap_interval: seconds between two looks for expired sessions; None leaves that to other processes.
        allow_eviction: accept a server that drops data when memory is short (C-18).
    """

    def __init__(
        self,
        locate: Locate,
        *,
        release: Callable[[], None] | None = None,
        namespace: str = "wsg",
        context_path: str = "/",
        concurrency: int = 0,
        grace: float = DEFAULT_GRACE,
        reap_interval: float | None = 1.0,
        allow_eviction: bool = False,
    ) -> None:
        self.clock: StoreClock = StoreClock()
        self.trouble: Trouble = Trouble()
        self.link: Link = Link(locate, on_connect=self._admit)
        self.segments: Segments | None = None
        """Known from the first connection on."""
        self.reaper: Reaper | None = None if reap_interval is None else Reaper(self, interval=reap_interval)
        self.grace_ms: Final = round(grace * 1000)
        self._release = release
        self._namespace = namespace
        self._context_path = context_path
        self._concurrency = concurrency
        self._allow_eviction = allow_eviction

    async def start(self, *, deadline: float = NEVER) -> None:
        await self.link.start(deadline=deadline)
        if self.reaper is not None:
            self.reaper.start()

    async def close(self) -> None:
        if self.reaper is not None:
            await self.reaper.stop()
        await self.link.close()
        if self._release is not None:
            self._release()

    async def _admit(self, commands: Commands) -> None:
        await check_server(commands, allow_eviction=self._allow_eviction)
        config_key = application_prefix(self._namespace, self._context_path) + "cfg"
        # What was agreed once holds for this store object: queued commands name keys of those segments.
        self._concurrency = await agree_on_concurrency(commands, config_key, self._concurrency)
        if self.segments is None:
            self.segments = Segments(self._namespace, self._context_path, self._concurrency)

    # Sessions

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        segment = await self._segment(new.key, deadline)
        keys, args = [segment.record(new.key), segment.expiries], layout.pack_creation(new)
        reply = await self._send(lambda _: self.link.call(CREATE, keys, args, deadline=deadline))
        if reply is None:
            return None
        if not reply:  # a resend: the session is there, and may have been changed already
            there = await self.load(new.key, deadline=deadline)
            return there if isinstance(there, SessionRecord) else None
        version, created_ms, expires_ms = reply
        return SessionRecord(
            key=new.key,
            incarnation=new.incarnation,
            version=version,
            created_ms=created_ms,
            interval_ms=new.interval_ms,
            deadline_ms=created_ms + new.lifetime_ms,
            expires_ms=expires_ms,
            attributes=dict(new.attributes),
        )

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        segment = await self._segment(key, deadline)
        record = segment.record(key)
        # Time and score are read apart, so that a tracked read would subscribe to nothing but the record (C-3b, C-16).
        commands: list[Sequence[Argument] | ScriptCall] = [
            (b"TIME",),
            (b"ZSCORE", segment.expiries, key.digest),
            (b"HGETALL", record) if since is None else ScriptCall(LOAD, (record,), (layout.pack_seen(since),)),
        ]
        sent_at = time.monotonic()
        clock, score, found = await self._pipeline(commands, deadline)
        now_ms = _milliseconds(clock)
        self.clock.observe(now_ms, sent_at=sent_at)
        return await self._judge(key, found, now_ms, _answer(score), deadline)

    async def _judge(
        self, key: SessionKey, found: Reply, now_ms: int, score: float | None, deadline: float
    ) -> SessionRecord | SessionChanges | None:
        """What was found, if it is a session that has not expired by the store's time."""
        read = _read(key, found, now_ms, None if score is None else int(score))
        if isinstance(read, Refusal):
            self.trouble.note(read, key)
            return None
        session, deadline_ms = read
        if min(session.expires_ms, deadline_ms) <= now_ms:
            return None
        if score is None:
            await self.touch([key], deadline=deadline)
        return session

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        return await self._commit(delta, None, deadline)

    async def rotate(self, delta: SessionDelta, successor: Successor, *, deadline: float = NEVER) -> CommitOutcome:
        return await self._commit(delta, successor, deadline)

    async def _commit(self, delta: SessionDelta, successor: Successor | None, deadline: float) -> CommitOutcome:
        segment = await self._segment(delta.key, deadline)
        keys = [segment.record(delta.key), segment.expiries]
        if successor is not None:
            keys.append(segment.record(successor.key))

        def send(resend: bool) -> Awaitable[Reply]:
            args = layout.pack_commit(delta, successor, grace_ms=self.grace_ms, resend=resend)
            return self.link.call(COMMIT, keys, args, deadline=deadline)

        reply = await self._send(send)
        self.trouble.note(reply[0], delta.key)
        return layout.read_outcome(delta, reply)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        by_segment: defaultdict[Segment, list[bytes]] = defaultdict(list)
        for key in keys:
            segment = await self._segment(key, deadline)
            by_segment[segment].append(segment.record(key))
        calls = [
            ScriptCall(TOUCH, (segment.expiries, *records[i : i + _TOUCHES_PER_SCRIPT]), (self.grace_ms,))
            for segment, records in by_segment.items()
            for i in range(0, len(records), _TOUCHES_PER_SCRIPT)
        ]
        for i in range(0, len(calls), _SCRIPTS_PER_PIPELINE):
            replies = await self._pipeline(calls[i : i + _SCRIPTS_PER_PIPELINE], deadline)
            self.trouble.note_reindexed(sum(map(_answer, replies)))

    async def delete(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        segment = await self._segment(key, deadline)
        keys = (segment.record(key), segment.expiries)

        def send(resend: bool) -> Awaitable[Reply]:
            return self.link.call(DELETE, keys, (TOMBSTONE_MS, self.grace_ms, int(resend)), deadline=deadline)

        status, existed = await self._send(send)
        self.trouble.note(status, key)
        return bool(existed)

    # Powers

    async def count(self, *, deadline: float = NEVER) -> int:
        """See `Countable.count`."""
        segments = await self._known_segments(deadline)
        now_ms = _milliseconds(await self._send(lambda _: self.link.request(b"TIME", deadline=deadline)))
        commands = [(b"ZCOUNT", segment.expiries, f"({now_ms}", b"+inf") for segment in segments]
        return sum(map(_answer, await self._pipeline(commands, deadline)))

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`."""
        name = f"{self._namespace}:mac"
        there: bytes | None = await self._send(lambda _: self.link.request(b"GET", name, deadline=deadline))
        if there is None:  # a store that is out of memory may still be read, and takes no SET (F-09)
            propose: tuple[Argument, ...] = (b"SET", name, proposal, b"NX", b"GET")
            there = await self._send(lambda _: self.link.request(*propose, deadline=deadline))
        return there or proposal

    # Sending

    async def _known_segments(self, deadline: float) -> Segments:
        if self.segments is None:
            await self.link.start(deadline=deadline)
        assert self.segments is not None  # noqa: S101 - for type checkers: every connection has passed `_admit`
        return self.segments

    async def _segment(self, key: SessionKey, deadline: float) -> Segment:
        return (self.segments or await self._known_segments(deadline)).of(key)

    async def _pipeline(self, commands: Sequence[Sequence[Argument] | ScriptCall], deadline: float) -> list[Reply]:
        replies: list[Reply] = await self._send(lambda _: self.link.pipeline(commands, deadline=deadline))
        return replies

    async def _send(self, send: Callable[[bool], Awaitable[Reply]]) -> Reply:
        """Send a request, and send it again, marked as a resend, when the link is lost before the reply (C-9, F-26)."""
        resend = False
        for _ in range(_SENDINGS):
            try:
                return await send(resend)
            except NonStopTimeout:
                raise
            except StoreUnavailable as error:
                if isinstance(error, LinkLost) and error.sent:
                    resend = True
                    self.trouble.resent += 1
                elif resend:
                    raise NonStopTimeout(f"{_UNKNOWN}: the link was lost, then {error}") from error
                elif isinstance(error, LinkLost):
                    raise StoreUnavailable("the store is closed", hint="start it again") from error
                else:
                    raise
        raise NonStopTimeout(f"{_UNKNOWN}: the link was lost {_SENDINGS} times")


def _answer(reply: Reply) -> Reply:
    """A reply out of a pipeline, where refusals stand among the answers."""
    if isinstance(reply, StoreRefused):
        raise reply
    return reply


def _milliseconds(reply: Reply) -> int:
    """The answer to ``TIME``."""
    seconds, microseconds = _answer(reply)
    return int(seconds) * 1000 + int(microseconds) // 1000


def _read(
    key: SessionKey, found: Reply, now_ms: int, score: int | None
) -> tuple[SessionRecord | SessionChanges, int] | Refusal:
    """The session in the answer to the read of a record, with its absolute deadline."""
    if isinstance(found, StoreRefused) and found.server_code == "WRONGTYPE":
        return Refusal.UNREADABLE
    reply = _answer(found)
    if isinstance(reply, Mapping):
        return _whole(key, reply, now_ms, score)
    status, *parts = reply
    if status:
        return Refusal(status)
    if len(parts) == 1:
        return _whole(key, layout.as_fields(parts[0]), now_ms, score)
    version, interval_ms, deadline_ms, idle_end, changed, live = parts
    ends = idle_end if score is None else score
    return layout.read_changes(version, interval_ms, ends, changed, live), deadline_ms


def _whole(
    key: SessionKey, fields: Mapping[bytes, bytes], now_ms: int, score: int | None
) -> tuple[SessionRecord, int] | Refusal:
    record = layout.read_record(key, fields, score, now_ms)
    return record if isinstance(record, Refusal) else (record, record.deadline_ms)
