"""Deliberate mistakes: what each rule protects from. A checker that does not notice one of them checks nothing."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

from tests.coherence.model.server import Server
from wsgessions.cache.near_cache import NearCache
from wsgessions.cache.single_flight import SingleFlight
from wsgessions.record import Seen, SessionRecord, StoredAttributes
from wsgessions.record.struct import replace
from wsgessions.stores.loop.store import LoopBoundStore
from wsgessions.stores.valkey import store
from wsgessions.stores.valkey.coherence import members, tracking
from wsgessions.stores.valkey.coherence.byte_count import ByteCount, Verdict
from wsgessions.stores.valkey.coherence.heartbeat import Heartbeat
from wsgessions.stores.valkey.coherence.tracking import TrackedChange, Tracking
from wsgessions.stores.valkey.sessions.load import Reading

__all__ = ["MUTANTS", "Mutant", "lease_from_the_reply"]

Mutant = Callable[[], contextlib.AbstractContextManager[Any]]


@contextlib.contextmanager
def install_after_await() -> Iterator[None]:
    """The caller puts what it has read into the cache, when it gets to it (C-2, hazard 3)."""
    right = NearCache.load

    async def load(self: NearCache, *args: Any, **options: Any) -> Any:
        found = await right(self, *args, **options)
        if isinstance(found, SessionRecord):
            self.on_loaded(found)
        return found

    with mock.patch.object(NearCache, "load", load):
        yield


def commit_without_final_read() -> Any:
    """NOLOOP, and the commit script does not end with a read of the record (C-3, facts 4 and 5)."""
    return mock.patch.object(Server, "commits_end_with_a_read", new=False)


def creation_without_final_read() -> Any:
    """The same for a creation."""
    return mock.patch.object(Server, "creations_end_with_a_read", new=False)


@contextlib.contextmanager
def untracked_is_kept() -> Iterator[None]:
    """What was read or written without permission to track it is kept all the same (C-3)."""
    record, commit = Tracking.note_record, Tracking.note_commit
    with (
        mock.patch.object(Tracking, "note_record", lambda self, *args, tracked: record(self, *args, tracked=True)),
        mock.patch.object(Tracking, "note_commit", lambda self, *args, tracked: commit(self, *args, tracked=True)),
    ):
        yield


def lease_from_the_reply() -> Any:
    """The lease counts from the reply to the heartbeat (C-4)."""
    return mock.patch.object(NearCache, "on_heartbeat", lambda self, sent_at: self._lease.renew(self._clock()))


def heartbeat_like_ping() -> Any:
    """A heartbeat that a server answers which may not write (C-4, fact 12)."""
    return mock.patch.object(Server, "refuses_heartbeats", new=False)


def base_of_a_lost_history() -> Any:
    """Changes are merged into a copy that was dropped while they were on their way (C-1)."""

    def completed(self: Reading, session: Any) -> Any:
        return session if self.base is None or isinstance(session, SessionRecord) else self.base.merged(session)

    return mock.patch.object(Reading, "_completed", completed)


@contextlib.contextmanager
def half_of_the_pair_resent() -> Iterator[None]:
    """After NOSCRIPT only the script is sent again, without its permission, and the copy is kept meanwhile (C-3, fact
    5b).
    """
    pair, note = TrackedChange.pack, Tracking.note_commit

    def pack(self: TrackedChange, packer: Any, *, whole: bool = False, resend: bool = False) -> bytes:
        packer._known_scripts.add(self.script.sha1)  # it is sent by name at first, whatever the server has
        wire = pair(self, packer, whole=whole, resend=resend)
        if whole and self.tracked is None:
            self.tracked = True
            return wire.removeprefix(tracking._PERMISSION)
        return wire

    def note_commit(self: Tracking, delta: Any, successor: Any, outcome: Any, *, tracked: bool) -> SessionRecord | None:
        return None if outcome is None else note(self, delta, successor, outcome, tracked=tracked)

    with mock.patch.object(TrackedChange, "pack", pack), mock.patch.object(Tracking, "note_commit", note_commit):
        yield


def own_commit_keeps_the_entry() -> Any:
    """The reply to an own commit does nothing to the entry (C-9)."""
    return mock.patch.object(Tracking, "note_commit")


@contextlib.contextmanager
def _recalling(change: Callable[[NearCache, Any, Seen | None], Seen | None]) -> Iterator[None]:
    right = NearCache.lookup
    with mock.patch.object(NearCache, "lookup", lambda self, key, mark: right(self, key, change(self, key, mark))):
        yield


def unknown_watermark_is_zero() -> Any:
    """Who brings no watermark is taken for one who has seen nothing (C-11)."""

    def change(cache: NearCache, key: Any, mark: Seen | None) -> Seen | None:
        held = cache.get_base(key)
        return Seen(held.incarnation, 0) if mark is None and held is not None else mark

    return _recalling(change)


def watermark_ignored() -> Any:
    """What the client has seen does not count (C-11)."""
    return _recalling(lambda _, __, mark: None if mark is None else Seen(mark.incarnation, 0))


def lease_ignored() -> Any:
    """A copy is served for as long as nothing is heard (C-4)."""

    def change(cache: NearCache, _: Any, mark: Seen | None) -> Seen | None:
        cache._lease.fresh_until = float("inf")
        return mark

    return _recalling(change)


def expiry_ignored() -> Any:
    """A copy is served although the session may be over by the store's time (C-16)."""

    def change(cache: NearCache, _: Any, mark: Seen | None) -> Seen | None:
        cache._margin_ms = -(10**9)  # type: ignore[misc]  # final, but for a mutant
        return mark

    return _recalling(change)


