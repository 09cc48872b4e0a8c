"""Reads the sessions of Quart-Session in Redis: Flask's tagged JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ..asgi import Scope
from .flask_session import SignedInRedis
from .in_redis import RedisClient, Unreadable, mapping
from .tagged_json import SafeHTML, loads

__all__ = ["QuartSessions"]

_ADDRESS: Final = "_addr"
"""The attribute in which Quart-Session keeps the address of the client that began the session."""
_FLASHES: Final = "_flashes"
_MARKUP: Final = " m"


class QuartSessions(SignedInRedis):
    """The sessions of Quart-Session in Redis.

    Args:
        client: a client for the server that has the sessions; closed by whoever made it.
        prefix: ``SESSION_KEY_PREFIX``.
        signed_with: the application's ``SECRET_KEY`` if ``SESSION_USE_SIGNER`` is set; else None.
        same_address: whether only the address that began a session may have it, as with ``SESSION_PROTECTION``.
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
        return {name: _plain(value, name == _FLASHES) for name, value in content.items() if name != _ADDRESS}


def _plain(value: Any, marked: bool) -> Any:
    """Safe HTML as a text; marked so that `flash()` finds it again in a `QuartSession`, where the value is for it."""
    match value:
        case SafeHTML():
            return {_MARKUP: str(value)} if marked else str(value)
        case dict():
            return {name: _plain(each, marked) for name, each in value.items()}
        case list() | tuple():
            return type(value)(_plain(each, marked) for each in value)
        case _:
            return value
