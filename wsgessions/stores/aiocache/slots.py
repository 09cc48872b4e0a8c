"""The back end of an aiocache cache as slots that hold bytes: read, add, and compare-and-set.

This uses the back ends of aiocache, with the application's configuration of an alias. It bypasses other parts, for
these reasons:

* **serializers**: some of them execute code from stored data (S-70), and others cannot carry bytes;
* **the switch AIOCACHE_DISABLE**: with it, writes report success without storing the data;
* **time limits**: a cancelled call leaves an unread answer on its connection to memcached, and the next call, for
  another visitor, would read it. Here no call is cancelled alone: when one does not return, all connections are closed
  together.
"""

from __future__ import annotations

import asyncio
import logging
import warnings
from collections.abc import Awaitable, Callable, Coroutine
from enum import Enum
from typing import Any, Final, NamedTuple, TypeVar

from ...errors import ConfigError, NonStopTimeout, StoreRefused, StoreUnavailable
from ...internal import real_time as time
from ...internal.log_throttle import LogThrottle
from ...internal.loopback import is_loopback
from ...internal.masked import masked
from ...store.durability import KEEPS_ALL, check_durability, check_eviction

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # an old library on a new Python
    import aiocache
    from aiocache.base import BaseCache

__all__ = ["BackEnd", "Cells", "Held"]

T = TypeVar("T")

_RELEASE: Final = "0.12."
"""The supported releases of aiocache."""
_AT_ONCE: Final = 32
_PATIENCE: Final = 5.0
"""Seconds for one call, if the alias sets no timeout."""
_FAREWELL: Final = 1.0
"""Seconds that cancelled calls have to return."""
_LONGEST_RELATIVE: Final = 30 * 86_400
"""The longest relative time in seconds; memcached treats a larger number as an instant."""
_REFUSALS: Final = frozenset({"ResponseError", "ClientException", "ValidationException"})
"""Names of the errors for a server's error reply; their library depends on the back end."""

_logger = logging.getLogger("wsgessions.aiocache")
_log = LogThrottle(_logger)


class BackEnd(Enum):
    """The kind of back end behind an alias."""

    MEMORY = "memory"
    REDIS = "redis"
    MEMCACHED = "memcached"
    OTHER = "other"
    """A class of the application."""


_SERVERS: Final = frozenset({BackEnd.REDIS, BackEnd.MEMCACHED})


@masked
class Held(NamedTuple):
    """The content of a slot."""

    value: bytes | None
    token: object
    """Distinguishes this value from later ones; None if there is none."""


class _Connections:
    """One cache object, and its calls in progress."""

    def __init__(self, cache: Any) -> None:
        self.cache = cache
        self.calls: set[asyncio.Future[Any]] = set()
        self.gate = asyncio.Semaphore(min(_AT_ONCE, getattr(cache, "pool_max_size", None) or _AT_ONCE))

    async def give_up(self) -> None:
        """Cancel all calls at once, so that none uses a connection of another one, and close the connections."""
        for call in self.calls:
            call.cancel()
        if self.calls:
            await asyncio.wait(self.calls, timeout=_FAREWELL)
        await _close(self.cache)


