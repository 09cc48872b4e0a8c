"""The argument ``store``: a store, or the connection of a client that the application has already."""

from __future__ import annotations

from typing import Any

from ..errors import ConfigError
from ..settings import StoreUrl
from ..settings.names import guide_names_of
from ..settings.sources import CONSTRUCTOR, Sourced
from ..store.contract import Store

__all__ = ["StoreOrClient", "with_store"]

StoreOrClient = Store | StoreUrl
"""A store, or what `wsgessions.from_redis` makes of a client."""


def with_store(given: dict[str, Any], store: StoreOrClient | None) -> tuple[dict[str, Any], Store | None]:
    """Settings by name, and the store. The connection of a client is the setting ``store_url``, and is put among them.

    Args:
        given: the settings, each hidden.
        store: what was given as ``store``; see `wsgessions.from_redis`.

    Raises:
        ConfigError: the setting is given too (R-07).
    """
    if not isinstance(store, StoreUrl):
        return given, store
    for name in ("store_url", *guide_names_of("store_url")):
        if name in given:
            raise ConfigError("a client's connection is given, too", setting=name, hint="give one of the two")
    return {**given, "store_url": Sourced(store, CONSTRUCTOR)}, None
