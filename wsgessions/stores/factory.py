"""Opens the store that the settings name, and puts the layers in front of it: the one place that knows their order.

```
memory:                                 MemoryStore
aiocache:                               HomedStore > TouchBatch > AiocacheStore
valkey: valkeys: redis: rediss: unix:   HomedStore > TouchBatch > NearCache > ValkeyStore
embedded:                               the same, at the address that EmbeddedServer tells
schemes of other packages               HomedStore > TouchBatch > what the package opens
```
"""

from __future__ import annotations

from ..errors import ConfigError
from ..manager.touches import TouchBatch
from ..settings import SessionSettings
from ..store.contract import Store
from .loop.store import HomedStore
from .registry import find_source

__all__ = ["open_store"]


def open_store(settings: SessionSettings) -> Store:
    """The store of these settings, not yet started; it may be used from any event loop and thread.

    Raises:
        ConfigError: there is no such store on this platform, or the package that brings it cannot be used.
    """
    scheme = settings.store_url.scheme
    source = find_source(scheme)
    if source is None:  # there was one when the settings were read
        raise ConfigError("the URL's scheme is not known any more", setting="store_url", hint="restart the process")
    opener = source.opener()
    if scheme == "memory":  # it belongs to no event loop, and is told of each use at once
        return opener(settings)
    interval, step = settings.touch_interval.total_seconds(), settings.touch_step.total_seconds()
    return HomedStore(lambda: TouchBatch(opener(settings), interval=interval, step=step))
