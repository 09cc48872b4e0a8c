"""Opens the store that the settings name: the one place that knows all kinds of stores, and the order of their layers.

```
memory:                                 MemoryStore
aiocache:                               HomedStore > TouchBatch > AiocacheStore
valkey: valkeys: redis: rediss: unix:   HomedStore > TouchBatch > NearCache > ValkeyStore
embedded:                               the same, at the address that EmbeddedServer tells
```
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import ConfigError
from ..settings import SessionSettings
from ..valkey.address import Address, in_turn
from ..valkey.store import ValkeyStore
from .base import Store
from .home import HomedStore
from .lease import Lease
from .memory import MemoryStore
from .near_cache import MARGIN, NearCache
from .touch_batch import TouchBatch

if TYPE_CHECKING:
    from ..embedded import Endpoint
    from .off_heap import OffHeap

__all__ = ["open_store"]

_DEFAULT_DIRECTORY: Final = ".wsgessions"
_ATTACH_SECONDS: Final = 10.0


def open_store(settings: SessionSettings) -> Store:
    """The store of these settings, not yet started; it may be used from any event loop and thread.

    Raises:
        ConfigError: there is no such store on this platform.
    """
    grace = (settings.touch_interval + settings.touch_step + settings.lease).total_seconds()
    scheme, _, rest = settings.store_url.get_secret_value().partition(":")
    if scheme.lower() == "memory":
        return MemoryStore(grace=grace)
    if scheme.lower() == "aiocache":
        return HomedStore(lambda: _batched(_in_aiocache(settings, rest, grace), settings))
    embedded = scheme.lower() == "embedded"
    connect = _embedded if embedded else _servers

    def make() -> Store:
        locate, release = connect(settings, rest)
        store = ValkeyStore(
            locate,
            release=release,
            namespace=settings.namespace,
            context_path=settings.context_path,
            concurrency=settings.concurrency,
            grace=grace,
            idle_timeout=settings.interval_ms / 1000,
            heartbeat=settings.heartbeat.total_seconds(),
            allow_eviction=settings.allow_eviction,
            durable=None if settings.env == "development" else not settings.allow_volatile,
            tracked_keys=0 if embedded else settings.tracking_table_max_keys,  # see `wsgessions.embedded.configuration`
        )
        return _batched(_cached(store, settings), settings)

    return HomedStore(make)


def _batched(store: Store, settings: SessionSettings) -> TouchBatch:
    interval, step = settings.touch_interval.total_seconds(), settings.touch_step.total_seconds()
    return TouchBatch(store, interval=interval, step=step)


def _in_aiocache(settings: SessionSettings, alias: str, grace: float) -> Store:
    try:
        from .aiocache import AiocacheStore
    except ImportError:
        raise ConfigError(
            "aiocache is not installed", setting="store_url", hint="pip install 'wsgessions[aiocache]'"
        ) from None
    store = AiocacheStore(alias, namespace=settings.namespace, grace=grace, allow_eviction=settings.allow_eviction)
    if settings.env == "production":
        store.check_fit_for_production(
            allow_clear_text=settings.allow_clear_text, allow_volatile=settings.allow_volatile
        )
    return store


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
    """Files of dead workers that had such a tier hold sessions, and nothing else would remove them any more."""
    if sys.platform != "win32":
        from .off_heap import sweep

        sweep()


def _off_heap(settings: SessionSettings) -> OffHeap:
    from .off_heap import OffHeap

    scheme, _, rest = settings.store_url.get_secret_value().partition(":")
    embedded = scheme.lower() == "embedded"
    place = Path(rest or _DEFAULT_DIRECTORY).absolute() if embedded else rest.rpartition("@")[2]
    identity = f"{scheme}\n{place}\n{settings.namespace}\n{settings.context_path}"
    return OffHeap(settings.max_bytes_off_heap, identity)


Connection = tuple[Callable[[], Awaitable[Address]], Callable[[], None] | None]
"""What tells where the server is, and what is called when the store is closed."""


def _servers(settings: SessionSettings, _: str) -> Connection:
    return in_turn(Address.parse_seeds(settings.store_url.get_secret_value())), None


def _embedded(settings: SessionSettings, directory: str) -> Connection:
    from ..embedded import EmbeddedServer, FsyncPolicy

    place, fsync = directory or _DEFAULT_DIRECTORY, FsyncPolicy(settings.fsync)
    server = EmbeddedServer(place, fsync=fsync, maxmemory=settings.maxmemory)
    # A directory that cannot be used is an error of configuration when the store is first started, and an outage later.
    find = server.attach

    async def locate() -> Address:
        nonlocal find
        endpoint = await find(deadline=time.monotonic() + _ATTACH_SECONDS)
        find = server.endpoint
        return _address_of(endpoint)

    return locate, server.detach


def _address_of(endpoint: Endpoint) -> Address:
    if endpoint.host is None or endpoint.port is None:
        place = Address(path=endpoint.socket)
    else:
        place = Address(endpoint.host, endpoint.port)
    return place.signed_in(endpoint.username, endpoint.password.reveal(), holds=endpoint.peer.holds)
