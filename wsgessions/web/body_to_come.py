"""Responses whose headers are ready before the session was looked at, and whose body may still look (S-40).

A stream that begins to read the session while it is sent would be one visitor's page under headers that say it is one
for all. So headers wait for the first part of the body, or until the application waits for something: if there is
more to come then, they say that the response depends on the client. Headers that name the length or the version of the
body are of a thing that is there already, such as a file; they leave at once, and its body must not begin to look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from ..errors import SessionClosed
from ..session import UnitOfWork
from .types import Message, Send, octets

__all__ = ["BodyToCome", "is_made_on_the_way", "sealed"]

_OF_A_THING: Final = frozenset({b"content-length", b"etag", b"last-modified"})
_LAST: Final = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})
"""The messages of which one may be all of a body."""
_LENGTHS: Final = frozenset(map(len, _OF_A_THING))


class BodyToCome:
    """A channel for one response that is made on the way.

    Args:
        send: the channel below.
        unit: what the request knows of its session.
        mark: says in headers that the response depends on the client.
    """

    __slots__ = ("_held", "_leaving", "_mark", "_send", "_turn", "_unit")

    def __init__(self, send: Send, unit: UnitOfWork, mark: Callable[[Message], Message]) -> None:
        self._send = send
        self._unit = unit
        self._mark = mark
        self._held: Message | None = None
        self._turn: asyncio.Handle | None = None
        self._leaving: asyncio.Task[None] | None = None

    async def __call__(self, message: Message) -> None:
        """The channel. The first message has the headers."""
        if message["type"] == "http.response.start":
            self._held = message
            self._turn = asyncio.get_running_loop().call_soon(self._go)
            return
        if self._leaving is not None:
            await self._leaving
        elif (start := self.take_back()) is not None:
            more = message.get("more_body") or message["type"] not in _LAST
            await self._send(self._mark(start) if more or self._unit.is_accessed else start)
        await self._send(message)

    def _go(self) -> None:
        """The application waits for something before the first part: its client is not to wait for the headers too."""
        start = self.take_back()
        if start is not None:
            leaving = self._let_go(self._mark(start))
            self._leaving = asyncio.get_running_loop().create_task(leaving, name="wsgessions headers")

    async def _let_go(self, start: Message) -> None:
        await self._send(start)

    def take_back(self) -> Message | None:
        """The headers, if they have not left; they do not leave by this channel any more."""
        if self._turn is not None:
            self._turn.cancel()
        held, self._held = self._held, None
        return held

    @property
    def below(self) -> Send:
        """The channel below."""
        return self._send


def is_made_on_the_way(headers: Iterable[Any]) -> bool:
    """Whether headers say nothing of what the body will be."""
    for header in headers:
        name = header[0]
        # The length settles it for most fields.
        if len(name) in _LENGTHS and (name in _OF_A_THING or octets(name).lower() in _OF_A_THING):
            return False
    return True


def sealed(send: Send, unit: UnitOfWork) -> Send:
    """A channel for the rest of a response whose headers have left without a word of the session.

    Args:
        send: the channel below.
        unit: what the request knows of its session, which was not looked at so far.

    Returns:
        The channel; it raises `SessionClosed` once the session was looked at.
    """

    async def send_for_all(message: Message) -> None:
        if unit.is_accessed:
            raise SessionClosed(
                "the body of a response has looked at the session, of which its headers say nothing",
                hint="look at it before the response starts, or leave out Content-Length, ETag and Last-Modified",
            )
        await send(message)

    return send_for_all
