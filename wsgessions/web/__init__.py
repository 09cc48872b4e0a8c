"""One HTTP request or WebSocket with its session: from the presented id to the response's headers.

Begin with `exchange`, which runs the application once. `id_resolver` reads and writes ids, `connections` ends
connections whose session has ended, `lifespan` starts and closes the manager with the server. The package itself
exports the types of ASGI.
"""

from __future__ import annotations

from .types import OPENS_RESPONSE, AnyASGIApp, ASGIApp, Message, Receive, Scope, Send, octets

__all__ = ["OPENS_RESPONSE", "ASGIApp", "AnyASGIApp", "Message", "Receive", "Scope", "Send", "octets"]
