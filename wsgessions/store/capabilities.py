"""What a store may be able to do beyond the contract: one protocol for each capability.

A store has a capability by implementing its protocol; `find_capability` finds it in any layer. What a store lacks
besides is said by `LimitedStore`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from functools import cache
from typing import Protocol, TypeVar, cast, runtime_checkable

from ..record import SessionKey, SessionRecord
from .cache_statistics import CacheStatistics
from .contract import NEVER, Store

__all__ = [
    "Barrier",
    "CacheLookup",
    "Capability",
    "Countable",
    "HistoryCheck",
    "LimitedStore",
    "PrimaryCheck",
    "SecretKeeping",
    "SeenState",
    "TouchBuffer",
    "find_capability",
]

Found = TypeVar("Found")


@runtime_checkable
class Countable(Protocol):
    """The capability to count live sessions, over the whole cluster (E-7)."""

    async def count(self, *, deadline: float = NEVER) -> int:
        """The number of sessions that have not expired, each segment exact, the sum approximately simultaneous."""
        ...


@runtime_checkable
class SecretKeeping(Protocol):
    """The capability to agree on one secret among all nodes without configuration (C-11)."""

    async def shared_secret(self, proposal: bytes, *, deadline: float = NEVER) -> bytes:
        """The cluster's secret: the first proposal ever made under this namespace.

        Args:
            proposal: 32 random bytes, used if there is no secret yet.
        """
        ...

    def follow_secret(self, known: bytes, tell: Callable[[bytes], None]) -> None:
        """Register a callback for a change of the secret, as after the store was emptied (C-25).

        Args:
            known: the secret. It is proposed again if the store has lost it.
            tell: a bound method, called with the new secret in the event loop of the store. It is held weakly, since a
                store with a strong reference to its manager would never be collected with it.
        """
        ...


class SeenState(Protocol):
    """A state that a client is known to have seen, such as a `wsgessions.credentials.watermark.Watermark`."""

    @property
    def incarnation(self) -> int: ...
    @property
    def version(self) -> int: ...


@runtime_checkable
class CacheLookup(Protocol):
    """The capability to serve a session from memory (C-11)."""

    @property
    def statistics(self) -> CacheStatistics:
        """What was served from memory, and why the rest was not."""
        ...

    def lookup(self, key: SessionKey, mark: SeenState | None) -> SessionRecord | None:
        """The session in a state that is provably fresh and not older than ``mark``, or None: ask `Store.load`.

        Never waits, and may be called from any thread.

        Args:
            key: the session.
            mark: the state that its client is known to have seen; None if that is not known, and then the result is
                None.
        """
        ...


@runtime_checkable
class TouchBuffer(Protocol):
    """The capability to buffer uses of sessions, which are sent to the store later (C-16)."""

    def note_use(self, key: SessionKey) -> bool:
        """Count this as a use of the session, as `Store.touch` would. Never waits, and may be called from any thread.

        Returns:
            Whether it was buffered; if not, as in a store that is not started, call `Store.touch`.
        """
        ...

    def note_presented(self, old: SessionKey, grace_ms: int) -> bool:
        """Have `Store.end_forward` called for this key. Never waits, and may be called from any thread, any number of
        times.

        Returns:
            Whether it was noted.
        """
        ...


@runtime_checkable
class Barrier(Protocol):
    """The capability to wait until no node serves an outdated copy (C-15)."""

    async def barrier(self, *, deadline: float = NEVER) -> None:
        """Return when no node can serve a state any more that was replaced or deleted before this call.

        Raises:
            NonStopTimeout: a node may still serve it.
        """
        ...


@runtime_checkable
class PrimaryCheck(Protocol):
    """The capability to distinguish a primary from a server that was one (fact 12 of the design pages)."""

    async def confirm(self, *, deadline: float = NEVER) -> None:
        """Return if the connected server accepts writes, and so was the primary at its earlier answers.

        Raises:
            StoreUnavailable: it does not, or did not answer.
        """
        ...


@runtime_checkable
class HistoryCheck(Protocol):
    """The capability to tell a session that has ended from one that never was in the store."""

    async def never_had(self, key: SessionKey, *, since_us: int, deadline: float = NEVER) -> bool:
        """Whether there is no session with this key and, as far as the store remembers, there was none at an instant.

        False if the store may have forgotten it: it has another history than at that instant, or drops data.

        Args:
            key: the key.
            since_us: the instant in microseconds by the store's clock, at most `constants.TOMBSTONE_MS` ago.
            deadline: see `Store`.
        """
        ...


class Capability(Enum):
    """The capabilities that a store may lack, see `LimitedStore`."""

    DELTAS = "deltas"
    """Only changes are sent; else each commit sends the whole session."""
    COUNTING = "counting"
    """Sessions can be counted (`Countable`)."""
    LISTING = "listing"
    """All sessions can be listed (`wsgessions.store.listing.Listing`)."""
    INDEXING = "indexing"
    """The sessions of a principal can be found (`wsgessions.store.listing.Indexing`). The principal itself is kept by
    every store."""
    NEAR_CACHE = "near_cache"
    """Hot sessions are served from memory (`CacheLookup`); else each request reads the store."""
    ATOMIC_COMMITS = "atomic_commits"
    """Commits of different processes never undo each other. Within one process they never do."""
    ATOMIC_ROTATION = "atomic_rotation"
    """A rotation is one step; else there is an instant in which neither id leads to the session, and never one in which
    both do. A process that dies in that instant has ended the session."""
    ONE_CLOCK = "one_clock"
    """The store's clock decides when sessions end; else the clocks of the servers do, which must agree."""
    KEEPING = "keeping"
    """Sessions and tombstones are kept until their end; else eviction or a restart may remove them earlier. A late
    change is rejected then too, because there is no session, except for a creation that is sent again."""


@runtime_checkable
class LimitedStore(Protocol):
    """A store with missing capabilities. Any other store lacks only the protocols that it does not implement."""

    @property
    def missing_capabilities(self) -> frozenset[Capability]:
        """The missing capabilities. They do not change while the store exists."""
        ...


def find_capability(store: Store, capability: type[Found]) -> Found | None:
    """The outermost layer of ``store`` with a capability, or None. A layer names the one behind it ``below``.

    Args:
        store: the store.
        capability: the protocol. A layer has it if it has all its methods and properties.
    """
    # `isinstance` took most of the time of making a store, in Python 3.11.
    members = _members_of(capability)  # type: ignore[arg-type]  # mypy takes the type of a protocol for unhashable
    layer: object | None = store
    while layer is not None and [name for name in members if not hasattr(layer, name)]:
        layer = getattr(layer, "below", None)
    return cast("Found | None", layer)


@cache
def _members_of(capability: type) -> tuple[str, ...]:
    """The methods and properties of a protocol."""
    return tuple(name for name in vars(capability) if not name.startswith("_"))
