"""Old sessions in Redis or Valkey, under keys made of a prefix and the id in the cookie."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol, TypeVar

from ..errors import StoreUnavailable
from ..internal.log_throttle import LogThrottle
from ..web import Scope

__all__ = ["InRedis", "RedisClient", "Unreadable", "mapping"]

T = TypeVar("T")

_SHAPE: Final = re.compile(r"[A-Za-z0-9_-]{16,256}", re.ASCII)
"""The characters of ids that libraries make: hexadecimal digits, UUIDs, URL-safe base64."""

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class RedisClient(Protocol):
    """The used methods of a ``redis.asyncio`` client, or of a similar one."""

    def get(self, name: str, /) -> Awaitable[Any]:
        """The value of a key, as bytes or text; None if there is none."""
        ...

    def delete(self, *names: str) -> Awaitable[Any]:
        """Remove keys."""
        ...


class Unreadable(ValueError):
    """A stored session has a wrong format. The text has the reason, and nothing of the content."""


class InRedis(ABC):
    """Reads the sessions of one library.

    Args:
        client: a client for the server with the sessions; the caller closes it.
        prefix: the prefix that the library puts before the id.
    """

    def __init__(self, client: RedisClient, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def read(self, presented: str, scope: Scope) -> Mapping[str, Any] | None:
        """See `LegacySessions.read`. Redis removes expired sessions by itself."""
        session_id = self._id_in(presented)
        raw = None if session_id is None else await _ask(self._client.get(self._prefix + session_id))
        if not raw:
            return None
        try:
            content = self._content_of(raw.encode() if isinstance(raw, str) else raw)
        except Unreadable as error:
            _log.warning("unreadable", "an old session cannot be migrated: %s", error)
            return None
        return self._checked(content, scope)

    async def remove(self, presented: str) -> None:
        """See `LegacySessions.remove`."""
        session_id = self._id_in(presented)
        if session_id is not None:
            await _ask(self._client.delete(self._prefix + session_id))

    def _id_in(self, presented: str) -> str | None:
        """The id in a cookie's value; None for a value that cannot contain one."""
        return presented if _SHAPE.fullmatch(presented) else None

    @abstractmethod
    def _content_of(self, raw: bytes) -> dict[str, Any]:
        """The content of a stored session.

        Raises:
            Unreadable: it is in no supported format.
        """

    def _checked(self, content: dict[str, Any], scope: Scope) -> Mapping[str, Any] | None:
        """The application's part of the content, without the library's; None if this client may not have it."""
        return content


def mapping(content: Any) -> dict[str, Any]:
    """The content, checked to be a mapping.

    Raises:
        Unreadable: it is not a mapping.
    """
    if not isinstance(content, dict):
        raise Unreadable("it is not a mapping of names to values")
    return content


async def _ask(call: Awaitable[T]) -> T:
    try:
        return await call
    except Exception as error:  # each client library has errors of its own
        hint = "make the client without decode_responses" if isinstance(error, UnicodeDecodeError) else ""
        raise StoreUnavailable(f"the old sessions cannot be read: {type(error).__name__}", hint=hint) from error
