"""The store of a manager: given as an object, or opened by the settings, with the layers in front of it.

This is the one place that knows the order of the layers:

```
memory:                                 MemoryStore
aiocache:                               LoopBoundStore > Touches > AiocacheStore
valkey: valkeys: redis: rediss: unix:   LoopBoundStore > Touches > NearCache > ValkeyStore
embedded:                               the same, at the address of the EmbeddedServer
schemes of other packages               LoopBoundStore > Touches > the store that the package opens
```
"""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..internal.unpatched import require_unpatched
from ..settings import SessionSettings, StoreUrl
from ..settings.names import guide_names_of
from ..settings.sources import CONSTRUCTOR, Sourced
from ..store.contract import Store
from ..stores.loop.store import LoopBoundStore
from ..stores.registry import find_opener
from .touches import Touches

__all__ = ["StoreOrClient", "open_store", "with_store"]

StoreOrClient = Store | StoreUrl
"""A store, or the result of `wsgessions.from_redis`."""


def open_store(settings: SessionSettings) -> Store:
    """The store for these settings, not started yet; it may be used from any event loop and thread.

    Raises:
        ConfigError: there is no such store on this platform, the package that provides it cannot be used, or a
            library such as gevent has replaced what it needs.
    """
    scheme = settings.store_url.scheme
    opener = find_opener(scheme)
    if opener is None:  # it was known when the settings were read
        raise ConfigError("the URL's scheme is not known any more", setting="store_url", hint="restart the process")
    if scheme == "memory":  # it belongs to no event loop, and records each access at once
        return opener(settings)
    require_unpatched()
    interval, step = settings.touch_interval.total_seconds(), settings.touch_step.total_seconds()
    return LoopBoundStore(lambda: Touches(opener(settings), interval=interval, step=step))


def with_store(given: dict[str, Any], store: StoreOrClient | None) -> tuple[dict[str, Any], Store | None]:
    """The settings by name, and the store. A client's connection becomes the setting ``store_url`` among them.

    Args:
        given: the settings, each masked.
        store: what was given as ``store``; see `wsgessions.from_redis`.

    Raises:
        ConfigError: the setting is given as well (R-07).
    """
    if not isinstance(store, StoreUrl):
        return given, store
    for name in ("store_url", *guide_names_of("store_url")):
        if name in given:
            raise ConfigError("a client's connection is given, too", setting=name, hint="give one of the two")
    return {**given, "store_url": Sourced(store, CONSTRUCTOR)}, None
