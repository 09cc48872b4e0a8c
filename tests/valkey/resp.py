"""One command at a time to a server, past everything that is under test."""

from __future__ import annotations

import socket
from typing import Any


def ask(client: socket.socket, *words: str | bytes) -> Any:
    """One command, and its reply."""
    parts = [word if isinstance(word, bytes) else word.encode() for word in words]
    client.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
    with client.makefile("rb") as stream:
        return _reply(stream)


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
        case b"-":
            raise AssertionError(rest.decode())
        case _:
            return rest
