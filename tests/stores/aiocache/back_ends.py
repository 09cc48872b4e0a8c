"""Caches of aiocache for tests, each under an alias."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiocache
from aiocache.base import BaseCache
from aiocache.serializers import PickleSerializer

from tests.stores.aiocache.memcached import free_port, real_memcached, stand_in
from tests.stores.valkey.raw_server import RawServer

__all__ = ["BACK_ENDS", "NoSwapCache", "alias_of", "back_end"]

_numbers = itertools.count()


class NoSwapCache(BaseCache):
    """A class of an application, in which nothing can be compared before it is written."""

    kept: dict[str, bytes] = {}  # noqa: RUF012 - all objects of the class share it, as if it were a server

    async def _get(self, key: str, encoding: str | None = "utf-8", _conn: Any = None) -> bytes | None:
        return self.kept.get(key)

    async def _set(
        self, key: str, value: bytes, ttl: int | None = None, _cas_token: Any = None, _conn: Any = None
    ) -> bool:
        self.kept[key] = value
        return True

    async def _add(self, key: str, value: bytes, ttl: int | None = None, _conn: Any = None) -> bool:
        if key in self.kept:
            raise ValueError(key)
        self.kept[key] = value
        return True

    def _build_key(self, key: str, namespace: str | None = None) -> str:
        return key

    async def _close(self, *args: Any, **kwargs: Any) -> None:
        pass


def alias_of(**config: Any) -> str:
    """A new alias for a cache; its serializer is the one that a store must never use."""
    alias = f"sessions{next(_numbers)}"
    aiocache.caches.add(alias, {"serializer": {"class": PickleSerializer}, **config})
    return alias


@contextmanager
def back_end(name: str) -> Iterator[dict[str, Any]]:
    """A running back end, and what an alias says to reach it."""
    if name == "memory":
        yield {"cache": "aiocache.SimpleMemoryCache"}
    elif name == "without swap":
        yield {"cache": NoSwapCache}
    elif name == "redis":
        with tempfile.TemporaryDirectory(prefix="wsg") as directory:
            port = free_port()
            server = RawServer(Path(directory), "--port", str(port), "--bind", "127.0.0.1")
            server.start()
            yield {"cache": "aiocache.RedisCache", "endpoint": "127.0.0.1", "port": port}
            server.kill()
    else:
        with BACK_ENDS[name]() as port:
            yield {"cache": "aiocache.MemcachedCache", "endpoint": "127.0.0.1", "port": port}


BACK_ENDS = {"memcached": real_memcached, "memcached stand-in": stand_in}
