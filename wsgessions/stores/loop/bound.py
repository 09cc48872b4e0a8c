"""One event loop holds the links of a process, for calls from all loops and threads (R-57).

A store with connections belongs to an event loop. A process may have several of those, one after another or at the same
time, and threads without any; and it may fork. `LoopBoundStore` is a layer before such a store and makes sure that
there is one of it per process, in one loop, the *store loop*:

* the loop that ran `LoopBoundStore.start`, as a server does at its start-up;
* without that, a loop of its own in a daemon thread.

Calls in the store loop are passed directly; others are sent there and wait for the answer. When the store loop ends, by
itself or by a fork, the next call makes a new store in a new store loop.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Collection, Coroutine
from functools import lru_cache
from typing import Any, Final, Self, TypeVar, cast

from ...errors import StoreUnavailable
from ...internal.after_fork import renew_in_children
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
from ...store.capabilities import find_capability
from ...store.contract import NEVER, Store
from .loop import Ask, StoreLoop

__all__ = ["LoopBoundStore", "capability_of"]

T = TypeVar("T")
P = TypeVar("P")

_FORWARDERS: Final[dict[type, type[LoopBoundStore]]] = {}
"""By capability: the class that passes the calls of it on."""


class LoopBoundStore:
    """A `Store` before another one that belongs to an event loop; may be called from any loop and thread.

    It has the capabilities of the store behind it, and no others; their classes are in `store`. Once closed, it refuses
    calls until it is started again.

    Args:
        factory: makes the store behind. Called at once, so that wrong settings show early, and again for each new store
            loop.
    """

    def __init_subclass__(cls, *, forwards: type | None = None) -> None:
        if forwards is not None:
            _FORWARDERS[forwards] = cls

    def __new__(cls, factory: Callable[[], Store]) -> Self:
        store = factory()
        kind = _kind_for(store) if cls is LoopBoundStore else cls
        homed = super().__new__(cast("type[Self]", kind))
        homed._store = store
        return homed

    def __init__(self, factory: Callable[[], Store]) -> None:
        self._store: Store
        self._factory = factory
        self._fresh = True
        self._closed = False
        self._home: StoreLoop | None = None
        self._lock = threading.Lock()
        renew_in_children(self)

    @property
    def clock(self) -> StoreClock:
        return self._store.clock

    async def start(self, *, deadline: float = NEVER) -> None:
        """Make the running event loop the store loop, unless there is one, and connect."""
        self._closed = False
        home = self._find_loop(StoreLoop.in_running_loop)
        if home.loop is asyncio.get_running_loop():
            await home.make_ready(deadline)
        else:
            await home.call(_nothing, deadline)

    async def close(self) -> None:
        with self._lock:
            home, self._home, self._closed = self._home, None, True
            self._serve_from(None)
        if home is None or not home.alive:
            return
        if home.loop is asyncio.get_running_loop():
            await home.close()
        elif home.thread is not None:
            await asyncio.to_thread(home.leave)
        else:
            await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(home.close(), home.loop))

    # These methods act as coroutine functions, but save a frame for each call.

    def create(self, new: NewSession, *, deadline: float = NEVER) -> Coroutine[Any, Any, SessionRecord | None]:
        return self._call_in_loop(lambda store: store.create(new, deadline=deadline), deadline)

    def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> Coroutine[Any, Any, SessionRecord | SessionChanges | None]:
        return self._call_in_loop(lambda store: store.load(key, since=since, deadline=deadline), deadline)

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        here = self._store_here()  # a commit is frequent, so it costs no function of its own
        if here is not None:
            return here.apply(delta, deadline=deadline)
        return self._call_from_other_loop(lambda store: store.apply(delta, deadline=deadline), deadline)

    def rotate(
        self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        return self._call_in_loop(lambda store: store.rotate(delta, successor, deadline=deadline), deadline)

    def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> Coroutine[Any, Any, None]:
        return self._call_in_loop(lambda store: store.touch(keys, deadline=deadline), deadline)

    def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return self._call_in_loop(lambda store: store.delete(key, by_client=by_client, deadline=deadline), deadline)

    def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        return self._call_in_loop(lambda store: store.was_replaced(key, deadline=deadline), deadline)

    async def end_forward(self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER) -> None:
        await self._call_in_loop(lambda store: store.end_forward(keys, grace_ms=grace_ms, deadline=deadline), deadline)

    def _call_in_loop(self, ask: Ask[T], deadline: float) -> Coroutine[Any, Any, T]:
        here = self._store_here()
        return self._call_from_other_loop(ask, deadline) if here is None else ask(here)

    def _store_here(self) -> Store | None:
        """The store, if it is ready and this is called in its loop."""
        home = self._home
        try:  # as `StoreLoop.is_running_here`
            return home.store if home is not None and home.ready and home.loop is asyncio.get_running_loop() else None
        except RuntimeError:
            return None

    def _ask(
        self, capability: type[P], ask: Callable[[P], Coroutine[Any, Any, T]], deadline: float
    ) -> Coroutine[Any, Any, T]:
        return self._call_in_loop(lambda store: ask(capability_of(store, capability)), deadline)

    async def _call_from_other_loop(self, ask: Ask[T], deadline: float) -> T:
        home = self._find_loop(StoreLoop.in_thread)
        if home.loop is asyncio.get_running_loop():
            return await home.serve(ask, deadline)
        return await home.call(ask, deadline)

    def in_store_loop(self) -> bool:
        home = self._home
        return home is not None and home.alive and home.is_running_here

    def run_blocking(self, work: Callable[[], Coroutine[Any, Any, T]], *, deadline: float = NEVER) -> T:
        return self._find_loop(StoreLoop.in_thread).run_blocking(work, deadline)

    def _find_loop(self, make: Callable[[Store], StoreLoop]) -> StoreLoop:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed", hint="start it again")
            if self._home is None or not self._home.alive:
                if not self._fresh:
                    self._store = self._factory()
                self._fresh = False
                self._home = make(self._store)
                self._serve_from(self._store)
                if self._home.thread is not None:
                    weakref.finalize(self, self._home.leave_if_in, os.getpid())
            return self._home

    def _serve_from(self, store: Store | None) -> None:
        """This is the store of a new store loop, which gets what the last one was told; or there is none for now.

        Calls that need no store loop are passed to it directly, from any thread; without one they are answered here.
        """

    def renew_after_fork(self) -> None:
        """Do not use the parent's store loop; its locks and threads do not work here (F-25).

        The store behind is made anew even if it was never used: its names for other nodes must be unique (C-21).
        """
        if self._home is not None:
            _left_to_parent.append(self._home)
        self._home, self._fresh = None, False
        self._serve_from(None)
        self._lock = threading.Lock()


def capability_of(store: Store, capability: type[P]) -> P:
    """The known capabilities of a store."""
    return cast("P", find_capability(store, capability))


def _kind_for(store: Store) -> type[LoopBoundStore]:
    """The class that has the capabilities of ``store`` and of what lies behind it, and no others."""
    kinds = tuple(kind for capability, kind in _FORWARDERS.items() if find_capability(store, capability) is not None)
    return _combined(kinds) if kinds else LoopBoundStore


@lru_cache
def _combined(kinds: tuple[type[LoopBoundStore], ...]) -> type[LoopBoundStore]:
    return type("LoopBoundStore", kinds, {"__doc__": LoopBoundStore.__doc__, "__module__": __name__})


_left_to_parent: Final[list[StoreLoop]] = []


async def _nothing(_: Store) -> None:
    pass
