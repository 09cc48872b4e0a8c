"""Sessions in a cache of aiocache: for applications that have one already, memcached included.

A session is one document, which is read, changed here and written back whole by compare-and-swap; if another process
was faster, the change is repeated on the new document. No update is lost, but this is slow: see
`AiocacheStore.missing_capabilities`.

A rotation takes three such steps. The first replaces the session under its old key by a tombstone that contains the new
session; with it the rotation has happened. The second stores the session under its new key, and the third empties the
tombstone. A process that finds a tombstone with content completes the rotation; adding never overwrites, so it is done
once.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Collection, Coroutine
from typing import Any, Final, TypeVar

from ...errors import ConfigError, NonStopTimeout, StoreUnavailable
from ...internal import real_time as time
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
from ...store.capabilities import Capability
from ...store.constants import DEFAULT_GRACE
from ...store.contract import NEVER
from ..memory.commit import commit, led_on
from ..memory.entry import StoredSession
from .document import Document
from .document_slots import Cell, DocumentCells
from .slots import BackEnd, Cells

__all__ = ["AiocacheStore"]

T = TypeVar("T")

_ATTEMPTS: Final = 500
"""Attempts at one change. Each failed attempt means that another process has made a change."""
_FAREWELL: Final = 2.0
"""Seconds that closing waits for calls in progress."""
_ALWAYS: Final = frozenset(Capability) - {Capability.ATOMIC_COMMITS, Capability.KEEPING}


class AiocacheStore:
    """A `Store` that is also `SecretKeeping` and `LimitedStore`. Belongs to the event loop that uses it first.

    Args:
        alias: the name under which the application has configured the cache: ``aiocache.caches.set_config({...})``. Its
            back end, its address and its ``namespace``, ``key_builder`` and ``timeout`` are used; its serializer and
            its plugins are not.
        namespace: the prefix of all keys, after that of the alias.
        grace: seconds for which an idle session may still be touched or changed after its time, see `DEFAULT_GRACE`.
        allow_eviction: accept a Redis that evicts data when memory is short (C-18).
        clock: the time; by default that of this machine, since the back ends have none.

    Raises:
        ConfigError: there is no such alias, or its back end cannot be used.
    """

    def __init__(
        self,
        alias: str,
        *,
        namespace: str = "wsg",
        grace: float = DEFAULT_GRACE,
        allow_eviction: bool = False,
        clock: StoreClock | None = None,
    ) -> None:
        self.clock: StoreClock = clock or StoreClock()
        self._cells = Cells(alias)
        self._namespace = namespace
        self._grace: Final = round(grace * 1000)
        self._documents = DocumentCells(self._cells, namespace, self._grace, self.clock)
        self._allow_eviction = allow_eviction
        self._durable: bool | None = None
        self._started = False
        self._work: set[asyncio.Task[Any]] = set()
        self._locks: weakref.WeakValueDictionary[bytes, asyncio.Lock] = weakref.WeakValueDictionary()

    @property
    def back_end(self) -> BackEnd:
        """The kind of back end behind the alias."""
        return self._cells.back_end

    @property
    def missing_capabilities(self) -> frozenset[Capability]:
        """See `LimitedStore.missing_capabilities`."""
        lacks = set(_ALWAYS)
        if not self._cells.swaps:
            lacks.add(Capability.ATOMIC_COMMITS)
        if self._allow_eviction or self.back_end is not BackEnd.REDIS:
            lacks.add(Capability.KEEPING)
        return frozenset(lacks)

    def check_fit_for_production(self, *, allow_clear_text: bool, allow_volatile: bool) -> None:
        """Reject a back end that is volatile, or remote without encryption, since aiocache does not support TLS
        (R-07).
        """
        self._durable = not allow_volatile
        if self.back_end is BackEnd.MEMORY:
            message, hint = "it loses all sessions when the process ends, and env is production", "name a real back end"
        elif self.back_end is not BackEnd.REDIS and not self._allow_eviction:
            message = f"a back end of the kind {self.back_end.value} may forget sessions, and env is production"
            hint = "set allow_eviction if losing sessions is acceptable, else use a Redis or Valkey"
        elif not (self._cells.is_local or allow_clear_text):
            message = "sessions would leave this machine in clear text, and env is production"
            hint = "use a store of valkeys://; where the network itself encrypts, set allow_clear_text"
        else:
            return
        raise ConfigError(message, setting="store_url", hint=hint)

    async def start(self, *, deadline: float = NEVER) -> None:
        if not self._started:
            await self._carry(self._cells.check(allow_eviction=self._allow_eviction, durable=self._durable), deadline)
            self._started = True

    async def close(self) -> None:
        self._started = False
        if self._work:
            await asyncio.wait(self._work, timeout=_FAREWELL)
        await self._cells.close()

    async def create(self, new: NewSession, *, deadline: float = NEVER) -> SessionRecord | None:
        return await self._carry(self._create(new, deadline), deadline)

    async def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> SessionRecord | SessionChanges | None:
        return await self._carry(self._load(key, since), deadline)

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        return await self._carry(self._commit(delta, None, deadline), deadline)

    async def rotate(self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER) -> CommitOutcome:
        return await self._carry(self._commit(delta, successor, deadline), deadline)

    async def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> None:
        def use(entry: StoredSession, now: int) -> bool:
            until = entry.idle_end(now)
            if not entry.usable(now, self._grace) or until <= entry.expires:
                return False
            entry.expires = until
            return True

        await self._carry(self._change_all(keys, use, deadline), deadline)

    async def end_forward(self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER) -> None:
        def end(entry: StoredSession, now: int) -> bool:
            return entry.end_forward(now, grace_ms)

        await self._carry(self._change_all(keys, end, deadline), deadline)

    async def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> bool:
        return await self._carry(self._delete(key, by_client, deadline), deadline)

    async def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> bool:
        return await self._carry(self._was_replaced(key), deadline)

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """See `SecretKeeping.shared_secret`. A back end that evicts may evict this, too."""
        return await self._carry(self._secret(proposal), deadline)

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """See `SecretKeeping.follow_secret`. A back end does not report that it was emptied, so no callback is made."""

    # Each call runs in a task of the store: the caller may stop waiting, and a started change is completed. But no
    # change is started after the deadline (C-20): a late swap fails if another process was faster, and a late addition
    # is a session with an id that no client has.

    async def _carry(self, work: Coroutine[Any, Any, T], deadline: float) -> T:
        task = asyncio.get_running_loop().create_task(work)
        self._work.add(task)
        task.add_done_callback(self._done)
        await asyncio.wait({task}, timeout=None if deadline == NEVER else max(0.0, deadline - time.monotonic()))
        if not task.done():
            raise NonStopTimeout("the cache did not answer in time", unknown=True)
        return task.result()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._work.discard(task)
        if not task.cancelled():
            task.exception()  # the caller may have stopped waiting

    async def _create(self, new: NewSession, deadline: float) -> SessionRecord | None:
        for _ in range(_ATTEMPTS):
            _check_time(deadline)
            entry = StoredSession.begun(new, self.clock.now_ms())
            if await self._documents.add(Document(entry)):
                return entry.record()
            cell = await self._documents.read(new.key)
            if cell.token is not None:
                there = cell.entry
                same = there is not None and there.incarnation == new.incarnation
                return there.record() if there and same and there.usable(self.clock.now_ms(), 0) else None
        raise _too_busy()

    async def _load(self, key: SessionKey, since: Seen | None) -> SessionRecord | SessionChanges | None:
        cell, now = await self._documents.read(key), self.clock.now_ms()
        entry = cell.entry
        if entry is not None and entry.moved is not None and entry.leads_until > now:
            await self._documents.settle(cell.document)
            entry, since = (await self._documents.read(entry.moved.key)).entry, None
        if entry is None or not entry.usable(now, 0):
            return None
        if since is None or since.incarnation != entry.incarnation or not entry.in_history(since.version):
            return entry.record()
        return entry.changes(since.version)

    async def _was_replaced(self, key: SessionKey) -> bool:
        entry, now = (await self._documents.read(key)).entry, self.clock.now_ms()
        while entry is not None and entry.moved is not None and entry.leads_until > now:
            entry = (await self._documents.read(entry.moved.key)).entry
        return entry is not None and entry.was_replaced(now)

    async def _delete(self, key: SessionKey, by_client: bool, deadline: float) -> bool:
        existed = False

        def end(entry: StoredSession, now: int) -> bool:
            nonlocal existed
            existed = entry.usable(now, self._grace)
            if entry.tombstone_until is not None:
                return False
            entry.end(now, by_client=by_client)
            return True

        cell = await self._change(key, end, deadline)
        while cell.entry is not None and cell.entry.moved is not None:  # it ends the session itself, at any time (S-07)
            await self._documents.settle(cell.document)
            cell = await self._change(cell.entry.moved.key, end, deadline)
        return existed

    async def _change_all(
        self, keys: Collection[SessionKey], change: Callable[[StoredSession, int], bool], deadline: float
    ) -> None:
        await asyncio.gather(*(self._change(key, change, deadline) for key in keys))

    async def _change(self, key: SessionKey, change: Callable[[StoredSession, int], bool], deadline: float) -> Cell:
        """Apply ``change``, which returns whether it changed anything, to the content of a key. Returns the content."""
        async with self._lock(key):
            for _ in range(_ATTEMPTS):
                cell = await self._documents.read(key)
                if cell.document is None or not change(cell.document.entry, self.clock.now_ms()):
                    return cell
                _check_time(deadline)
                if await self._documents.swap(cell.document, cell.token):
                    return cell
        raise _too_busy()

    async def _commit(
        self, delta: SessionDelta, successor: RotationTarget | None, deadline: float, *, onward: bool = True
    ) -> CommitOutcome:
        async with self._lock(delta.key):
            outcome = await self._commit_here(delta, successor, deadline, onward=onward)
        if isinstance(outcome, CommitOutcome):
            return outcome
        delta, needed = led_on(delta, successor, outcome)
        there = await self._commit(delta, needed, deadline, onward=False)
        return there if needed is not None else replace(there, moved=outcome)

    async def _commit_here(
        self, delta: SessionDelta, successor: RotationTarget | None, deadline: float, *, onward: bool
    ) -> CommitOutcome | Place:
        """The outcome, or the present place of the session."""
        for _ in range(_ATTEMPTS):
            cell, now = await self._documents.read(delta.key), self.clock.now_ms()
            entry = cell.entry
            if entry is None or entry.incarnation != delta.incarnation:
                return CommitOutcome(CommitStatus.GONE)
            known = entry.remembered(delta.commit_id)
            if known is not None:
                await self._documents.settle(cell.document)
                return await self._told_again(entry, delta, successor, known)
            if onward and entry.moved is not None and entry.leads_until > now:
                await self._documents.settle(cell.document)
                return entry.moved
            if not entry.usable(now, self._grace):
                return CommitOutcome(CommitStatus.GONE)
            room = successor is None or (await self._documents.read(successor.key)).token is None
            outcome = commit(entry, delta, now, room=room)
            if outcome.status is not CommitStatus.APPLIED:
                return outcome
            document = Document(entry, None if successor is None else entry.moved_to(successor, now))
            _check_time(deadline)
            if await self._documents.swap(document, cell.token):
                await self._documents.settle(document)
                return outcome
        raise _too_busy()

    async def _told_again(
        self, entry: StoredSession, delta: SessionDelta, successor: RotationTarget | None, outcome: CommitOutcome
    ) -> CommitOutcome:
        """The outcome of a repeated commit, with the changes of others, which are not remembered with it."""
        if entry.tombstone_until is not None:
            moved = None if successor is None else (await self._documents.read(successor.key)).entry
            if moved is None or moved.tombstone_until is not None:
                return outcome
            entry = moved
        since = delta.base if entry.in_history(delta.base) else -1
        if since == outcome.previous and entry.version == outcome.version:
            return outcome
        return replace(outcome, changes=entry.changes(since))

    async def _secret(self, proposal: bytes) -> bytes:
        name = f"{self._namespace}:secret"
        for _ in range(_ATTEMPTS):
            if await self._cells.add(name, proposal, None):
                return proposal
            held = await self._cells.read(name)
            if held.value:
                return held.value
        raise _too_busy()

    def _lock(self, key: SessionKey) -> asyncio.Lock:
        """Serialises changes within a process, so that they need no second attempt."""
        return self._locks.setdefault(key.digest, asyncio.Lock())


def _check_time(deadline: float) -> None:
    """Raise NonStopTimeout if the caller's deadline has passed."""
    if time.monotonic() >= deadline:
        raise NonStopTimeout("the cache answered too late; nothing was changed")


def _too_busy() -> StoreUnavailable:
    return StoreUnavailable("other servers change this session all the time", hint="try again")
