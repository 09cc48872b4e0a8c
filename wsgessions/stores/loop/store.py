"""Where a store lives: one event loop holds the links of a process, whoever calls (R-57).

A store with connections belongs to an event loop. A process may have several of those, one after another or at the same
time, and threads without any; and it may fork. `HomedStore` stands before such a store and sees to it that there is one
of it per process, in one loop, its *home*:

* the loop that ran `HomedStore.start`, as a server does at its start-up;
* without that, a loop of its own in a daemon thread.

Calls on the home loop go straight through; others are carried there and back. When the home ends, with its loop or by a
fork, the next call makes a new store in a new home.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Collection, Coroutine
from functools import lru_cache
from typing import Any, Final, Self, TypeVar, cast

from ...cache.statistics import CacheStatistics
from ...errors import StoreUnavailable
from ...internal.after_fork import renew_in_children
from ...record import (
    CommitOutcome,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
)
from ...record.clock import StoreClock
from ...store.contract import (
    NEVER,
    Ability,
    Barring,
    Confirming,
    Countable,
    Indexing,
    Limited,
    Mark,
    Noting,
    Recalling,
    SecretKeeping,
    Store,
    find_power,
)
from ...store.followers import Followers
from ...store.listing import Listing, Names, SessionHead, SessionPage
from .loop import Ask, Home

__all__ = ["HomedStore"]

T = TypeVar("T")
P = TypeVar("P")


class HomedStore:
    """A `Store` before another one that belongs to an event loop; may be called from any loop and thread.

    It has the optional powers of the store behind it. Once it is closed it refuses calls until it is started again.

    Args:
        factory: makes the store behind. Called at once, so that wrong settings show early, and again for each new home.
    """

    def __new__(cls, factory: Callable[[], Store]) -> Self:
        store = factory()
        kind = _kind_for(store) if cls is HomedStore else cls
        homed = super().__new__(cast("type[Self]", kind))
        homed._store = store
        return homed

    def __init__(self, factory: Callable[[], Store]) -> None:
        self._store: Store
        self._factory = factory
        self._fresh = True
        self._closed = False
        self._home: Home | None = None
        self._recall: Callable[[SessionKey, Mark | None], SessionRecord | None]
        self._recalling_home: Home | None = None
        self._note_use: Callable[[SessionKey], bool]
        self._noting_home: Home | None = None
        self._lock = threading.Lock()
        renew_in_children(self)

    @property
    def clock(self) -> StoreClock:
        return self._store.clock

    async def start(self, *, deadline: float = NEVER) -> None:
        """Make the running event loop the home, unless there is one, and connect."""
        self._closed = False
        home = self._find_home(Home)
        if home.loop is asyncio.get_running_loop():
            await home.make_ready(deadline)
        else:
            await home.call(_nothing, deadline)

    async def close(self) -> None:
        with self._lock:
            home, self._home, self._closed = self._home, None, True
        if home is None or not home.alive:
            return
        if home.loop is asyncio.get_running_loop():
            await home.close()
        elif home.thread is not None:
            await asyncio.to_thread(home.leave)
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(home.close(), home.loop))

    # What follows are coroutine functions but for their spelling: a frame less for each call.

    def create(self, new: NewSession, *, deadline: float = NEVER) -> Coroutine[Any, Any, SessionRecord | None]:
        return self._at_home(lambda store: store.create(new, deadline=deadline), deadline)

    def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> Coroutine[Any, Any, SessionRecord | SessionChanges | None]:
        return self._at_home(lambda store: store.load(key, since=since, deadline=deadline), deadline)

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        return self._at_home(lambda store: store.apply(delta, deadline=deadline), deadline)

    def rotate(
        self, delta: SessionDelta, successor: Successor, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        return self._at_home(lambda store: store.rotate(delta, successor, deadline=deadline), deadline)

    def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> Coroutine[Any, Any, None]:
        return self._at_home(lambda store: store.touch(keys, deadline=deadline), deadline)

    def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return self._at_home(lambda store: store.delete(key, by_client=by_client, deadline=deadline), deadline)

    def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return self._at_home(lambda store: store.was_replaced(key, deadline=deadline), deadline)

    async def end_forward(self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER) -> None:
        await self._at_home(lambda store: store.end_forward(keys, grace_ms=grace_ms, deadline=deadline), deadline)

    def _at_home(self, ask: Ask[T], deadline: float) -> Coroutine[Any, Any, T]:
        home = self._home
        if home is not None and home.ready and _is_running(home.loop):
            return ask(home.store)
        return self._from_abroad(ask, deadline)

    async def _from_abroad(self, ask: Ask[T], deadline: float) -> T:
        home = self._find_home(Home.in_thread)
        if home.loop is asyncio.get_running_loop():
            return await home.serve(ask, deadline)
        return await home.call(ask, deadline)

    def is_home(self) -> bool:
        home = self._home
        return home is not None and home.alive and _is_running(home.loop)

    def host(self, work: Callable[[], Coroutine[Any, Any, T]], *, deadline: float = NEVER) -> T:
        return self._find_home(Home.in_thread).host(work, deadline)

    def _find_home(self, make: Callable[[Store], Home]) -> Home:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed", hint="start it again")
            if self._home is None or not self._home.alive:
                if not self._fresh:
                    self._store = self._factory()
                    self._prepare(self._store)
                self._fresh = False
                self._home = make(self._store)
                if self._home.thread is not None:
                    weakref.finalize(self, self._home.leave_if_in, os.getpid())
            return self._home

    def _prepare(self, store: Store) -> None:
        """Tell the store of a new home what the one before it was told."""

    def renew_after_fork(self) -> None:
        """Leave the parent's home alone; its locks and threads mean nothing here (F-25).

        The store behind is made anew even if it was never used: what names it to other nodes must be its own (C-21).
        """
        if self._home is not None:
            _left_to_parent.append(self._home)
        self._home = self._recalling_home = self._noting_home = None
        self._fresh = False
        self._lock = threading.Lock()


class _Counting(HomedStore):
    async def count(self, *, deadline: float = NEVER) -> int:
        return await self._at_home(lambda store: _power(store, Countable).count(deadline=deadline), deadline)


class _Listing(HomedStore):
    async def page(self, cursor: str | None, limit: int, *, names: Names = (), deadline: float = NEVER) -> SessionPage:
        return await self._at_home(
            lambda store: _power(store, Listing).page(cursor, limit, names=names, deadline=deadline), deadline
        )

    async def with_ref(self, ref: str, *, names: Names = (), deadline: float = NEVER) -> list[SessionHead]:
        return await self._at_home(
            lambda store: _power(store, Listing).with_ref(ref, names=names, deadline=deadline), deadline
        )


class _Indexing(HomedStore):
    async def keys_of(self, principal: str, *, deadline: float = NEVER) -> list[SessionKey]:
        return await self._at_home(lambda each: _power(each, Indexing).keys_of(principal, deadline=deadline), deadline)

    async def heads_of(
        self, principal: str, keys: Collection[SessionKey], *, names: Names = (), deadline: float = NEVER
    ) -> list[SessionHead]:
        return await self._at_home(
            lambda store: _power(store, Indexing).heads_of(principal, keys, names=names, deadline=deadline), deadline
        )


class _KeepingSecrets(HomedStore):
    def __init__(self, factory: Callable[[], Store]) -> None:
        super().__init__(factory)
        self._followers = Followers()
        self._secret = b""
        """The latest that was told; empty as long as it is not followed."""

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        return await self._at_home(
            lambda store: _power(store, SecretKeeping).shared_secret(proposal, deadline=deadline), deadline
        )

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        self._secret = known
        self._followers.add(tell)
        self._prepare(self._store)

    def _prepare(self, store: Store) -> None:
        if self._secret:
            _power(store, SecretKeeping).follow_secret(self._secret, self._learn)

    def _learn(self, secret: bytes) -> None:
        self._secret = secret
        self._followers.tell(secret)


class _Limited(HomedStore):
    @property
    def lacks(self) -> frozenset[Ability]:
        return _power(self._store, Limited).lacks


class _Barring(HomedStore):
    async def barrier(self, *, deadline: float = NEVER) -> None:
        await self._at_home(lambda store: _power(store, Barring).barrier(deadline=deadline), deadline)


class _Confirming(HomedStore):
    async def confirm(self, *, deadline: float = NEVER) -> None:
        await self._at_home(lambda store: _power(store, Confirming).confirm(deadline=deadline), deadline)


class _Noting(HomedStore):
    """Needs no home, but one that is ready: uses are noted from whatever thread they come."""

    def note_use(self, key: SessionKey) -> bool:
        home = self._home
        if home is None or not home.ready:
            return False
        if home is not self._noting_home:
            self._note_use, self._noting_home = _power(home.store, Noting).note_use, home
        return self._note_use(key)

    def note_presented(self, old: SessionKey, grace_ms: int) -> bool:
        home = self._home
        return home is not None and home.ready and _power(home.store, Noting).note_presented(old, grace_ms)


class _Recalling(HomedStore):
    """Answers from memory need no home either."""

    @property
    def statistics(self) -> CacheStatistics:
        return _power(self._store, Recalling).statistics

    def recall(self, key: SessionKey, mark: Mark | None) -> SessionRecord | None:
        home = self._home
        if home is None or not home.ready:
            return None
        if home is not self._recalling_home:
            self._recall, self._recalling_home = _power(home.store, Recalling).recall, home
        return self._recall(key, mark)


_POWERS: Final[tuple[tuple[type, type[HomedStore]], ...]] = (
    (Countable, _Counting),
    (Listing, _Listing),
    (Indexing, _Indexing),
    (SecretKeeping, _KeepingSecrets),
    (Limited, _Limited),
    (Barring, _Barring),
    (Confirming, _Confirming),
    (Noting, _Noting),
    (Recalling, _Recalling),
)


def _power(store: Store, power: type[P]) -> P:
    return cast("P", find_power(store, power))


def _kind_for(store: Store) -> type[HomedStore]:
    """The class that has the powers of ``store`` and of what lies behind it, and no others."""
    kinds = tuple(kind for power, kind in _POWERS if find_power(store, power) is not None)
    return _combined(kinds) if kinds else HomedStore


@lru_cache
def _combined(kinds: tuple[type[HomedStore], ...]) -> type[HomedStore]:
    return type("HomedStore", kinds, {"__doc__": HomedStore.__doc__, "__module__": __name__})


_left_to_parent: Final[list[Home]] = []


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether this is called in that loop."""
    try:
        return loop is asyncio.get_running_loop()
    except RuntimeError:  # in none: the coroutine is made here and run later
        return False


async def _nothing(_: Store) -> None:
    pass
