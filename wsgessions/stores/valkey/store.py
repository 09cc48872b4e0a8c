"""Sessions in one Valkey or Redis primary: each change is one script, each read one round trip (C-7 to C-10, C-16)."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Mapping
from typing import Any, Final

from ...cache.lease import Lease
from ...cache.listener import InvalidationListener
from ...errors import StoreRefused
from ...internal import real_time as time
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
from ...store.alike import Comparison
from ...store.constants import DEFAULT_GRACE, LONGEST_LEASE, TRACKED_KEYS
from ...store.contract import NEVER
from ...store.listing import Names, SessionHead, SessionPage
from .agreement import Agreement
from .client.commands import Commands
from .client.link import Link
from .client.preflight import agree_on_secret, check_server
from .coherence.barrier import confirm_primary, wait_for_members
from .coherence.heartbeat import Heartbeat
from .coherence.members import Members
from .coherence.origin_watch import OriginWatch
from .coherence.pace import Pace
from .coherence.replica_acks import Fence
from .coherence.revocations import Revocations
from .coherence.settings_check import SettingsCheck
from .coherence.tracking import Tracking
from .diagnostics import StoreDiagnostics
from .format import scripts as layout
from .format.principal import key_of
from .format.segments import Segment, Segments
from .sender import Sender
from .sessions.parts import SessionParts
from .upkeep.index_repair import IndexRepair
from .upkeep.principal_repair import PrincipalRepair
from .upkeep.reaper import Reaper

__all__ = ["ValkeyStore"]


class ValkeyStore:
    """A `Store` with all capabilities except those of a cache. Belongs to the event loop that starts it.

    It is composed of parts that know each other only by what they need: those of one connection around `link`, those of
    sessions around `sender`, and the upkeep.

    Args:
        locate: called for the server's address before every attempt to connect.
        release: called when the store is closed, to release the resources of ``locate``.
        namespace: the first part of every key; default ``"wsg"``.
        context_path: the application; applications with the same one share sessions.
        concurrency: the number of segments; 0 takes the number recorded in the store, or 64 in a new one (E-1).
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
        reap_interval: the least number of seconds between two searches for expired sessions; None leaves that to other
            processes.
        idle_timeout: the idle timeout of the application's sessions in seconds; 0 for none. Within this time, entries
            without a session are removed from indexes of principals (T-13).
        heartbeat: seconds between two heartbeats, if there is a near cache (C-4); see `Pace`.
        allow_eviction: accept a server that drops data when memory is short (C-18).
        durable: see `check_server`.
        tracked_keys: see `Heartbeat`.
        required: further settings that all nodes must have alike, by name; see `check_agreed`.
        compared: returns the settings that all nodes should have alike, by name; see `SettingsCheck`.
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
        required: Mapping[str, str] | None = None,
        compared: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        self.clock: StoreClock = StoreClock()
        self.trouble: StoreDiagnostics = StoreDiagnostics()
        self.grace_ms: Final = round(grace * 1000)
        self.tracking: Tracking = Tracking()
        self.heartbeat: Heartbeat | None = None
        """Set when a near cache is attached."""
        self.link: Link = self._make_link(locate)
        self.agreement: Agreement = Agreement(namespace, context_path, concurrency, required)
        self.sender: Sender = Sender(self.link, self.agreement, self.clock, self.trouble)
        self.members: Members = Members(self.sender)
        self.fence: Fence = Fence(self.sender)
        self.revocations: Revocations = Revocations(self._end_again, self.trouble)
        self.pace: Pace = Pace(heartbeat)
        self._origin_watch = OriginWatch(self.sender, self.members, pace=self.pace)
        self.settings_check: SettingsCheck = SettingsCheck(self.sender, compared)
        self.sessions: SessionParts = self._make_parts()
        self.apply: Final = self.sessions.commits.apply
        self.reaper: Reaper | None = None if reap_interval is None else self.make_reaper(reap_interval, idle_timeout)
        self._release = release
        self._namespace = namespace
        self._accepts: Final[Any] = {"allow_eviction": allow_eviction, "durable": durable}
        self._heartbeat_options: Final[Any] = {"interval": heartbeat, "tracked_keys": tracked_keys}
        self._lease_length = 0.0

    def _make_link(self, locate: Locate) -> Link:
        return Link(
            locate,
            stream=self.tracking.stream,
            on_push=self.tracking.take_push,
            on_refusal=self.tracking.take_refusal,
            on_lost=self._lose,
            on_connect=self._admit,
        )

    def _make_parts(self) -> SessionParts:
        return SessionParts(
            self.sender,
            self.tracking,
            fence=self.fence,
            revocations=self.revocations,
            diagnostics=self.trouble,
            grace_ms=self.grace_ms,
            on_interval=self._expect,
        )

    def make_repair(self, idle_timeout: float) -> IndexRepair:
        """A new pass over the data of the store; see `IndexRepair`."""
        principals = PrincipalRepair(self.sender, self.sessions.index, self.sessions.principals)
        return IndexRepair(self.sender, principals, self.trouble, idle_timeout=idle_timeout)

    def make_reaper(self, interval: float, idle_timeout: float) -> Reaper:
        """A new reaper of the store; see `Reaper`."""
        repair, index = self.make_repair(idle_timeout), self.sessions.index
        return Reaper(self.sender, repair, index, self.trouble, grace_ms=self.grace_ms, interval=interval)

    async def start(self, *, deadline: float = NEVER) -> None:
        await self.link.start(deadline=deadline)
        if self.reaper is not None:
            self.reaper.start()
        if self.heartbeat is not None:
            self.heartbeat.start()
        else:
            self._origin_watch.start()
        self.settings_check.start()

    async def close(self) -> None:
        if self.reaper is not None:
            await self.reaper.stop()
        if self.heartbeat is not None:
            await self.heartbeat.stop()
        await self._origin_watch.stop()
        await self.settings_check.stop()
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
            await self.members.begin(commands)
        except StoreRefused:
            if self.heartbeat is None:
                raise
            # The server rejects writes for now, but can be read: its first successful heartbeat starts the lease again.
        if self.heartbeat is not None:
            self.heartbeat.connect()
        await self.tracking.begin(commands)
        self.revocations.see_timeline(timeline)
        if self.reaper is not None:
            self.reaper.look_again()

    def _expect(self, interval_ms: int) -> None:
        if self.reaper is not None and interval_ms:
            self.reaper.expect(interval_ms)

    def _lose(self) -> None:
        self.members.lose()
        self.tracking.lose()
        if self.heartbeat is not None:
            self.heartbeat.lose()

    def feed(self, cache: InvalidationListener, lease: Lease) -> None:
        """See `Feeding.feed`."""
        self.tracking.cache = cache
        self._lease_length = lease.length
        self.heartbeat = None
        if lease.length:
            self.heartbeat = Heartbeat(
                self.sender,
                self.tracking,
                self.members,
                cache,
                lease,
                see_timeline=self.revocations.see_timeline,
                pace=self.pace,
                **self._heartbeat_options,
            )

    # Sessions

    def create(self, new: NewSession, *, deadline: float = NEVER) -> Coroutine[Any, Any, SessionRecord | None]:
        self.pace.note_use()
        if new.principal:
            return self.sessions.principals.create(new, new.principal, deadline)
        return self.sessions.commits.create(new, deadline)

    def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> Coroutine[Any, Any, SessionRecord | SessionChanges | None]:
        self.pace.note_use()
        return self.sessions.loads.load(key, since=since, deadline=deadline)

    async def audit(self, key: SessionKey, *, deadline: float) -> None:
        """See `Feeding.audit`."""
        await self.sessions.loads.audit(key, deadline)

    def rotate(
        self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        if successor.principal or successor.binds:
            return self.sessions.principals.rotate(delta, successor, deadline)
        return self.sessions.commits.rotate(delta, successor, deadline)

    def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> Coroutine[Any, Any, None]:
        return self.sessions.uses.touch(keys, deadline)

    def end_forward(
        self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER
    ) -> Coroutine[Any, Any, None]:
        return self.sessions.former_ids.end_forward(keys, grace_ms, deadline)

    def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return self.sessions.ends.end(key, deadline, by_client=by_client)

    async def _end_again(self, key: SessionKey, deadline: float) -> bool:
        return await self.sessions.ends.end_at_primary(key, deadline)

    def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return self.sessions.former_ids.was_replaced(key, deadline)

    def count(self, *, deadline: float = NEVER) -> Coroutine[Any, Any, int]:
        return self.sessions.lists.count(deadline)

    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        return await self.sessions.lists.page(cursor, limit, names, deadline)

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        return await self.sessions.lists.with_ref(ref, names, deadline)

    async def keys_of(self, principal: str, *, deadline: float = NEVER) -> list[SessionKey]:
        return [key_of(member) for member in await self.sessions.index.read(principal, deadline)]

    def heads_of(
        self, principal: str, keys: Collection[SessionKey], *, names: Names = (), deadline: float = NEVER
    ) -> Coroutine[Any, Any, list[SessionHead]]:
        return self.sessions.principals.heads_of(principal, keys, names, deadline)

    async def barrier(self, *, deadline: float = NEVER) -> None:
        """See `Barrier.barrier`."""
        own = None if self.heartbeat is None else self.heartbeat.node
        await wait_for_members(self.members, self._lease_length or LONGEST_LEASE, own=own, deadline=deadline)

    async def confirm(self, *, deadline: float = NEVER) -> None:
        """See `PrimaryCheck.confirm`."""
        await confirm_primary(self.members, deadline=deadline)

    async def never_had(self, key: SessionKey, *, since_us: int, deadline: float = NEVER) -> bool:
        """See `HistoryCheck.never_had`."""
        listed = await self.members.list(hint=False, deadline=deadline)
        if self._accepts["allow_eviction"] or since_us // 1000 <= listed.origin_ms:
            return False
        segment = await self.segment(key, deadline)
        return not await self.sender.request(b"EXISTS", segment.record(key), deadline=deadline)

    def compare_settings(self, *, deadline: float = NEVER) -> Coroutine[Any, Any, Comparison]:
        """See `SettingsComparison.compare_settings`."""
        return self.settings_check.compare(deadline)

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`. It is proposed again over each connection (C-25)."""
        agreement, proposal = self.agreement, self.agreement.secret or proposal
        agreement.learn_secret(await agree_on_secret(self.sender, agreement.secret_name, proposal, deadline))
        return agreement.secret

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """See `SecretKeeping.follow_secret`."""
        self.agreement.follow_secret(known, tell)

    @property
    def segments(self) -> Segments | None:
        """The segments of the sessions; known from the first connection on."""
        return self.agreement.segments

    def segment(self, key: SessionKey, deadline: float) -> Coroutine[Any, Any, Segment]:
        """The segment of a session."""
        return self.sender.segment(key, deadline)
