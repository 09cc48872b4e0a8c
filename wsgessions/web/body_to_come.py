"""Responses whose headers are ready before an access to the session, and whose body may still access it (S-40).

A stream that begins to read the session while it is sent would be one visitor's page under headers that declare it to
be the same for all. So headers wait for the first part of the body, or until the application waits for something: if
more parts are to come then, the headers declare that the response depends on the client. Headers with the length or the
version of the body belong to an existing body, such as a file; they are sent at once, and the body must not access the
session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from operator import itemgetter
from typing import Any, Final

from ..errors import SessionClosed
from ..session import UnitOfWork
from .types import Message, Send, octets

__all__ = ["BodyToCome", "is_made_on_the_way", "sealed", "taken_back"]

_name_of: Final[Callable[[Any], Any]] = itemgetter(0)
_OF_A_THING: Final = frozenset({b"content-length", b"etag", b"last-modified"})
_LAST: Final = frozenset({"http.response.body", "http.response.pathsend", "http.response.zerocopysend"})
"""The types of messages one of which may be the whole body."""


class BodyToCome:
    """A send channel for one response whose body is generated while it is sent.

    Args:
        send: the channel below.
        unit: the state of the request's session.
        mark: adds headers which declare that the response depends on the client.
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
        """Send a message. The first one has the headers."""
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
        """The application waits for something before the first part: send the headers, so that the client need not
        wait.
        """
        start = self.take_back()
        if start is not None:
            leaving = self._let_go(self._mark(start))
            self._leaving = asyncio.get_running_loop().create_task(leaving, name="wsgessions headers")

    async def _let_go(self, start: Message) -> None:
        await self._send(start)

    def take_back(self) -> Message | None:
        """The headers, if they were not sent; this channel does not send them any more."""
        if self._turn is not None:
            self._turn.cancel()
        held, self._held = self._held, None
        return held

    @property
    def below(self) -> Send:
        """The channel below."""
        return self._send


def taken_back(channel: Send) -> Send | None:
    """The channel below, if this one was waiting to send headers: it does not send them any more. None otherwise.

    Args:
        channel: any channel.
    """
    return channel.below if isinstance(channel, BodyToCome) and channel.take_back() is not None else None


def is_made_on_the_way(headers: Collection[Any]) -> bool:
    """Whether headers contain neither length nor version of the body, so that it is generated while it is sent."""
    if not _OF_A_THING.isdisjoint(map(_name_of, headers)):
        return False
    return _OF_A_THING.isdisjoint(octets(name).lower() for name, _ in headers)


def sealed(send: Send, unit: UnitOfWork) -> Send:
    """A channel for the rest of a response whose headers were sent without a declaration about the session.

    Args:
        send: the channel below.
        unit: the state of the request's session, which was not accessed so far.

    Returns:
        The channel; it raises `SessionClosed` after an access to the session.
    """

    def send_for_all(message: Message) -> Awaitable[None]:
        if unit.is_accessed:
            raise SessionClosed(
                "the body of a response has accessed the session, which its headers do not declare",
                hint="access it before the response starts, or leave out Content-Length, ETag and Last-Modified",
            )
        return send(message)

    return send_for_all
