"""One process: the real near cache over the real store, on a link to the model."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import cast
from unittest import mock

from tests.coherence.model.link import ModelLink
from tests.coherence.model.loop import ModelLoop
from tests.coherence.model.server import Server
from wsgessions.cache.lease import Lease
from wsgessions.cache.near_cache import NearCache
from wsgessions.record.clock import StoreClock
from wsgessions.stores.loop.loop import StoreLoop
from wsgessions.stores.loop.store import LoopBoundStore
from wsgessions.stores.valkey import store as store_module
from wsgessions.stores.valkey.client.requests import PendingRequest, PipelineRequest
from wsgessions.stores.valkey.coherence import pace
from wsgessions.stores.valkey.coherence.tracking import TrackedChange
from wsgessions.stores.valkey.store import ValkeyStore

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

    def __init__(self, number: int, now: Callable[[], float], *, forked_from: Node | None = None) -> None:
        self.number = number
        self.draws = number
        """What stands for its random numbers."""
        self.loop = ModelLoop(now)  # type: ignore[abstract]  # nothing here deals with sockets
        self._now = now
        self.homed = LoopBoundStore(self._make_store) if forked_from is None else self._inherit(forked_from)
        self.store = cast("ValkeyStore", self.homed._store)
        self.lease = Lease(LEASE, clock=now)
        self.cache = NearCache(self.store, lease=self.lease, max_bytes=1 << 20, audit_share=0.0)
        assert self.store.heartbeat is not None
        self.link = cast("ModelLink", self.store.link)

    def _make_store(self) -> ValkeyStore:
        with (
            mock.patch.object(store_module, "Link", ModelLink),
            mock.patch.object(store_module, "StoreClock", partial(_ExactClock, self._now)),
            mock.patch.object(pace, "_LARGEST_FACTOR", 1),  # late beats are upsets of their own
        ):
            return ValkeyStore(self.loop, reap_interval=None, concurrency=1, heartbeat=HEARTBEAT)  # type: ignore[arg-type]

    def _inherit(self, parent: Node) -> LoopBoundStore:
        """What a child process has of the store object of its parent, after all that is done at a fork (C-21)."""
        child = LoopBoundStore.__new__(type(parent.homed), self._make_store)
        vars(child).update(vars(parent.homed) | {"_factory": self._make_store})
        child.renew_after_fork()
        child._find_loop(lambda store: cast("StoreLoop", SimpleNamespace(store=store, thread=None)))
        if child._store is parent.store:  # a copy of the parent's, with all that had been drawn before
            child._store, self.draws = self._make_store(), parent.draws
        return child

    def start(self, server: Server, *, beating: bool) -> None:
        """Connect, and begin to beat if wanted."""
        self.link.connect(server)
        if beating and self.store.heartbeat is not None:
            with mock.patch.object(secrets, "token_bytes", lambda size: bytes([self.draws]) * size):  # random otherwise
                self.loop.within(self.store.heartbeat.start)

    @property
    def heard_all(self) -> bool:
        """Whether everything that the primary has sent has been parsed."""
        connection = self.link.connection
        if connection is None or connection.missed or connection.unaware or connection.server.readonly:
            return False
        return not connection.stream

    def fingerprint(self) -> object:
        """What decides what it does next."""
        link, heartbeat = self.link, self.store.heartbeat
        connection = link.connection
        sent = (
            ()
            if connection is None
            else (str(connection.inbox), str(connection.stream), connection.mute, connection.missed)
        )
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


def _progress(ticket: PendingRequest) -> object:
    """What it has been told of its answer so far."""
    if isinstance(ticket, TrackedChange):
        return ticket.tracked
    return len(ticket.replies) if isinstance(ticket, PipelineRequest) else 0
