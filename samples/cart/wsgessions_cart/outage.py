"""The shop's own page in place of a 503: the store does not answer. A middleware in pure ASGI.

It is between the sessions and the framework, as metrics and CORS are, and so sees each error response of the sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from .pages import Pages

__all__ = ["OutagePage"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Any, Send], Awaitable[None]]

_UNAVAILABLE: Final = 503
_OF_THE_BODY: Final = (b"content-type", b"content-length")


class OutagePage:
    """Answers a person with a page that retries by itself; programs get the response as it is."""

    def __init__(self, app: App, pages: Pages) -> None:
        self.app = app
        self._pages = pages

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        if scope["type"] != "http" or not _is_for_a_person(scope):
            await self.app(scope, receive, send)
            return
        is_replaced = False

        async def send_page(message: Message) -> None:
            nonlocal is_replaced
            if message["type"] == "http.response.start" and message["status"] == _UNAVAILABLE:
                is_replaced = True
                page = self._pages.outage(scope["path"] if scope["method"] == "GET" else "/Cart").encode()
                kept = [field for field in message["headers"] if field[0].lower() not in _OF_THE_BODY]
                described = [
                    (b"content-type", b"text/html; charset=utf-8"),
                    (b"content-length", str(len(page)).encode()),
                ]
                await send({**message, "headers": [*kept, *described]})
                await send({"type": "http.response.body", "body": page})
            elif not is_replaced:
                await send(message)

        await self.app(scope, receive, send_page)


def _is_for_a_person(scope: Scope) -> bool:
    accepted = b",".join(value for name, value in scope["headers"] if name.lower() == b"accept")
    return b"text/html" in accepted
