"""How a near cache is filled and emptied: by the parser of a link, in stream order, and by nothing else (C-2).

A store that answers over a tracked link tells its `InvalidationListener` what each reply and each push means the moment
it is parsed. Nothing awaits in between, so that what the listener holds is at any instant what the stream has said.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ..record import SessionKey, SessionRecord
from ..store.cache_statistics import CacheStatistics, Loss
from .lease import Lease

__all__ = ["Feeding", "InvalidationListener"]


class InvalidationListener(Protocol):
    """What a parser tells. Called in the event loop of the link, never awaiting, in the order of the stream."""

    @property
    def statistics(self) -> CacheStatistics:
        """Where what the server says of its tracking is noted."""
        ...

    @property
    def generation(self) -> int:
        """Grows with each `on_lost`: what was `get_base` before may be of a history that is lost (C-1)."""
        ...

    def get_base(self, key: SessionKey) -> SessionRecord | None:
        """The state last installed for this session and not removed since: what a conditional read may rest on.

        It may have been changed at the store meanwhile, and then no longer is served.
        """
        ...

    def on_loaded(self, record: SessionRecord) -> None:
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
        """Tell ``cache`` everything from now on. Called once, before the store is started.

        Args:
            cache: whom to tell.
            lease: the one that the heartbeats renew, through ``cache``.
        """
        ...

    async def audit(self, key: SessionKey, *, deadline: float) -> None:
        """Read a session and tell only the cache: `InvalidationListener.audited`, in stream order."""
        ...
