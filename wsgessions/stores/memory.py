"""Sessions in the memory of this process: for tests, for trying out, and as the contract in plain Python."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from ..clock import StoreClock
from ..record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    Place,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
)
from .base import NEVER
from .figures import DEFAULT_GRACE, TOMBSTONE_MS
from .increments import sums
from .memory_entry import Attribute, Commit, Entry

__all__ = ["MemoryStore"]

_REMOVALS_PER_CREATION: Final = 8


class MemoryStore:
    """A `Store` that is also `Countable` and `SecretKeeping`. It may be used from any thread and event loop.

    Args:
        clock: the store's time; by default that of this machine, which no step of its wall clock moves.
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
    """

    def __init__(self, *, clock: StoreClock | None = None, grace: float = DEFAULT_GRACE) -> None:
        self.clock: StoreClock = clock or StoreClock()
        self._grace: Final = round(grace * 1000)
        self._entries: dict[bytes, Entry] = {}
        self._due: list[tuple[int, bytes]] = []
        self._secret: bytes | None = None
        self._lock = threading.Lock()

    async def start(self, *, deadline: float = NEVER) -> None:
        """Nothing to connect to."""

    async def close(self) -> None:
        """Nothing to free: the sessions live as long as this object."""

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        with self._lock:
            now = self.clock.now_ms()
            self._remove_some(now)
            there = self._entries.get(new.key.digest)
            if there is not None:
                same = there.incarnation == new.incarnation and there.usable(now, 0)
                return there.record() if same else None
            version = now * 1000
            entry = Entry(
                key=new.key,
                incarnation=new.incarnation,
                version=version,
                created=now,
                interval=new.interval_ms,
                deadline=now + new.lifetime_ms,
                expires=0,
                attributes={name: Attribute(version, raw) for name, raw in new.attributes.items()},
                floor=version,
            )
            entry.expires = entry.idle_end(now)
            self._keep(entry)
            return entry.record()

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        with self._lock:
            entry, now = self._entries.get(key.digest), self.clock.now_ms()
            if entry is not None and entry.moved is not None and entry.leads_until > now:
                entry, since = self._entries.get(entry.moved.key.digest), None
            if entry is None or not entry.usable(now, 0):
                return None
            if since is None or since.incarnation != entry.incarnation or not entry.in_history(since.version):
                return entry.record()
            return entry.changes(since.version)

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        with self._lock:
            return self._commit(delta, None)

    async def rotate(self, delta: SessionDelta, successor: Successor, *, deadline: float = NEVER) -> CommitOutcome:
        with self._lock:
            return self._commit(delta, successor)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        with self._lock:
            now = self.clock.now_ms()
            for entry in filter(None, (self._entries.get(key.digest) for key in keys)):
                if entry.usable(now, self._grace):
                    entry.expires = max(entry.expires, entry.idle_end(now))

    async def delete(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        with self._lock:
            entry, now = self._entries.get(key.digest), self.clock.now_ms()
            while entry is not None and entry.moved is not None:  # an end is meant for the session, however late (S-07)
                entry = self._entries.get(entry.moved.key.digest)
            if entry is None or entry.tombstone_until is not None:
                return False
            existed = entry.usable(now, self._grace)
            self._end(entry, now)
            return existed

    async def count(self, *, deadline: float = NEVER) -> int:
        """See `Countable.count`."""
        with self._lock:
            now = self.clock.now_ms()
            return sum(entry.usable(now, 0) for entry in self._entries.values())

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`."""
        with self._lock:
            self._secret = self._secret or proposal
            return self._secret

    # What a commit does; the lock is held

    def _commit(self, delta: SessionDelta, successor: Successor | None, *, onward: bool = True) -> CommitOutcome:
        entry, now = self._entries.get(delta.key.digest), self.clock.now_ms()
        if entry is None or entry.incarnation != delta.incarnation:
            return CommitOutcome(CommitStatus.GONE)
        for commit in entry.commits:
            if commit.id == delta.commit_id:
                return commit.outcome
        if onward and entry.moved is not None and entry.leads_until > now:
            return self._commit_onward(delta, successor, entry.moved)
        if not entry.usable(now, self._grace):
            return CommitOutcome(CommitStatus.GONE)
        since = delta.base if entry.in_history(delta.base) else -1
        refusal = self._conflict(entry, delta, since)
        if refusal is not None:
            return refusal
        added = sums(delta, lambda name: entry.attributes[name].raw if name in entry.attributes else None)
        computed = {name: raw for name, raw in added.items() if raw is not None}
        if len(computed) < len(added):
            names = tuple(name for name in added if name not in computed)
            return CommitOutcome(CommitStatus.NOT_A_NUMBER, entry.version, entry.version, entry.expires, names=names)
        if successor is not None and successor.key.digest in self._entries:
            return CommitOutcome(CommitStatus.CONFLICT, entry.version, entry.version, entry.expires)
        outcome = self._write(entry, delta, computed, since, now)
        if successor is not None:
            self._move(entry, successor, now)
        return outcome

    def _commit_onward(self, delta: SessionDelta, successor: Successor | None, place: Place) -> CommitOutcome:
        """Somebody else has renewed the id a moment ago: a renewal has nothing left to do, a rotation has (S-07)."""
        needed = successor if successor is not None and not successor.forward_ms else None
        delta = replace(delta, key=place.key, incarnation=place.incarnation)
        outcome = self._commit(delta, needed, onward=False)
        return outcome if needed is not None else replace(outcome, moved=place)

    @staticmethod
    def _conflict(entry: Entry, delta: SessionDelta, since: int) -> CommitOutcome | None:
        """The refusal, if a guarded attribute was written or removed after ``since``; an absent one may have been."""
        if since == entry.version:
            return None
        absent = Attribute(entry.removed, b"")
        names = tuple(name for name in delta.guarded if entry.attributes.get(name, absent).version > since)
        if not names:
            return None
        version, changes = entry.version, entry.changes(since)
        return CommitOutcome(CommitStatus.CONFLICT, version, version, entry.expires, changes=changes, names=names)

    @staticmethod
    def _write(entry: Entry, delta: SessionDelta, computed: dict[str, bytes], since: int, now: int) -> CommitOutcome:
        own = {*delta.changed, *delta.removed}
        overwritten = tuple(name for name in own if name in entry.attributes and entry.attributes[name].version > since)
        previous, was_removed = entry.version, entry.removed
        entry.version = max(previous + 1, now * 1000)
        for name in delta.removed:
            if entry.attributes.pop(name, None) is not None:
                entry.removed = entry.version
        for name, raw in {**delta.changed, **computed}.items():
            entry.attributes[name] = Attribute(entry.version, raw)
        entry.interval = entry.interval if delta.interval_ms is None else delta.interval_ms
        entry.expires = entry.idle_end(now)
        changes = None
        if since != previous:
            changes = entry.changes(since, own={*own, *computed}, removed=was_removed)
        outcome = CommitOutcome(
            CommitStatus.APPLIED, entry.version, previous, entry.expires, computed, changes, overwritten
        )
        entry.remember(Commit(delta.commit_id, outcome))
        return outcome

    def _move(self, entry: Entry, successor: Successor, now: int) -> None:
        moved = Entry(
            key=successor.key,
            incarnation=successor.incarnation,
            version=entry.version,
            created=entry.created,
            interval=entry.interval,
            deadline=entry.deadline,
            expires=entry.expires,
            attributes=entry.attributes,
            removed=entry.removed,
            floor=entry.floor,
            commits=entry.commits.copy(),
            rotated=entry.version,
        )
        if successor.forward_ms:
            entry.moved = Place(successor.key, successor.incarnation, entry.version)
            entry.leads_until = now + successor.forward_ms
        self._end(entry, now)
        self._keep(moved)

    # What is kept, and for how long; the lock is held

    def _keep(self, entry: Entry) -> None:
        self._entries[entry.key.digest] = entry
        heapq.heappush(self._due, (entry.obsolete_at(self._grace), entry.key.digest))

    def _end(self, entry: Entry, now: int) -> None:
        entry.attributes = {}
        entry.tombstone_until = now + TOMBSTONE_MS
        self._keep(entry)

    def _remove_some(self, now: int) -> None:
        """Remove what is over, a few at a time, so that as much goes as comes."""
        for _ in range(_REMOVALS_PER_CREATION):
            if not self._due or self._due[0][0] > now:
                return
            _, digest = heapq.heappop(self._due)
            entry = self._entries.get(digest)
            if entry is None:
                continue
            if entry.obsolete_at(self._grace) <= now:
                del self._entries[digest]
            else:
                self._keep(entry)
