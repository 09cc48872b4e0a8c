"""Sessions in one Valkey or Redis primary: each change is one script, each read one round trip (C-7 to C-10, C-16)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Sequence
from typing import Any, Final

from ..clock import StoreClock
from ..errors import NonStopTimeout, StoreRefused, StoreUnavailable
from ..record import CommitOutcome, NewSession, Seen, SessionChanges, SessionDelta, SessionKey, SessionRecord, Successor
from ..stores.base import NEVER
from ..stores.feed import Feed
from ..stores.figures import DEFAULT_GRACE, LONGEST_LEASE, TRACKED_KEYS
from ..stores.lease import Lease
from ..stores.listing import Names, SessionHead, SessionPage
from .address import Locate
from .barrier import begin_list, confirm_primary, wait_for_members
from .census import count, page, with_ref
from .commands import Argument, Commands, ScriptCall
from .fence import Fence
from .forwarding import Forward
from .heartbeat import Heartbeat
from .link import Link
from .metadata import Refusal
from .preflight import agree_on_concurrency, check_server
from .principals import create, rotate, sessions_of
from .reading import Reading, audit
from .reaper import Reaper
from .replies import LinkLost, Reply
from .revocations import Revocations
from .segments import Segment, Segments, application_prefix
from .session_scripts import TOUCH
from .tracking import Tracking
from .trouble import Trouble
from .writing import commit, end

__all__ = ["ValkeyStore"]

_SENDINGS: Final = 3
"""So often is a request sent, counting the first time, before the link is taken to be no good (F-00b)."""
_TOUCHES_PER_SCRIPT: Final = 64
_SCRIPTS_PER_PIPELINE: Final = 32
_UNKNOWN: Final = "the store has not confirmed the request, which may or may not have been carried out"


class ValkeyStore:
    """A `Store` with all powers but those of memory. Belongs to the event loop that starts it.

    Args:
        locate: asked for the server's address before every attempt to connect.
        release: called when the store is closed, to give back what ``locate`` holds.
        namespace: the first part of every key; default ``"wsg"``.
        context_path: the application; applications with the same one share sessions.
        concurrency: the number of segments; 0 takes the number recorded in the store, or 64 in a new one (E-1).
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
        reap_interval: seconds between two looks for expired sessions; None leaves that to other processes.
        heartbeat: seconds between two proofs that copies are fresh, once a near cache is fed (C-4).
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
        heartbeat: float = 0.5,
        allow_eviction: bool = False,
        durable: bool | None = None,
        tracked_keys: int = TRACKED_KEYS,
    ) -> None:
        self.clock: StoreClock = StoreClock()
        self.trouble: Trouble = Trouble()
        self.tracking: Tracking = Tracking()
        self.heartbeat: Heartbeat | None = None
        """There once a near cache is fed."""
        self.link: Link = Link(
            locate,
            on_push=self.tracking.take_push,
            on_refusal=self.tracking.take_refusal,
            on_lost=self._lose,
            on_connect=self._admit,
        )
        self.tracking.position = self.link.position
        self.fence: Fence = Fence(self)
        self.revocations: Revocations = Revocations(self)
        self.segments: Segments | None = None
        """Known from the first connection on."""
        self.reaper: Reaper | None = None if reap_interval is None else Reaper(self, interval=reap_interval)
        self.grace_ms: Final = round(grace * 1000)
        self._release = release
        self._namespace = namespace
        self._context_path = context_path
        self._concurrency = concurrency
        self._accepts: Final[Any] = {"allow_eviction": allow_eviction, "durable": durable}
        self._heartbeat_options: Final[Any] = {"interval": heartbeat, "tracked_keys": tracked_keys}
        self._lease_length = 0.0

    async def start(self, *, deadline: float = NEVER) -> None:
        await self.link.start(deadline=deadline)
        if self.reaper is not None:
            self.reaper.start()
        if self.heartbeat is not None:
            self.heartbeat.start()

    async def close(self) -> None:
        if self.reaper is not None:
            await self.reaper.stop()
        if self.heartbeat is not None:
            await self.heartbeat.stop()
        await self.revocations.stop()
        await self.fence.close()
        await self.link.close()
        if self._release is not None:
            self._release()

    async def _admit(self, commands: Commands) -> None:
        timeline = await check_server(commands, **self._accepts)
        config_key = application_prefix(self._namespace, self._context_path) + "cfg"
        # What was agreed once holds for this store object: queued commands name keys of those segments.
        self._concurrency = await agree_on_concurrency(commands, config_key, self._concurrency)
        if self.segments is None:
            self.segments = Segments(self._namespace, self._context_path, self._concurrency)
        if self.heartbeat is None:
            await begin_list(commands, next(iter(self.segments)))
        await self.tracking.begin(commands)
        self.revocations.see_timeline(timeline)

    def _lose(self) -> None:
        self.tracking.lose()
        if self.heartbeat is not None:
            self.heartbeat.lose()

    def feed(self, cache: Feed, lease: Lease) -> None:
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
        if isinstance(found, Forward):  # and from there no further
            found = await self._read(found.key, None, deadline)
        return None if isinstance(found, Forward) else found

    async def _read(
        self, key: SessionKey, since: Seen | None, deadline: float
    ) -> SessionRecord | SessionChanges | Forward | None:
        segment = await self.segment(key, deadline)
        tracking = self.tracking if since is None else None
        readings: list[Reading] = []

        def send(_: bool) -> Awaitable[Reply]:
            # Another one for another link: what has come over the lost one is worth nothing.
            readings.append(reading := Reading(key, segment, since, tracking, self.clock))
            return self.link.pipeline(reading.commands, deadline=deadline, on_reply=reading.take)

        await self.send(send)
        while readings[-1].void:
            await self.send(send)
        return await self._answer_of(readings[-1], key, deadline)

    async def _answer_of(
        self, reading: Reading, key: SessionKey, deadline: float
    ) -> SessionRecord | SessionChanges | Forward | None:
        found = reading.found
        if isinstance(found, StoreRefused):
            raise found
        if isinstance(found, Refusal):
            self.note_refusal(found, key)
            return None
        if reading.unindexed:
            await self.touch([key], deadline=deadline)
        return found

    def note_refusal(self, refusal: Refusal, key: SessionKey) -> None:
        """Take note of why a read found no session; see `Trouble.note`."""
        self.trouble.note(refusal, key)
        if refusal is Refusal.REVOKED:
            self.revocations.note(key)

    async def audit(self, key: SessionKey, *, deadline: float) -> None:
        """See `Feeding.audit`."""
        await audit(self, key, deadline)

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        return commit(self, delta, None, deadline)

    def rotate(
        self, delta: SessionDelta, successor: Successor, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        return rotate(self, delta, successor, deadline)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        by_segment: defaultdict[Segment, list[bytes]] = defaultdict(list)
        for key in keys:
            segment = await self.segment(key, deadline)
            by_segment[segment].append(segment.record(key))
        calls = [
            ScriptCall(TOUCH, (segment.expiries, *records[i : i + _TOUCHES_PER_SCRIPT]), (self.grace_ms,))
            for segment, records in by_segment.items()
            for i in range(0, len(records), _TOUCHES_PER_SCRIPT)
        ]
        for i in range(0, len(calls), _SCRIPTS_PER_PIPELINE):
            replies = await self.answers(calls[i : i + _SCRIPTS_PER_PIPELINE], deadline)
            self.trouble.note_reindexed(sum(replies))

    def delete(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return end(self, key, deadline)

    def count(self, *, deadline: float = NEVER) -> Coroutine[Any, Any, int]:
        return count(self, deadline)

    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        return await page(self, cursor, limit, names, deadline)

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        return await with_ref(self, ref, names, deadline)

    def sessions_of(self, principal: str, *, deadline: float = NEVER) -> Coroutine[Any, Any, list[SessionRecord]]:
        return sessions_of(self, principal, deadline)

    async def barrier(self, *, deadline: float = NEVER) -> None:
        """See `Barring.barrier`."""
        await wait_for_members(self, self._lease_length or LONGEST_LEASE, deadline=deadline)

    async def confirm(self, *, deadline: float = NEVER) -> None:
        """See `Confirming.confirm`."""
        await confirm_primary(self, deadline=deadline)

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`."""
        name = f"{self._namespace}:mac"
        there: bytes | None = await self.send(lambda _: self.link.request(b"GET", name, deadline=deadline))
        if there is None:  # a store that is out of memory may still be read, and takes no SET (F-09)
            propose: tuple[Argument, ...] = (b"SET", name, proposal, b"NX", b"GET")
            there = await self.send(lambda _: self.link.request(*propose, deadline=deadline))
        return there or proposal

    # Sending

    async def known_segments(self, deadline: float) -> Segments:
        if self.segments is None:
            await self.link.start(deadline=deadline)
        assert self.segments is not None  # noqa: S101 - for type checkers: every connection has passed `_admit`
        return self.segments

    async def segment(self, key: SessionKey, deadline: float) -> Segment:
        """Where a session lies."""
        return (self.segments or await self.known_segments(deadline)).of(key)

    async def answers(self, commands: Sequence[Sequence[Argument] | ScriptCall], deadline: float) -> list[Reply]:
        """The replies to several commands, none of which was refused."""
        replies: list[Reply] = await self.send(lambda _: self.link.pipeline(commands, deadline=deadline))
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        return replies

    async def send(self, send: Callable[[bool], Awaitable[Reply]]) -> Reply:
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
