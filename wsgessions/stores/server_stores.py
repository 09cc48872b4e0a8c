"""Opens the stores of wsgessions with a server, and a near cache in front; see `wsgessions.stores.registry`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..cache.lease import Lease
from ..cache.near_cache import MARGIN, NearCache
from ..internal import real_time as time
from ..settings import SessionSettings
from ..settings.alike import compared, required
from ..store.address import Address, Locate, in_turn
from ..store.contract import Store
from .valkey.store import ValkeyStore

if TYPE_CHECKING:
    from ..cache.off_heap import OffHeap
    from .embedded import Endpoint

__all__ = ["embedded_directory", "open_embedded", "open_servers"]

_ATTACH_SECONDS: Final = 10.0


def open_servers(settings: SessionSettings) -> Store:
    """The store at the servers of ``valkey://``, ``redis://``, ``unix://`` and the like."""
    return _at(in_turn(settings.store_url.servers()), settings, tracked_keys=settings.tracking_table_max_keys)


def open_embedded(settings: SessionSettings) -> Store:
    """The store at the server of ``embedded:[directory]``, which is started if it does not run.

    Raises:
        ConfigError: there is no such server on this platform.
    """
    from .embedded import EmbeddedServer, FsyncPolicy
    from .embedded.project_use import ProjectUse

    place, fsync = embedded_directory(settings), FsyncPolicy(settings.fsync)
    server = EmbeddedServer(place, fsync=fsync, maxmemory=settings.maxmemory)
    use = ProjectUse(place, namespace=settings.namespace, context_path=settings.context_path)
    # A directory that cannot be used is an error of configuration when the store is first started, and an outage later.
    find = server.attach

    async def locate() -> Address:
        nonlocal find
        endpoint = await find(deadline=time.monotonic() + _ATTACH_SECONDS)
        find = server.endpoint
        use.begin()
        return _address_of(endpoint)

    def release() -> None:
        use.end()
        server.detach()

    # No limit on tracked keys: see `wsgessions.stores.embedded.configuration`.
    return _at(locate, settings, tracked_keys=0, release=release)


def embedded_directory(settings: SessionSettings) -> Path:
    """The directory of the store of ``embedded:``."""
    from .embedded.default_directory import default_directory

    return Path(settings.store_url.rest) if settings.store_url.rest else default_directory()


def _at(
    locate: Locate, settings: SessionSettings, *, tracked_keys: int, release: Callable[[], None] | None = None
) -> Store:
    store = ValkeyStore(
        locate,
        release=release,
        namespace=settings.namespace,
        context_path=settings.context_path,
        concurrency=settings.concurrency,
        grace=settings.grace_seconds,
        idle_timeout=settings.interval_ms / 1000,
        heartbeat=settings.heartbeat.total_seconds(),
        allow_eviction=settings.allow_eviction,
        durable=None if settings.env == "development" else not settings.allow_volatile,
        tracked_keys=tracked_keys,
        required=required(settings),
        compared=lambda: compared(settings),
    )
    return _cached(store, settings)


def _cached(store: ValkeyStore, settings: SessionSettings) -> Store:
    if not settings.max_bytes_off_heap:
        _sweep_off_heap()
    if not settings.max_bytes_on_heap and not settings.max_bytes_off_heap:
        return store
    return NearCache(
        store,
        lease=Lease(settings.lease.total_seconds()),
        max_bytes=settings.max_bytes_on_heap,
        off_heap=_off_heap(settings) if settings.max_bytes_off_heap else None,
        margin=MARGIN + (settings.touch_interval + settings.touch_step).total_seconds(),
    )


def _sweep_off_heap() -> None:
    """Remove files of dead workers with an off-heap tier: they contain sessions, and no other process would remove
    them.
    """
    if sys.platform != "win32":
        from ..cache.off_heap import sweep

        sweep()


def _off_heap(settings: SessionSettings) -> OffHeap:
    from ..cache.off_heap import OffHeap

    scheme, rest = settings.store_url.scheme, settings.store_url.rest
    place = embedded_directory(settings).absolute() if scheme == "embedded" else rest.rpartition("@")[2]
    identity = f"{scheme}\n{place}\n{settings.namespace}\n{settings.context_path}"
    return OffHeap(settings.max_bytes_off_heap, identity)


def _address_of(endpoint: Endpoint) -> Address:
    if endpoint.host is None or endpoint.port is None:
        place = Address(path=endpoint.socket)
    else:
        place = Address(endpoint.host, endpoint.port)
    return place.signed_in(endpoint.username, endpoint.password.reveal(), holds=endpoint.peer.holds)
