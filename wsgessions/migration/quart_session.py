"""Reads the sessions of Quart-Session in Redis: Flask's tagged JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..web import Scope
from .flask_session import SignedInRedis
from .in_redis import RedisClient, Unreadable, mapping
from .tagged_json import SafeHTML, loads

__all__ = ["QuartSessions"]

_ADDRESS: Final = "_addr"
"""The attribute in which Quart-Session stores the address of the client that began the session."""
_FLASHES: Final = "_flashes"
_SAFE: Final = "safe HTML"
"""The mark in a `QuartSession` behind category and text of such a message."""


class QuartSessions(SignedInRedis):
    """The sessions of Quart-Session in Redis.

    Args:
        client: a client for the server with the sessions; the caller closes it.
        prefix: ``SESSION_KEY_PREFIX``.
        signed_with: the application's ``SECRET_KEY`` if ``SESSION_USE_SIGNER`` is set; else None.
        same_address: whether only the address that began a session may use it, as with ``SESSION_PROTECTION``.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        prefix: str = "session:",
        signed_with: str | bytes | None = None,
        same_address: bool = False,
    ) -> None:
        super().__init__(client, prefix=prefix, signed_with=signed_with, salt="quart-session")
        self._same_address = same_address

    def _content_of(self, raw: bytes) -> dict[str, Any]:
        try:
            return mapping(loads(raw))
        except ValueError as error:
            raise Unreadable("it is not Flask's tagged JSON") from error

    def _checked(self, content: dict[str, Any], scope: Scope) -> Mapping[str, Any] | None:
        client = scope.get("client")
        address = client[0] if client else None
        if self._same_address and content.get(_ADDRESS, address) != address:
            return None
        plain = {name: _plain(value) for name, value in content.items() if name not in {_ADDRESS, _FLASHES}}
        return {**plain, _FLASHES: _flashes(content[_FLASHES])} if _FLASHES in content else plain


def _flashes(flashes: Any) -> Any:
    """The messages, with safe HTML marked so that a `QuartSession` returns it as safe."""
    if not isinstance(flashes, list):
        return _plain(flashes)
    return [
        (_plain(flash[0]), str(flash[1]), _SAFE)
        if isinstance(flash, tuple) and len(flash) == 2 and isinstance(flash[1], SafeHTML)
        else _plain(flash)
        for flash in flashes
    ]


def _plain(value: Any) -> Any:
    """Safe HTML as a plain text."""
    match value:
        case SafeHTML():
            return str(value)
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple():
            return type(value)(map(_plain, value))
        case _:
            return value
