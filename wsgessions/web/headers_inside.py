"""The session's headers for layers between the session middleware and the application, such as caches."""

from __future__ import annotations

from .current_session import follow, running
from .types import AnyASGIApp, ASGIApp, Message, Receive, Scope, Send

__all__ = ["HeadersInside", "telling_inside"]


class HeadersInside:
    """Adds the session's headers to a response at its source, next to the application.

    Installed innermost: ``SessionMiddleware(Cache(HeadersInside(app)))``. `SessionMiddleware` alone adds them
    outermost, so that a layer in between never sees them, and a cache there would store each response for all visitors
    (S-40). The application's changes are committed here, before these headers; changes of a layer outside have their
    own commit.

    Args:
        app: the application, or the next layer.
    """

    def __init__(self, app: AnyASGIApp) -> None:
        self.app: ASGIApp = app
        follow("headers inside")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application."""
        await self.app(scope, receive, telling_inside(scope, send))


def telling_inside(scope: Scope, send: Send) -> Send:
    """The channel for an application whose responses shall have the session's headers from the start.

    Args:
        scope: the scope of the application's call.
        send: the channel of the layer around the application; also the result if no session is followed.
    """
    exchange = running.get() if scope["type"] == "http" else None
    if exchange is None or exchange.request.session is not scope.get("session"):
        return send

    async def tell_and_send(message: Message) -> None:
        nonlocal send
        if message["type"] == "http.response.start":
            if exchange.request.session is scope.get("session"):
                message, send = await exchange.open_inside(message, send)
            else:  # the framework applies changes of the session in another way, outside
                message = exchange.foresee(message)
        await send(message)

    return tell_and_send