class Cells:
    """Slots in the cache of an alias of aiocache. Belongs to the event loop that uses it first.

    Args:
        alias: the name under which the application has configured the cache.

    Raises:
        ConfigError: there is no such alias, its back end cannot be used, or aiocache is of another release.
    """

    def __init__(self, alias: str) -> None:
        _check_release()
        self._alias = alias
        self._open: _Connections | None = _Connections(_make(alias))
        cache = self._open.cache
        self.back_end: Final = _back_end_of(cache)
        self.swaps: Final = _primitive(type(cache), "gets") is not _primitive(BaseCache, "gets")
        """Whether the back end compares before it swaps; if not, `swap` always succeeds."""
        self.is_local: Final = self.back_end not in _SERVERS or is_loopback(cache.endpoint)
        """Whether stored data stays on this machine; a class of the application's is responsible for that itself."""
        self._patience = cache.timeout or _PATIENCE

    async def check(self, *, allow_eviction: bool, durable: bool | None) -> None:
        """Open the cache, unless it is open, and check that it is reachable and keeps its data.

        Args:
            allow_eviction: accept, with a warning, a Redis that evicts data when memory is short (C-18).
            durable: whether a Redis must keep an append-only file, see `check_durability`.

        Raises:
            StoreUnavailable: the back end does not answer.
            ConfigError: it does not keep its data.
        """
        if self._open is None:
            self._open = _Connections(_make(self._alias))
        if self.back_end is not BackEnd.REDIS:
            await self.read("probe")
            return
        memory = await self._call(lambda cache: cache.client.info("memory"))
        policy = memory.get("maxmemory_policy", KEEPS_ALL)
        hint = f"set the server's maxmemory-policy to {KEEPS_ALL}, or allow_eviction = true"
        check_eviction(policy, allowed=allow_eviction, called="the cache", hint=hint, throttle=_log)
        persistence = await self._call(lambda cache: cache.client.info("persistence"))
        check_durability(persistence.get("aof_enabled") == 1, demanded=durable, log=_logger)

    async def read(self, name: str) -> Held:
        """The content of the slot."""
        if self.back_end is BackEnd.MEMCACHED:
            found = await self._call(
                lambda cache: _primitive(cache, "raw")("gets", self._key(cache, name), encoding=None)
            )
            return Held(*found)
        value = await self._call(lambda cache: _primitive(cache, "get")(self._key(cache, name), encoding=None))
        return Held(value if isinstance(value, bytes) or value is None else b"", value)

    async def add(self, name: str, value: bytes, seconds: int | None) -> bool:
        """Fill an empty slot.

        Args:
            name: the slot.
            value: the new content.
            seconds: the time after which the back end may drop it; None for never.

        Returns:
            Whether it was empty.
        """

        async def add(cache: Any) -> bool:
            try:
                await _primitive(cache, "add")(self._key(cache, name), value, ttl=self._ttl(seconds))
            except ValueError:  # how aiocache says that there is something
                return False
            return True

        return await self._call(add)

    async def swap(self, name: str, value: bytes, token: object, seconds: int) -> bool:
        """Replace the content of a slot, unless it was changed since ``token`` was read.

        Returns:
            Whether it was replaced.
        """
        compared = {"_cas_token": token} if self.swaps else {}
        done = await self._call(
            lambda cache: _primitive(cache, "set")(self._key(cache, name), value, ttl=self._ttl(seconds), **compared)
        )
        return bool(done) or not self.swaps

    async def close(self) -> None:
        """Close the connections. `check` opens them again."""
        connections, self._open = self._open, None
        if connections is not None:
            await connections.give_up()

    @staticmethod
    def _key(cache: Any, name: str) -> Any:
        return cache.build_key(name, namespace=cache.namespace)

    def _ttl(self, seconds: int | None) -> int | None:
        if self.back_end is BackEnd.MEMCACHED and seconds is not None and seconds > _LONGEST_RELATIVE:
            return seconds + int(time.time())
        return seconds

    async def _call(self, ask: Callable[[Any], Coroutine[Any, Any, T] | Awaitable[T]]) -> T:
        connections = self._open
        if connections is None:
            raise StoreUnavailable("the store is closed", hint="start it again")
        async with connections.gate:
            if self._open is not connections:
                raise self._given_up()
            call = asyncio.ensure_future(ask(connections.cache))
            connections.calls.add(call)
            call.add_done_callback(connections.calls.discard)
            await asyncio.wait({call}, timeout=self._patience)
        if not call.done():
            await self._replace(connections)
            raise NonStopTimeout(f"the cache {self._alias!r} did not answer within {self._patience:g} s", unknown=True)
        if call.cancelled():
            raise self._given_up()
        error = call.exception()
        if isinstance(error, Exception):
            raise self._translated(error) from error
        return call.result()

    def _given_up(self) -> StoreUnavailable:
        return StoreUnavailable(f"the connections to the cache {self._alias!r} were given up")

    async def _replace(self, connections: _Connections) -> None:
        if self._open is connections:
            self._open = _Connections(_make(self._alias))
        await connections.give_up()

    def _translated(self, error: Exception) -> StoreUnavailable:
        name = type(error).__name__
        if not _REFUSALS & {kind.__name__ for kind in type(error).__mro__}:
            return StoreUnavailable(f"the cache {self._alias!r} could not be reached: {name}")
        if "too large" in str(error):
            hint = "memcached takes 1 MiB a session unless started with -I; lower max_session_bytes"
            return StoreRefused(f"the cache {self._alias!r} refused a session: it is too large", hint=hint)
        return StoreRefused(f"the cache {self._alias!r} refused a command: {name}")


def _check_release() -> None:
    release = getattr(aiocache, "__version__", "unknown")
    if not release.startswith(_RELEASE):
        raise ConfigError(
            f"aiocache {release} is installed, and this release of wsgessions knows {_RELEASE}x",
            setting="store_url",
            hint="pip install 'wsgessions[aiocache]'",
        )


def _make(alias: str) -> Any:
    """The cache of an alias; one in memory is the application's own, others get connections of their own."""
    config = aiocache.caches.get_config().get(alias)  # type: ignore[no-untyped-call]
    if config is None:
        raise ConfigError(
            f"aiocache has no cache of the alias {alias!r}",
            setting="store_url",
            hint="call aiocache.caches.set_config({...}) or caches.add(...) before the application is made",
        )
    try:
        cache: Any = aiocache.caches.create(alias)
    except Exception as error:
        raise ConfigError(
            f"aiocache cannot make the cache {alias!r}: {type(error).__name__}",
            setting="store_url",
            hint="check its configuration, and that its client is installed: pip install 'aiocache[redis,memcached]'",
        ) from error
    return aiocache.caches.get(alias) if _back_end_of(cache) is BackEnd.MEMORY else cache


def _back_end_of(cache: object) -> BackEnd:
    known = (BackEnd.MEMORY, BackEnd.REDIS, BackEnd.MEMCACHED)
    kinds = aiocache.AIOCACHE_CACHES
    return next((kind for kind in known if kind.value in kinds and isinstance(cache, kinds[kind.value])), BackEnd.OTHER)


def _primitive(cache: Any, name: str) -> Any:
    """What a back end of aiocache implements, below serializers and plugins; `_check_release` knows the names."""
    return getattr(cache, f"_{name}")


async def _close(cache: Any) -> None:
    """Close a cache's connections: the client's own way where there is one, since aiocache calls an outdated name."""
    close = getattr(getattr(cache, "client", None), "aclose", _primitive(cache, "close"))
    try:
        await close()
        await asyncio.sleep(0)  # the sockets of aiomcache are closed in the next round of the loop
    except Exception as error:  # noqa: BLE001 - it is given up anyway, and may be broken
        _logger.debug("closing a cache failed: %s", type(error).__name__)
