"""Reads the sessions of the engine that a Django project had before, by that engine itself."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any, Final, TypeVar

from django.contrib.sessions.backends.cache import SessionStore as CacheStore
from django.core.cache import BaseCache

from wsgessions.errors import ConfigError, StoreUnavailable
from wsgessions.internal.log_throttle import LogThrottle

from .engine import SessionStore

__all__ = ["OldEngine"]

T = TypeVar("T")

_LEFT: Final = "an old session could not be removed: %s"

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))

_cache_of: Final[Callable[[CacheStore], BaseCache]] = attrgetter("_cache")
"""The setting by which Django's engine keeps its sessions; it has no public name."""


class OldEngine:
    """The sessions of one engine. Each method has an async variant.

    Args:
        engine: the former ``SESSION_ENGINE``: ``"django.contrib.sessions.backends.db"``.
        cookie: the old cookie's name, from which the engine of files makes the names of its files.

    Raises:
        ConfigError: there is no such engine, or it is that of wsgessions.
    """

    def __init__(self, engine: str, *, cookie: str) -> None:
        try:
            self._engine: Any = import_module(engine).SessionStore
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(f"there is no engine: {error}", setting="WSGESSIONS_TAKEOVER.engine") from error
        if issubclass(self._engine, SessionStore):
            raise ConfigError(
                "it is the engine of wsgessions", setting="WSGESSIONS_TAKEOVER.engine", hint="give the former one"
            )
        self._cookie = cookie

    def read(self, presented: str) -> Mapping[str, Any] | None:
        """The content of a session; None if it is not genuine, missing, expired or empty.

        Raises:
            StoreUnavailable: the engine cannot read it.
        """
        store = self._open(presented)
        content = _ask(store.load)
        if not content and isinstance(store, CacheStore):
            _ask(lambda: _cache_of(store).get(store.cache_key_prefix + presented))
        return content or None

    async def aread(self, presented: str) -> Mapping[str, Any] | None:
        """See `read`."""
        store = self._open(presented)
        content = await _aask(store.aload)
        if not content and isinstance(store, CacheStore):
            await _aask(lambda: _cache_of(store).aget(store.cache_key_prefix + presented))
        return content or None

    def remove(self, presented: str) -> None:
        """Remove a session that is marked as used already. A failure is logged and does no harm."""
        try:
            _ask(lambda: self._open(presented).delete(presented))
        except StoreUnavailable as error:
            _log.warning("left_behind", _LEFT, error)

    async def aremove(self, presented: str) -> None:
        """See `remove`."""
        try:
            await _aask(lambda: self._open(presented).adelete(presented))
        except StoreUnavailable as error:
            _log.warning("left_behind", _LEFT, error)

    def _open(self, presented: str) -> Any:
        """The engine's session with this key; no new one is made if it has expired."""
        store = self._engine(presented)
        store.create, store.acreate = _make_none, _amake_none
        if hasattr(store, "file_prefix"):
            store.file_prefix = self._cookie
        return store


def _make_none() -> None:
    pass


async def _amake_none() -> None:
    pass


def _ask(call: Callable[[], T]) -> T:
    try:
        return call()
    except Exception as error:
        raise _unavailable(error) from error


async def _aask(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await call()
    except Exception as error:
        raise _unavailable(error) from error


def _unavailable(error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"the old sessions cannot be read: {type(error).__name__}")
