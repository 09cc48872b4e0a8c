"""The contract of a session store. A layer in front of another store is a `Store`, too.

What only some stores can do is in `capabilities` and `listing`.

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
from collections.abc import Collection, Coroutine
from typing import Any, Final, Protocol

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

__all__ = ["NEVER", "Store"]

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
