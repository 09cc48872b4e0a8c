"""Opens the stores of wsgessions without a server of their own; see `wsgessions.stores.registry`."""

from __future__ import annotations

from ..errors import ConfigError
from ..settings import SessionSettings
from ..store.contract import Store
from .memory.store import MemoryStore

__all__ = ["open_aiocache", "open_memory"]


def open_memory(settings: SessionSettings) -> Store:
    """The store of ``memory:``, which belongs to this process and to no event loop."""
    return MemoryStore(grace=settings.grace_seconds)


def open_aiocache(settings: SessionSettings) -> Store:
    """The store of ``aiocache:alias``.

    Raises:
        ConfigError: aiocache is not installed, there is no such alias, or its back end cannot be used.
    """
    try:
        from .aiocache.store import AiocacheStore
    except ImportError:
        raise ConfigError(
            "aiocache is not installed", setting="store_url", hint="pip install 'wsgessions[aiocache]'"
        ) from None
    store = AiocacheStore(
        settings.store_url.rest,
        namespace=settings.namespace,
        grace=settings.grace_seconds,
        allow_eviction=settings.allow_eviction,
    )
    if settings.env == "production":
        store.check_fit_for_production(
            allow_clear_text=settings.allow_clear_text, allow_volatile=settings.allow_volatile
        )
    return store
