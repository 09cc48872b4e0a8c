"""The interface by which the parser of a link, and no other code, fills and empties a near cache in stream order (C-2).

A store with a tracked link calls its `InvalidationListener` for each reply and each push at the moment it is parsed.
There is no await in between, so that the content of the listener always agrees with the stream.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..record import SessionKey, SessionRecord
from ..store.cache_statistics import CacheStatistics, Loss
from .lease import Lease

__all__ = ["Feeding", "InvalidationListener"]


class InvalidationListener(Protocol):
    """The calls of a parser, in the event loop of the link, without awaiting, in the order of the stream."""

    @property
    def statistics(self) -> CacheStatistics:
        """The statistics, in which the state of the server's tracking is recorded."""
        ...

    @property
    def generation(self) -> int:
        """Grows with each `on_lost`: what was `get_base` before may be of a history that is lost (C-1)."""
        ...

    def get_base(self, key: SessionKey, /) -> SessionRecord | None:
        """The state last installed for this session and not removed since: what a conditional read may rest on.

        It may have been changed in the store meanwhile; then it is not served any more.
        """
        ...

    def on_loaded(self, record: SessionRecord, /) -> None:
        """The session is in this state, and the server will push when that changes."""
        ...

    def on_base(self, record: SessionRecord) -> None:
        """The session was in this state, and no push tells when that changes: a base for the next read, no more."""
        ...

    def on_changed(self, digest: bytes) -> None:
        """Another process has written to the session with this digest, or the server no longer tracks it."""
        ...

    def on_removed(self, key: SessionKey) -> None:
        """The store has nothing, or nothing that is known here, under this key."""
        ...

    def on_lost(self, loss: Loss) -> None:
        """Forget everything, and serve nothing until `on_heartbeat`."""
        ...

    def on_heartbeat(self, sent_at: float) -> None:
        """The store has acknowledged a heartbeat that was sent at this instant of the lease's clock (C-4)."""
        ...

    def on_refused(self) -> None:
        """The store has refused a heartbeat: serve nothing until `on_heartbeat` (C-5)."""
        ...

    def audited(self, key: SessionKey, stored: SessionRecord | None) -> None:
        """An audit has found the session in this state, or has not found it (C-19)."""
        ...


@runtime_checkable
class Feeding(Protocol):
    """The capability of a store to feed a near cache."""

    def feed(self, cache: InvalidationListener, lease: Lease) -> None:
        """Call ``cache`` for all replies and pushes from now on. Called once, before the store is started.

        Args:
            cache: the listener.
            lease: the lease that the heartbeats renew, through ``cache``.
        """
        ...

    async def audit(self, key: SessionKey, *, deadline: float) -> None:
        """Read a session and pass it only to the cache: `InvalidationListener.audited`, in stream order."""
        ...
