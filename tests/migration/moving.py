"""What the tests of all moves need: a Valkey for old and new sessions, and a browser for old and new applications."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2
import redis.asyncio

from tests.stores.valkey.raw_server import RawServer
from wsgessions.errors import ConfigError
from wsgessions.migration import LegacySessions
from wsgessions.testing.fixtures.session_access import find_manager

__all__ = ["HTTPS", "SECRET", "browser_of", "moving", "old_client", "removed"]

HTTPS: Final = "https://testserver"
SECRET: Final = "a secret that all servers have and keep"


def moving(source: LegacySessions, **options: Any) -> dict[str, Any]:
    """The arguments of a `TakeoverMiddleware` that is in force."""
    return {"source": source, "until": datetime.now(UTC) + timedelta(days=1), "secret": SECRET, **options}


@asynccontextmanager
async def old_client(server: RawServer, **options: Any) -> AsyncIterator[redis.asyncio.Redis]:
    """A client for the server that has the old sessions; empty at the end."""
    client = redis.asyncio.Redis(unix_socket_path=server.path, **options)
    try:
        yield client
    finally:
        await client.flushall()
        await client.aclose()


@asynccontextmanager
async def browser_of(app: Any, cookies: Any = None) -> AsyncIterator[httpx2.AsyncClient]:
    """A browser for an application in this process, which has these cookies already. The application stops with it."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=HTTPS, cookies=cookies) as browser:
        yield browser
    with suppress(ConfigError):  # an old application has none
        await find_manager(app).close()


def removed(response: httpx2.Response) -> list[str]:
    """The names of the cookies that a response removes."""
    fields = response.headers.get_list("set-cookie")
    return [field.partition("=")[0] for field in fields if "Max-Age=0" in field]