def push_ignored() -> Any:
    """Nobody listens."""
    return mock.patch.object(NearCache, "on_changed")


def flush_ignored() -> Any:
    """The push that tells that everything has changed names no key (fact 9)."""
    right = Tracking.take_push
    return mock.patch.object(Tracking, "take_push", lambda self, push: push[1] and right(self, push))


def lost_connection_ignored() -> Any:
    """The copies outlive the connection over which they came (C-1)."""
    return mock.patch.object(Tracking, "lose")


@contextlib.contextmanager
def canary_ignored() -> Iterator[None]:
    """Nobody notices that pushes do not arrive (F-13)."""
    right = Heartbeat.take_beat

    def take_beat(self: Heartbeat, *args: Any) -> None:
        self._canary_seen = True
        right(self, *args)

    with mock.patch.object(Heartbeat, "take_beat", take_beat):
        yield


def count_ignored() -> Any:
    """What the server has sent is not compared with what has come, so a lapse of pushes goes unnoticed (C-22)."""

    def take(self: ByteCount, *_: Any) -> None:
        self.verdict = Verdict.COMPLETE

    return mock.patch.object(ByteCount, "take", take)


def deadline_ignored() -> Any:
    """A change is made although its caller has given it up (C-20)."""
    return mock.patch.object(Server, "heeds_deadlines", new=False)


def nothing_renewed_after_fork() -> Any:
    """A forked child goes on with what its parent had drawn, and so has its name (C-21)."""
    return mock.patch.object(LoopBoundStore, "renew_after_fork")


@contextlib.contextmanager
def origin_ignored() -> Iterator[None]:
    """Nobody notices that the list of members is another one, or that this node is not in it (C-25)."""
    right = Heartbeat.take_beat

    def take_beat(self: Heartbeat, beat: Any, sent_at: float) -> None:
        now_ms, timeline, replicas, _, _, *look = beat
        right(self, [now_ms, timeline, replicas, 1, now_ms, *look], sent_at)

    with mock.patch.object(Heartbeat, "take_beat", take_beat):
        yield


@contextlib.contextmanager
def reads_joined_under_way() -> Iterator[None]:
    """Who comes while a read is under way gets its answer (F-22)."""
    right = SingleFlight.run

    async def run(self: Any, key: bytes, read: Any, *, deadline: float) -> Any:
        flight = self._flights.get(key)
        if flight is None:
            return await right(self, key, read, deadline=deadline)
        place = asyncio.get_running_loop().create_future()
        flight.boarded.append(place)
        return await place

    with mock.patch.object(SingleFlight, "run", run):
        yield


def merged_blindly() -> Any:
    """Only what was committed is written into the copy, whoever else has committed in between (hazard 8)."""

    def state_after(held: SessionRecord, delta: Any, successor: Any, outcome: Any) -> SessionRecord | None:
        return held.after(delta, replace(outcome, changes=None), successor) if outcome.version else None

    return mock.patch.object(tracking, "_state_after", state_after)


def barrier_does_not_wait() -> Any:
    """The barrier returns at once (C-15)."""

    async def wait(*_: Any, **__: Any) -> None:
        return

    return mock.patch.object(store, "wait_for_members", wait)


def barrier_counts_beats() -> Any:
    """The barrier takes a beat that the store has seen for one whose reply the node has seen (C-15)."""

    def may_serve(self: Any, since_ms: int, now_ms: int) -> bool:
        return bool(self.beat_ms <= since_ms and now_ms <= self.beat_ms + self.lease_ms + 50)

    return mock.patch.object(members.Member, "may_serve", may_serve)


def snapshots_altered_in_place() -> Any:
    """A new state is made by writing into the old one (K-11)."""

    def altered(self: StoredAttributes, changed: Any, removed: Any = ()) -> StoredAttributes:
        for name in removed:
            self.raw.pop(name, None)
        self.raw.update(changed)
        return self

    return mock.patch.object(StoredAttributes, "altered", altered)


MUTANTS: dict[Mutant, str] = {
    install_after_await: "cold",
    commit_without_final_read: "tabs",
    creation_without_final_read: "creator",
    untracked_is_kept: "untracked",
    heartbeat_like_ping: "demotion",
    base_of_a_lost_history: "lost_history",
    half_of_the_pair_resent: "noscript",
    own_commit_keeps_the_entry: "tabs",
    unknown_watermark_is_zero: "forgetful",
    watermark_ignored: "hop",
    lease_ignored: "slow",
    expiry_ignored: "idle",
    push_ignored: "hop",
    flush_ignored: "flush",
    lost_connection_ignored: "cut",
    canary_ignored: "silence",
    count_ignored: "lapse",
    deadline_ignored: "late",
    nothing_renewed_after_fork: "fork",
    origin_ignored: "emptied",
    reads_joined_under_way: "cold",
    merged_blindly: "tabs",
    barrier_does_not_wait: "barrier",
    barrier_counts_beats: "barrier",
    snapshots_altered_in_place: "tabs",
}
"""With the scenario in which each is found."""
