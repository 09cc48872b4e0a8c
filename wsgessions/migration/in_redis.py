"""Old sessions under keys of a Redis or Valkey, which names them by a prefix and the id in the cookie."""

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
"""Of the ids that libraries make: hexadecimal digits, UUIDs, URL-safe base64."""

_log = LogThrottle(logging.getLogger("wsgessions.takeover"))


class RedisClient(Protocol):
    """What is used of a ``redis.asyncio`` client, or of one like it."""

    def get(self, name: str, /) -> Awaitable[Any]:
        """The value of a key, as bytes or text; None if there is none."""
        ...

    def delete(self, *names: str) -> Awaitable[Any]:
        """Remove keys."""
        ...


class Unreadable(ValueError):
    """A stored session is not what it should be. The text says why, and nothing of its content."""


class InRedis(ABC):
    """Reads the sessions of one library.

    Args:
        client: a client for the server that has the sessions; closed by whoever made it.
        prefix: what the library puts before the id.
    """

    def __init__(self, client: RedisClient, *, prefix: str) -> None:
        self._client = client
        self._prefix = prefix

    async def read(self, presented: str, scope: Scope) -> Mapping[str, Any] | None:
        """See `LegacySessions.read`. Redis itself ends what has expired."""
        session_id = self._id_in(presented)
        raw = None if session_id is None else await _ask(self._client.get(self._prefix + session_id))
        if not raw:
            return None
        try:
            content = self._content_of(raw.encode() if isinstance(raw, str) else raw)
        except Unreadable as error:
            _log.warning("unreadable", "an old session cannot be taken over: %s", error)
            return None
        return self._checked(content, scope)

    async def remove(self, presented: str) -> None:
        """See `LegacySessions.remove`."""
        session_id = self._id_in(presented)
        if session_id is not None:
            await _ask(self._client.delete(self._prefix + session_id))

    def _id_in(self, presented: str) -> str | None:
        """The id in a cookie's value; None for what cannot be one."""
        return presented if _SHAPE.fullmatch(presented) else None

    @abstractmethod
    def _content_of(self, raw: bytes) -> dict[str, Any]:
        """The content of a stored session.

        Raises:
            Unreadable: it is in no format that is read.
        """

    def _checked(self, content: dict[str, Any], scope: Scope) -> Mapping[str, Any] | None:
        """What the application has put there, without what the library has; None if this client may not have it."""
        return content


def mapping(content: Any) -> dict[str, Any]:
    """The content that was read, which is a mapping.

    Raises:
        Unreadable: it is none.
    """
    if not isinstance(content, dict):
        raise Unreadable("it is no mapping of names to values")
    return content


async def _ask(call: Awaitable[T]) -> T:
    try:
        return await call
    except Exception as error:  # each client library has errors of its own
        hint = "make the client without decode_responses" if isinstance(error, UnicodeDecodeError) else ""
        raise StoreUnavailable(f"the old sessions cannot be read: {type(error).__name__}", hint=hint) from error
