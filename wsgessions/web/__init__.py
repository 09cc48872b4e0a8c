"""One HTTP request or WebSocket with its session: from the id that comes in to the id that goes out.

Begin with `exchange`, which runs the application once. `id_resolver` reads and writes ids, `connections` ends what
outlives its session, `lifespan` ties the manager's life to the server's. What the package itself offers are the words
of ASGI.
"""

from __future__ import annotations

from .types import AnyASGIApp, ASGIApp, Message, Receive, Scope, Send, octets, opens_response

__all__ = ["ASGIApp", "AnyASGIApp", "Message", "Receive", "Scope", "Send", "octets", "opens_response"]
