"""Reads the sessions of starsessions in its `RedisStore`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from ..web import Scope
from .in_redis import InRedis, RedisClient, Unreadable, mapping

__all__ = ["Starsessions", "without_metadata"]

_METADATA: Final = "__metadata__"
"""The attribute in which starsessions keeps what it knows itself."""


class Starsessions(InRedis):
    """The sessions of starsessions in Redis.

    Args:
        client: a client for the server that has the sessions; closed by whoever made it.
        prefix: as for its ``RedisStore``.
        loads: reads JSON; as its ``JsonSerializer`` with a decoder of the project's own does.
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
            raise Unreadable("it is no JSON") from error

    def _checked(self, content: dict[str, Any], scope: Scope) -> Mapping[str, Any] | None:
        return without_metadata(content)


def without_metadata(content: Mapping[str, Any]) -> dict[str, Any]:
    """What the application has put into a session."""
    return {name: value for name, value in content.items() if name != _METADATA}
