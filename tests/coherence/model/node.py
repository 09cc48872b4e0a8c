"""One process: the real near cache over the real store, on a link to the model."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast
from unittest import mock

from tests.coherence.model.link import ModelLink
from tests.coherence.model.loop import ModelLoop
from tests.coherence.model.server import Server
from wsgessions.clock import StoreClock
from wsgessions.stores.lease import Lease
from wsgessions.stores.near_cache import NearCache
from wsgessions.valkey.protocol import Ticket
from wsgessions.valkey.store import ValkeyStore
from wsgessions.valkey.tracking import Permitted

__all__ = ["HEARTBEAT", "LEASE", "Node"]

HEARTBEAT = 0.5
LEASE = 3 * HEARTBEAT
"""Seconds."""


class _ExactClock(StoreClock):
    """Knows the store's time: how well it is estimated is not what is explored here."""

    def __init__(self, now: Callable[[], float]) -> None:
        super().__init__(monotonic=now, wall=now)

    def observe(self, store_ms: int, *, sent_at: float) -> None:
        """Nothing to learn."""


class Node:
    """A process with its own event loop."""

    def __init__(self, number: int, now: Callable[[], float]) -> None:
        self.number = number
        self.loop = ModelLoop(now)  # type: ignore[abstract]  # nothing here deals with sockets
        with (
            mock.patch("wsgessions.valkey.store.Link", ModelLink),
            mock.patch("wsgessions.valkey.store.StoreClock", return_value=_ExactClock(now)),
        ):
            self.store = ValkeyStore(self.loop, reap_interval=None, concurrency=1, heartbeat=HEARTBEAT)  # type: ignore[arg-type]
        self.lease = Lease(LEASE, clock=now)
        self.cache = NearCache(self.store, lease=self.lease, max_bytes=1 << 20, audit_share=0.0)
        assert self.store.heartbeat is not None
        self.link = cast("ModelLink", self.store.link)

    def start(self, server: Server, *, beating: bool) -> None:
        """Connect, and begin to beat if wanted."""
        self.link.connect(server)
        if beating and self.store.heartbeat is not None:
            with mock.patch("secrets.token_bytes", lambda size: bytes([self.number]) * size):  # random otherwise
                self.loop.within(self.store.heartbeat.start)

    @property
    def heard_all(self) -> bool:
        """Whether everything that the primary has sent has been parsed."""
        connection = self.link.connection
        if connection is None or connection.mute or connection.server.readonly:
            return False
        return not connection.stream

    def fingerprint(self) -> object:
        """What decides what it does next."""
        link, heartbeat = self.link, self.store.heartbeat
        connection = link.connection
        sent = () if connection is None else (str(connection.inbox), str(connection.stream), connection.mute)
        copies = tuple(
            (digest, each.record.seen, each.record.expires_ms, each.current)
            for digest, each in self.cache.heap._by_digest.items()
        )
        beat = {name: value for name, value in vars(heartbeat).items() if isinstance(value, int | float | bytes)}
        return (
            sent,
            copies,
            self.lease.fresh_until,
            self.store.tracking.on,
            str(beat),
            tuple((bytes(each.wire), _progress(each), each.future.done()) for each in (*link.waiting, *link.backlog)),
            len(self.loop.ready),
            tuple(link.told) if self.loop.ready else (),
            tuple(sorted(round(each.when(), 3) for each in self.loop.timers if not each.cancelled())),
        )


def _progress(ticket: Ticket) -> object:
    """What it has been told of its answer so far."""
    return ticket._permitted if isinstance(ticket, Permitted) else len(ticket.replies or ())
