"""Reads the sessions of starsessions in its `RedisStore`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..web import Scope
from .in_redis import InRedis, RedisClient, Unreadable, mapping

__all__ = ["Starsessions", "without_metadata"]

_METADATA: Final = "__metadata__"
"""The attribute in which starsessions stores its metadata."""


class Starsessions(InRedis):
    """The sessions of starsessions in Redis.

    Args:
        client: a client for the server with the sessions; the caller closes it.
        prefix: the prefix of its ``RedisStore``.
        loads: reads JSON, as the library's ``JsonSerializer`` with the project's own decoder does.
    """

    def __init__(
        self, client: RedisClient, *, prefix: str = "starsessions.", loads: Callable[[bytes], Any] = json.loads
    ) -> None:
        super().__init__(client, prefix=prefix)
        self._loads = loads

    def _content_of(self, raw: bytes) -> dict[str, Any]:
        try:
            return mapping(self._loads(raw))
        except ValueError as error:
            raise Unreadable("it is not JSON") from error

    def _checked(self, content: dict[str, Any], scope: Scope) -> Mapping[str, Any] | None:
        return without_metadata(content)


def without_metadata(content: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes that the application has set in a session."""
    return {name: value for name, value in content.items() if name != _METADATA}
