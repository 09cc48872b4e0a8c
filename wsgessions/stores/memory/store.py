"""Sessions in the memory of this process: for tests, for experiments, and as a reference implementation of the
contract.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Collection
from operator import itemgetter
from typing import Final

from ...record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    Place,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
)
from ...record.clock import StoreClock
from ...record.struct import replace
from ...store.constants import DEFAULT_GRACE
from ...store.contract import NEVER
from ...store.listing import Names, Position, SessionHead, SessionPage
from .commit import commit, led_on
from .entry import StoredSession

__all__ = ["MemoryStore"]

_REMOVALS_PER_CREATION: Final = 8


class MemoryStore:
    """A `Store` that can count, list, index and keep the secret. It may be used from any thread and event loop.

    Args:
        clock: the store's time; by default that of this machine, which no step of its wall clock moves.
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
    """

    def __init__(self, *, clock: StoreClock | None = None, grace: float = DEFAULT_GRACE) -> None:
        self.clock: StoreClock = clock or StoreClock()
        self._grace: Final = round(grace * 1000)
        self._entries: dict[bytes, StoredSession] = {}
        self._due: list[tuple[int, bytes]] = []
        self._secret: bytes | None = None
        self._lock = threading.Lock()

    async def start(self, *, deadline: float = NEVER) -> None:
        """There is no connection to make."""

    async def close(self) -> None:
        """There is nothing to free: the sessions live as long as this object."""

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        with self._lock:
            now = self.clock.now_ms()
            self._remove_some(now)
            there = self._entries.get(new.key.digest)
            if there is not None:
                same = there.incarnation == new.incarnation and there.usable(now, 0)
                return there.record() if same else None
            entry = StoredSession.begun(new, now)
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

    async def rotate(self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER) -> CommitOutcome:
        with self._lock:
            return self._commit(delta, successor)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        with self._lock:
            now = self.clock.now_ms()
            for entry in filter(None, (self._entries.get(key.digest) for key in keys)):
                if entry.usable(now, self._grace):
                    entry.expires = max(entry.expires, entry.idle_end(now))

    async def end_forward(self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER) -> None:
        with self._lock:
            now = self.clock.now_ms()
            for entry in filter(None, (self._entries.get(key.digest) for key in keys)):
                if entry.end_forward(now, grace_ms):
                    self._keep(entry)

    async def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        with self._lock:
            entry, now = self._entries.get(key.digest), self.clock.now_ms()
            while entry is not None and entry.moved is not None and entry.leads_until > now:
                entry = self._entries.get(entry.moved.key.digest)
            return entry is not None and entry.was_replaced(now)

    async def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> bool:
        with self._lock:
            entry, now = self._entries.get(key.digest), self.clock.now_ms()
            while entry is not None and entry.moved is not None:  # it ends the session itself, at any time (S-07)
                entry = self._entries.get(entry.moved.key.digest)
            if entry is None or entry.tombstone_until is not None:
                return False
            existed = entry.usable(now, self._grace)
            entry.end(now, by_client=by_client)
            self._keep(entry)
            return existed

    async def count(self, *, deadline: float = NEVER) -> int:
        """See `Countable.count`."""
        with self._lock:
            now = self.clock.now_ms()
            return sum(entry.usable(now, 0) for entry in self._entries.values())

    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        """See `Listing.page`."""
        after = Position.read(cursor)
        with self._lock:
            now = self.clock.now_ms()
            live = (entry for entry in self._entries.values() if entry.usable(now, 0))
            placed = ((Position.at(0, entry.expires, entry.key.digest), entry) for entry in live)
            beyond = (each for each in placed if each[0] > after)
            found = heapq.nsmallest(limit + 1, beyond, key=itemgetter(0))
            heads = [SessionHead.of(entry.record(), names) for _, entry in found[:limit]]
        return SessionPage(heads, found[limit - 1][0].cursor if len(found) > limit else None)

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        """See `Listing.with_ref`."""
        with self._lock:
            now = self.clock.now_ms()
            live = (entry for entry in self._entries.values() if entry.usable(now, 0))
            return [SessionHead.of(entry.record(), names) for entry in live if entry.key.ref == ref]

    async def keys_of(self, principal: str, *, deadline: float = NEVER) -> list[SessionKey]:
        """See `Indexing.keys_of`."""
        with self._lock:
            bound = (entry for entry in self._entries.values() if entry.binding is not None)
            return [entry.key for entry in bound if entry.binding and entry.binding.principal == principal]

    async def heads_of(
        self, principal: str, keys: Collection[SessionKey], *, names: Names = (), deadline: float = NEVER
    ) -> list[SessionHead]:
        """See `Indexing.heads_of`."""
        with self._lock:
            now = self.clock.now_ms()
            found = filter(None, (self._entries.get(key.digest) for key in keys))
            mine = (entry for entry in found if entry.binding and entry.binding.principal == principal)
            return [SessionHead.of(entry.record(), names) for entry in mine if entry.usable(now, 0)]

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`."""
        with self._lock:
            self._secret = self._secret or proposal
            return self._secret

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """See `SecretKeeping.follow_secret`: it lives as long as this object, like the sessions."""

    # What a commit does; the lock is held

    def _commit(self, delta: SessionDelta, successor: RotationTarget | None, *, onward: bool = True) -> CommitOutcome:
        entry, now = self._entries.get(delta.key.digest), self.clock.now_ms()
        if entry is None or entry.incarnation != delta.incarnation:
            return CommitOutcome(CommitStatus.GONE)
        outcome = entry.remembered(delta.commit_id)
        if outcome is not None:
            return outcome
        if onward and entry.moved is not None and entry.leads_until > now:
            return self._commit_onward(delta, successor, entry.moved)
        if not entry.usable(now, self._grace):
            return CommitOutcome(CommitStatus.GONE)
        outcome = commit(entry, delta, now, room=successor is None or successor.key.digest not in self._entries)
        if successor is not None and outcome.status is CommitStatus.APPLIED:
            heir = entry.moved_to(successor, now)
            self._keep(entry)
            self._keep(heir)
        return outcome

    def _commit_onward(self, delta: SessionDelta, successor: RotationTarget | None, place: Place) -> CommitOutcome:
        delta, needed = led_on(delta, successor, place)
        outcome = self._commit(delta, needed, onward=False)
        return outcome if needed is not None else replace(outcome, moved=place)

    # What is kept, and for how long; the lock is held

    def _keep(self, entry: StoredSession) -> None:
        self._entries[entry.key.digest] = entry
        heapq.heappush(self._due, (entry.obsolete_at(self._grace), entry.key.digest))

    def _remove_some(self, now: int) -> None:
        """Remove ended entries, a few at a time, so that removal keeps up with creation."""
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
