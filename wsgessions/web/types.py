"""The types of ASGI that this package uses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

__all__ = ["OPENS_RESPONSE", "ASGIApp", "AnyASGIApp", "Message", "Receive", "Scope", "Send", "octets"]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
AnyASGIApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An application of any framework: each has its own types for scopes and messages, and they are plain dicts in all."""

OPENS_RESPONSE: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
"""The types of messages with the response's headers: its start, a WebSocket's accept or its denial (R-41)."""


def octets(text: bytes | str, errors: str = "strict") -> bytes:
    """A header's name or value as bytes, also from frameworks that send text (R-54); ``errors`` as in `str.encode`."""
    return text if isinstance(text, bytes) else text.encode("latin-1", errors)
