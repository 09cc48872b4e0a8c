"""Targets: what a server, or what stands in its place, sends over the link (S-91, F-07, S-79)."""

from __future__ import annotations

import asyncio
import math
import socket
from typing import Any, NamedTuple

from wsgessions.errors import StoreRefused
from wsgessions.stores.valkey.client.connection import Connection, StreamPosition
from wsgessions.stores.valkey.client.replies import LinkLost, server_error
from wsgessions.stores.valkey.client.requests import CommandRequest, OnReply, PendingRequest, PipelineRequest, Words

from .inputs import cuts

TICKETS = (None, 2, None, None)
"""How many replies each caller expects; None for a single command."""


class _Transport(asyncio.Transport):
    """Takes what is written, and knows whether it was given up."""

    def __init__(self, descriptor: socket.socket) -> None:
        super().__init__({"socket": descriptor})
        self.aborted = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


class Heard(NamedTuple):
    """What became of one stream."""

    events: list[str]
    """Replies and pushes in their order."""
    answers: list[str]
    """What each caller was told."""
    lost: bool


def check_stream(data: bytes) -> None:
    """However the stream is cut, the same comes of it: replies in order to their callers, or the end of the link."""
    data = data[:256]
    told = {repr(hear(chunks)) for chunks in cuts(data)}
    assert len(told) == 1, told


def hear(chunks: list[bytes]) -> Heard:
    """What a connection makes of these pieces, read one after the other."""
    with asyncio.Runner() as runner:
        return runner.run(_hear(chunks))


async def _hear(chunks: list[bytes]) -> Heard:
    events: list[str] = []
    with socket.socket() as descriptor:
        connection = Connection(
            stream=StreamPosition(),
            on_push=lambda push: events.append(f"push {push!r}"),
            on_room=lambda: None,
            on_lost=lambda _: events.append("lost"),
            on_refusal=lambda _, refused: events.append(f"refused {refused.server_code}"),
        )
        transport = _Transport(descriptor)
        connection.connection_made(transport)
        tickets = [_ticket(each, lambda reply: events.append(_told(reply))) for each in TICKETS]
        for ticket in tickets:
            ticket.future = asyncio.get_running_loop().create_future()
        connection.write(tickets, 0.0)
        for chunk in chunks:
            connection.get_buffer(len(chunk))[: len(chunk)] = chunk
            connection.buffer_updated(len(chunk))
        assert transport.aborted == (connection.lost is not None)
        answers = [_answer(ticket) for ticket in tickets]
        assert connection.lost is None or "pending" not in answers, "a caller would wait for ever"
        lost = connection.lost is not None
        connection.connection_lost(None)
        for ticket in tickets:
            ticket.future.exception() if not ticket.future.cancelled() else None
        return Heard(events, answers, lost)


def _ticket(replies: int | None, on_reply: OnReply) -> PendingRequest:
    if replies is None:
        return CommandRequest(words=Words(), deadline=math.inf, on_reply=on_reply)
    return PipelineRequest(commands=[(b"PING",)] * replies, deadline=math.inf, on_reply=on_reply)


def _answer(ticket: PendingRequest) -> str:
    if not ticket.future.done():
        return "pending"
    error = ticket.future.exception()
    if error is not None:
        assert isinstance(error, LinkLost)
        assert error.sent
        return "lost"
    return _told(ticket.future.result())


def _told(reply: Any) -> str:
    return f"refused {reply.server_code}" if isinstance(reply, StoreRefused) else repr(reply)


def check_server_error(data: bytes) -> None:
    """Error texts become one printable line of bounded length."""
    error = server_error(data.decode("utf-8", "replace"))
    assert len(str(error)) < 1000
    assert str(error).isprintable()


def seeds() -> dict[str, dict[str, bytes]]:
    """Streams as servers send them."""
    return {
        "stream": {
            "replies": b"$5\r\nhello\r\n+OK\r\n:7\r\n_\r\n,1.5\r\n#t\r\n",
            "pushes": b">2\r\n$10\r\ninvalidate\r\n*1\r\n$3\r\nkey\r\n+OK\r\n>2\r\n$10\r\ninvalidate\r\n_\r\n",
            "nested": b"*3\r\n*2\r\n:1\r\n$-1\r\n%1\r\n+a\r\n(123\r\n~1\r\n+b\r\n",
            "verbatim": b"=8\r\ntxt:info\r\n-ERR no such thing\r\n",
            "refusals": b"*2\r\n-WRONGTYPE of a key\r\n+OK\r\n-MOVED 1 host:1\r\n",
        },
        "server_error": {
            "oom": b"OOM command not allowed",
            "quoting": b"ERR unknown command 'HELLO', with args beginning with: 's3cr3t' ",
        },
    }
