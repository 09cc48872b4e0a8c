"""The contract of a session store. A layer in front of another store is a `Store`, too.

Rules for the answers:

* **Missing, expired, tombstoned and unreadable are one answer: None.** A store never invents a session and never raises
  because of an id that a client sent. An unreadable record is kept for inspection, logged once and counted (R-20,
  R-21).
* **Errors are system faults only**: `StoreUnavailable` and its subclasses, which say nothing about the session.
  `NonStopTimeout` and a lost connection leave a write *unknown*: applied or not, never in part.
* **create never overwrites, apply never creates** (S-09, S-62). A deleted session stays deleted: until its tombstone
  expires, nothing is stored under that key again.
* **Every write is atomic and may be repeated**: a delta with the same ``commit_id`` and a creation with the same
  incarnation return the first outcome again (C-9, F-26); a session may be deleted twice, and the first call finds it.
* **Time is the store's** (C-16): the caller passes durations, and the store returns instants.

Calls for different sessions, and for one session, may overlap. Every call takes ``deadline``, an instant of
`time.monotonic` after which the caller no longer waits; it covers retries and reconnection. A call may be cancelled at
any await; a cancelled write is unknown, and the store stays usable.

`wsgessions.testing.StoreSuite` is this contract as tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Coroutine
from enum import Enum
from functools import cache
from typing import Any, Final, Protocol, TypeVar, cast, runtime_checkable

from ..record import (
    CommitOutcome,
    NewSession,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
)
from ..record.clock import StoreClock
from .cache_statistics import CacheStatistics

__all__ = [
    "NEVER",
    "Capability",
    "Barrier",
    "PrimaryCheck",
    "Countable",
    "HistoryCheck",
    "LimitedStore",
    "SeenState",
    "TouchBuffer",
    "CacheLookup",
    "SecretKeeping",
    "Store",
    "find_capability",
]

Found = TypeVar("Found")

NEVER: Final = math.inf
"""The deadline of a caller without a time limit."""


class Store(Protocol):
    """Keeps the sessions of one namespace and context. Its methods need not be coroutine functions."""

    @property
    def clock(self) -> StoreClock:
        """The store's time, as far as it is known here."""
        ...

    def start(self, *, deadline: float = NEVER) -> Coroutine[Any, Any, None]:
        """Connect and check that the store can be used; starting a started store does nothing.

        Raises:
            StoreUnavailable: the store cannot be reached in time. `start` may be called again.
            ConfigError: the store is reachable, but its configuration is not allowed.
        """
        ...

    def close(self) -> Coroutine[Any, Any, None]:
        """Free the resources of `start`. Closing a closed or never started store does nothing."""
        ...

    def create(self, new: NewSession, *, deadline: float = NEVER) -> Coroutine[Any, Any, SessionRecord | None]:
        """Store a new session, its idle time starting now.

        Returns:
            The stored record, or None if the key is in use or has a tombstone: draw another id.
        """
        ...

    def load(
        self, key: SessionKey, *, since: Seen | None = None, deadline: float = NEVER
    ) -> Coroutine[Any, Any, SessionRecord | SessionChanges | None]:
        """Read a session.

        Args:
            key: the session.
            since: the state the caller holds. If the session still has that incarnation, and no older version, the
                answer is a `SessionChanges`; otherwise the whole record.
        """
        ...

    def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> Coroutine[Any, Any, CommitOutcome]:
        """Change an existing session, all or nothing. The idle time starts anew."""
        ...

    def rotate(
        self, delta: SessionDelta, successor: RotationTarget, *, deadline: float = NEVER
    ) -> Coroutine[Any, Any, CommitOutcome]:
        """Apply ``delta`` and move the session to its successor's key, in one step.

        The old key holds a tombstone from then on; creation time, deadline and attributes are kept (S-06, K-12).

        A successor with a grace (`RotationTarget.forward_ms`) is a renewal of the id (S-07). Until the new id has been
        presented (`end_forward`), and for the grace after that, `load` of the old key returns the successor's record,
        and a commit under the old key changes the successor and says so (`CommitOutcome.moved`); a second renewal does
        so too, and moves nothing. This leads one step, so never past a later rotation or end, and not beyond the
        absolute deadline. `delete` of the old key ends the session at any time.

        A rotation that is sent again is answered as it was the first time. If its base was out of date and the session
        has ended since, a store may answer ``GONE``: the changes of other commits can no longer be returned.
        """
        ...

    def touch(self, keys: Collection[SessionKey], *, deadline: float = NEVER) -> Coroutine[Any, Any, None]:
        """Restart the idle time of these sessions; ended sessions are ignored (C-16).

        A use may be reported late: for a short grace after its idle time a session is not loaded any more, but can
        still be touched and changed (`constants.DEFAULT_GRACE`). The absolute deadline has no grace.
        """
        ...

    def end_forward(
        self, keys: Collection[SessionKey], *, grace_ms: int, deadline: float = NEVER
    ) -> Coroutine[Any, Any, None]:
        """The ids that sessions were renewed to have been presented (C-23).

        Args:
            keys: the old ones; `SessionRecord.renewed_from` has them. Keys without a forward are ignored.
            grace_ms: how long from now on they still lead to the sessions.
            deadline: see `Store`.
        """
        ...

    def delete(self, key: SessionKey, *, by_client: bool = False, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        """Remove a session and leave a tombstone.

        Args:
            key: the session.
            by_client: whether the client itself gives the id up, as at a logout; see `was_replaced`.
            deadline: see `Store`.

        Returns:
            Whether there was a session.
        """
        ...

    def was_replaced(self, key: SessionKey, *, deadline: float = NEVER) -> Coroutine[Any, Any, bool]:
        """Whether the client has given this id up a moment ago: by a rotation without grace, or by its own end (C-24).

        True for `constants.REPLACED_MS`: requests that were sent with it may still be on their way. False for an id
        that was never known, has expired, or was ended by others.
        """
        ...


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
