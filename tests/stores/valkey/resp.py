"""Talking to a server past everything that is under test."""

from __future__ import annotations

import socket
from typing import Any


def ask(client: socket.socket, *words: str | bytes) -> Any:
    """One command, and its reply."""
    client.sendall(_encoded(words))
    with client.makefile("rb") as stream:
        reply = _reply(stream)
    assert not isinstance(reply, Refused), reply
    return reply


def _reply(stream: Any) -> Any:
    line = stream.readline()[:-2]
    kind, rest = line[:1], line[1:]
    match kind:
        case b"$":
            return None if rest == b"-1" else stream.read(int(rest) + 2)[:-2]
        case b"*":
            return [_reply(stream) for _ in range(int(rest))]
        case b":":
            return int(rest)
        case b">":
            return Push(_reply(stream) for _ in range(int(rest)))
        case b"%":
            return {_reply(stream): _reply(stream) for _ in range(int(rest))}
        case b"_":
            return None
        case b"-":
            return Refused(rest.decode())
        case _:
            return rest


class Conversation:
    """A RESP3 connection that tells all it hears in the order of the stream, pushes among replies."""

    def __init__(self, path: str, *tracking: str) -> None:
        self._client = socket.socket(socket.AF_UNIX)
        self._client.connect(path)
        self._stream = self._client.makefile("rb")
        self.say(("HELLO", "3"))
        if tracking:
            self.say(("CLIENT", "TRACKING", "ON", *tracking))

    def close(self) -> None:
        self._stream.close()
        self._client.close()

    def say(self, *commands: tuple[str | bytes | int, ...]) -> list[Any]:
        """Send commands in one piece; what came until all were answered: a push as `Push`, a refusal as `Refused`."""
        self._client.sendall(b"".join(map(_encoded, (*commands, ("ECHO", "the end")))))
        heard: list[Any] = []
        while not heard or heard[-1] != b"the end":
            heard.append(_reply(self._stream))
        return heard[:-1]

    def wait(self) -> Any:
        """The next that comes unasked."""
        return _reply(self._stream)


class Push(list[Any]):
    """What the server says without being asked."""


class Refused(str):
    """An error as a reply."""

    __slots__ = ()


def _encoded(words: tuple[str | bytes | int, ...]) -> bytes:
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
