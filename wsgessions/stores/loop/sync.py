"""Synchronous calls of a store: in a thread, or in a function of a web framework (R-57)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar, runtime_checkable

from ...errors import ConfigError
from ...store.capabilities import find_capability
from ...store.contract import NEVER, Store

__all__ = ["SyncBridge", "is_in_store_loop", "run_at_once", "wait_for"]

T = TypeVar("T")


@runtime_checkable
class SyncBridge(Protocol):
    """The capability of a store that lives in an event loop: to run there what a thread waits for."""

    def in_store_loop(self) -> bool:
        """Whether the caller runs in that very loop, which would stand still while it waits."""
        ...

    def run_blocking(self, work: Callable[[], Coroutine[Any, Any, T]], *, deadline: float = NEVER) -> T:
        """Run a coroutine in that loop, and wait for its end here.

        Args:
            work: makes the coroutine.
            deadline: as for `Store`; the coroutine observes it by itself, and this one is for a loop that hangs.

        Raises:
            StoreUnavailable: the loop has ended, or hangs.
        """
        ...


def is_in_store_loop(store: Store) -> bool:
    """Whether waiting for the store in this place would be for ever, see `SyncBridge.in_store_loop`."""
    hosting = find_capability(store, SyncBridge)
    return hosting is not None and hosting.in_store_loop()


def wait_for(store: Store, work: Callable[[], Coroutine[Any, Any, T]], *, deadline: float = NEVER) -> T:
    """The result of a coroutine that waits for nothing but the store; arguments as of `SyncBridge.host`.

    Raises:
        StoreUnavailable: as for the store's own methods.
        ConfigError: the store waits for something else, without an event loop of its own.
    """
    hosting = find_capability(store, SyncBridge)
    if hosting is not None:
        return hosting.run_blocking(work, deadline=deadline)
    return run_at_once(work)


def run_at_once(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine that never waits, such as all of `wsgessions.stores.memory.store`.

    Raises:
        ConfigError: it does wait.
    """
    coroutine = work()
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise ConfigError(
        "this store cannot be waited for outside of coroutines",
        setting="store",
        hint="wrap it: LoopBoundStore(lambda: store)",
    )
