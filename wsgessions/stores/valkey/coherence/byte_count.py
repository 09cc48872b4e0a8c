"""Proves that no part of a stream is missing: compares the bytes that the server has sent with those that have come
(C-22).

Replies and pushes share one stream. A proxy that drops pushes, and pushes alone, leaves no other trace in it. But the
server counts the bytes that it writes to each client (``tot-net-out``), and reports in ``CLIENT INFO`` how many more
are in its buffer (``obl``): exactly as many bytes come before the reply in the stream. Each count covers all bytes
since the previous one, so a loss between two counts is detected however short it was.

Servers count since Valkey 8.1. If one does not, or a proxy alters the stream, no comparison is possible.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from ..client.commands import Commands
from ..client.replies import Reply

__all__ = ["CLIENT_INFO", "ByteCount", "Verdict"]

CLIENT_INFO: Final = (b"CLIENT", b"INFO")


class Verdict(Enum):
    """The result of a count."""

    COMPLETE = auto()
    """All bytes that the server had sent have come."""
    MISSING = auto()
    """Some bytes are missing, or more have come than were sent."""
    UNCOUNTED = auto()
    """The server could not report an exact count at this moment, or the reply came in two parts. The next count covers
    it."""


class ByteCount:
    """The counts of one connection. Each is compared with the previous one."""

    __slots__ = ("_ahead", "verdict")

    def __init__(self) -> None:
        self.verdict: Verdict = Verdict.UNCOUNTED
        """The position of the last count."""
        self._ahead: int | None = None

    @classmethod
    async def begun(cls, commands: Commands) -> ByteCount | None:
        """The counts of a fresh connection; None where the server does not count, or the stream is altered."""
        count = cls()
        for _ in range(2):
            await commands.request(*CLIENT_INFO, on_reply=lambda info: count.take(info, commands))
        return count if count.verdict is Verdict.COMPLETE else None

    def take(self, info: Reply, commands: Commands) -> None:
        """Evaluate the reply to `CLIENT_INFO`, which is being parsed, in the stream of this connection."""
        sent = sent_before(info)
        received = None if sent is None else commands.bytes_before(info)
        if sent is None or received is None:
            self.verdict = Verdict.UNCOUNTED
        else:
            before, self._ahead = self._ahead, sent - received
            self.verdict = Verdict.COMPLETE if before in (None, self._ahead) else Verdict.MISSING


def sent_before(info: Reply) -> int | None:
    """The bytes that the server sends to this client before the reply with this content; None if that is uncertain."""
    if type(info) is not bytes:
        return None
    told = dict(pair.split(b"=", 1) for pair in info.split() if b"=" in pair)
    # A list of further buffers, or a partly written buffer, is reported by its size in memory.
    if told.get(b"oll") != b"0" or told.get(b"events") != b"r" or b"tot-net-out" not in told:
        return None
    return int(told[b"tot-net-out"]) + int(told[b"obl"])
