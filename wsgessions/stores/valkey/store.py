"""Sessions in one Valkey or Redis primary: each change is one script, each read one round trip (C-7 to C-10, C-16)."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Final

from ...cache.lease import Lease
from ...cache.listener import InvalidationListener
from ...errors import StoreRefused
from ...record import (
    CommitOutcome,
    NewSession,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
)
from ...record.clock import StoreClock
from ...store.address import Locate
from ...store.constants import DEFAULT_GRACE, LONGEST_LEASE, TRACKED_KEYS
from ...store.contract import NEVER
from ...store.listing import Names, SessionHead, SessionPage
from .agreement import Agreement
from .client.commands import Commands, ScriptCall
from .client.link import Link
from .client.preflight import agree_on_secret, check_server
from .client.replies import Reply
from .coherence.barrier import confirm_primary, wait_for_members
from .coherence.heartbeat import Heartbeat
from .coherence.origin_watch import OriginWatch
from .coherence.replaced import end_forward, keep_forward, was_replaced
from .coherence.replica_acks import Fence
from .coherence.revocations import Revocations
from .coherence.tracking import Tracking
from .diagnostics import StoreDiagnostics
from .format import scripts as layout
from .format.forward import Redirect
from .format.metadata import ScriptStatus, is_too_late
from .format.principal import key_of
from .format.segments import Segment, Segments
from .format.session_scripts import TOUCH
from .sender import Sender
from .sessions.commit import commit, end
from .sessions.listing import count, page, with_ref
from .sessions.load import Reading, audit
from .sessions.principal_index import read_index
from .sessions.principals import create, heads_of, rotate
from .upkeep.reaper import Reaper

__all__ = ["ValkeyStore"]

_TOUCHES_PER_SCRIPT: Final = 64
_SCRIPTS_PER_PIPELINE: Final = 32


class ValkeyStore:
    """A `Store` with all capabilities except those of a cache. Belongs to the event loop that starts it.

    Args:
        locate: called for the server's address before every attempt to connect.
        release: called when the store is closed, to release the resources of ``locate``.
        namespace: the first part of every key; default ``"wsg"``.
        context_path: the application; applications with the same one share sessions.
        concurrency: the number of segments; 0 takes the number recorded in the store, or 64 in a new one (E-1).
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
        reap_interval: seconds between two searches for expired sessions; None leaves that to other processes.
        idle_timeout: the idle timeout of the application's sessions in seconds; 0 for none. Within this time, entries
            without a session are removed from indexes of principals (T-13).
        heartbeat: seconds between two heartbeats, if there is a near cache (C-4).
        allow_eviction: accept a server that drops data when memory is short (C-18).
        durable: see `check_server`.
        tracked_keys: see `Heartbeat`.
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
        idle_timeout: float = 0.0,
        heartbeat: float = 0.5,
        allow_eviction: bool = False,
        durable: bool | None = None,
        tracked_keys: int = TRACKED_KEYS,
    ) -> None:
        self.clock: StoreClock = StoreClock()
        self.trouble: StoreDiagnostics = StoreDiagnostics()
        self.tracking: Tracking = Tracking()
        self.heartbeat: Heartbeat | None = None
        """Set when a near cache is attached."""
        self.link: Link = Link(
            locate,
            on_push=self.tracking.take_push,
            on_refusal=self.tracking.take_refusal,
            on_lost=self._lose,
            on_connect=self._admit,
        )
        self.tracking.position = self.link.position
        self.sender: Sender = Sender(self.link, self.clock, self.trouble)
        self.fence: Fence = Fence(self)
        self.revocations: Revocations = Revocations(self)
        self.agreement: Agreement = Agreement(namespace, context_path, concurrency)
        self.reaper: Reaper | None = None
        if reap_interval is not None:
            self.reaper = Reaper(self, interval=reap_interval, idle_timeout=idle_timeout)
        self.grace_ms: Final = round(grace * 1000)
        self._release = release
        self._namespace = namespace
        self._accepts: Final[Any] = {"allow_eviction": allow_eviction, "durable": durable}
        self._origin_watch = OriginWatch(self, interval=heartbeat)
        self._heartbeat_options: Final[Any] = {"interval": heartbeat, "tracked_keys": tracked_keys}
        self._lease_length = 0.0

    async def start(self, *, deadline: float = NEVER) -> None:
        await self.link.start(deadline=deadline)
        if self.reaper is not None:
            self.reaper.start()
        if self.heartbeat is not None:
            self.heartbeat.start()
        else:
            self._origin_watch.start()

    async def close(self) -> None:
        if self.reaper is not None:
            await self.reaper.stop()
        if self.heartbeat is not None:
            await self.heartbeat.stop()
        await self._origin_watch.stop()
        await self.revocations.stop()
        await self.fence.close()
        await self.link.close()
        if self._release is not None:
            self._release()

    async def _admit(self, commands: Commands) -> None:
        timeline = await check_server(commands, **self._accepts)
        sent_at = time.monotonic()
        self.clock.observe(layout.milliseconds(await commands.request(b"TIME")), sent_at=sent_at)
        if await self.agreement.reach(commands):
            self.link.refuse_queued("the store was emptied, and its number of segments has changed")
        try:
            await self.agreement.begin_list(commands)
        except StoreRefused:
            if self.heartbeat is None:
                raise
            # The server rejects writes for now, but can be read: its first successful heartbeat starts the lease again.
        if self.heartbeat is not None:
            self.heartbeat.connect()
        await self.tracking.begin(commands)
        self.revocations.see_timeline(timeline)

    def _lose(self) -> None:
        self.agreement.lose()
        self.tracking.lose()
        if self.heartbeat is not None:
            self.heartbeat.lose()

    def feed(self, cache: InvalidationListener, lease: Lease) -> None:
        """See `Feeding.feed`."""
        self.tracking.cache = cache
        self._lease_length = lease.length
        self.heartbeat = Heartbeat(self, cache, lease, **self._heartbeat_options) if lease.length else None

    # Sessions

    def create(self, new: NewSession, *, deadline: float = NEVER) -> Coroutine[Any, Any, SessionRecord | None]:
        return create(self, new, deadline)

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        found = await self._read(key, since, deadline)
        if isinstance(found, Redirect):  # one step at most
            there = self._read(found.key, None, deadline)
            found, _ = await asyncio.gather(there, keep_forward(self, key, found, deadline))
        return None if isinstance(found, Redirect) else found

    async def _read(
        self, key: SessionKey, since: Seen | None, deadline: float
    ) -> SessionRecord | SessionChanges | Redirect | None:
        segment = await self.segment(key, deadline)
        tracking = self.tracking if since is None else None
        readings: list[Reading] = []

        def send(_: bool) -> Awaitable[Reply]:
            # A new one for the new link: data from the lost one is invalid.
            readings.append(reading := Reading(key, segment, since, tracking, self.clock))
            return self.link.pipeline(reading.commands, deadline=deadline, on_reply=reading.take)

        await self.sender.send(send)
        while readings[-1].void:
            await self.sender.send(send)
        return await self._answer_of(readings[-1], key, deadline)

    async def _answer_of(
        self, reading: Reading, key: SessionKey, deadline: float
    ) -> SessionRecord | SessionChanges | Redirect | None:
        found = reading.found
        if isinstance(found, StoreRefused):
            raise found
        if isinstance(found, ScriptStatus):
            self.note_refusal(found, key)
            return None
        if reading.unindexed:
            await self.touch([key], deadline=deadline)
        return found

    def note_refusal(self, refusal: ScriptStatus, key: SessionKey) -> None:
        """Record why a read found no session; see `StoreDiagnostics.note`."""
        self.trouble.note(refusal, key)
        if refusal is ScriptStatus.REVOKED:
            self.revocations.note(key)

    async def audit(self, key: SessionKey, *, deadline: float) -> None:
        """See `Feeding.audit`."""
        await audit(self, key, deadline)

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        return commit(self, delta, None, deadline)

    def rotate(
        self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        return rotate(self, delta, successor, deadline)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        by_segment: defaultdict[Segment, list[bytes]] = defaultdict(list)
        for key in keys:
            segment = await self.segment(key, deadline)
            by_segment[segment].append(segment.record(key))
        scripts = [
            (segment.expiries, *records[i : i + _TOUCHES_PER_SCRIPT])
            for segment, records in by_segment.items()
            for i in range(0, len(records), _TOUCHES_PER_SCRIPT)
        ]
        for i in range(0, len(scripts), _SCRIPTS_PER_PIPELINE):
            await self._touch(scripts[i : i + _SCRIPTS_PER_PIPELINE], deadline)

    async def _touch(self, scripts: Sequence[Sequence[bytes]], deadline: float) -> None:
        async def send(_: bool, not_after: int) -> Reply:
            calls = [ScriptCall(TOUCH, keys, (self.grace_ms, not_after)) for keys in scripts]
            replies = await self.link.pipeline(calls, deadline=deadline)
            # Touches can be repeated: all of them are sent again if some came too late.
            return next((each for each in replies if isinstance(each, StoreRefused) or is_too_late(each)), replies)

        replies = await self.sender.change(send, deadline)
        if isinstance(replies, StoreRefused):
            raise replies
        self.trouble.note_reindexed(sum(replies))

    def end_forward(
        self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER
    ) -> Coroutine[Any, Any, None]:
        return end_forward(self, keys, grace_ms, deadline)

    def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return end(self, key, deadline, by_client=by_client)

    def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return was_replaced(self, key, deadline)

    def count(self, *, deadline: float = NEVER) -> Coroutine[Any, Any, int]:
        return count(self, deadline)

    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        return await page(self, cursor, limit, names, deadline)

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        return await with_ref(self, ref, names, deadline)

    async def keys_of(self, principal: str, *, deadline: float = NEVER) -> list[SessionKey]:
        return [key_of(member) for member in await read_index(self, principal, deadline)]

    def heads_of(
        self, principal: str, keys: Collection[SessionKey], *, names: Names = (), deadline: float = NEVER
    ) -> Coroutine[Any, Any, list[SessionHead]]:
        return heads_of(self, principal, keys, names, deadline)

    async def barrier(self, *, deadline: float = NEVER) -> None:
        """See `Barrier.barrier`."""
        await wait_for_members(self, self._lease_length or LONGEST_LEASE, deadline=deadline)

    async def confirm(self, *, deadline: float = NEVER) -> None:
        """See `PrimaryCheck.confirm`."""
        await confirm_primary(self, deadline=deadline)

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`. It is proposed again over each connection (C-25)."""
        agreement, proposal = self.agreement, self.agreement.secret or proposal
        secret = await self.sender.send(lambda _: agree_on_secret(self.link, agreement.secret_name, proposal, deadline))
        agreement.learn_secret(secret)
        return agreement.secret

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """See `SecretKeeping.follow_secret`."""
        self.agreement.follow_secret(known, tell)

    @property
    def segments(self) -> Segments | None:
        """The segments of the sessions; known from the first connection on."""
        return self.agreement.segments

    async def known_segments(self, deadline: float) -> Segments:
        if self.segments is None:
            await self.link.start(deadline=deadline)
        assert self.segments is not None  # noqa: S101 - for type checkers: every connection has passed `_admit`
        return self.segments

    async def segment(self, key: SessionKey, deadline: float) -> Segment:
        """The segment of a session."""
        return (self.segments or await self.known_segments(deadline)).of(key)
