"""The one question that the supervisor asks its server: how it is."""

from __future__ import annotations

import socket
from typing import Protocol

from .configuration import Listening
from .connection import USERNAME
from .endpoint import Secret

__all__ = ["ask_info"]

_PATIENCE = 1.0


class _Readable(Protocol):
    def readline(self) -> bytes: ...

    def read(self, size: int, /) -> bytes: ...


def ask_info(listening: Listening, password: Secret) -> dict[str, str]:
    """The server's account of itself and of its persistence, by the names of ``INFO``. Answered while it still loads.

    Raises:
        OSError: it does not listen yet, does not answer within a second, or is not our server.
    """
    with _connected(listening) as connection, connection.makefile("rwb") as stream:
        stream.write(_command("AUTH", USERNAME, password.reveal()) + _command("INFO", "server", "persistence"))
        stream.flush()
        if stream.readline() != b"+OK\r\n":
            raise ConnectionRefusedError("what answers does not know our password")
        return _fields(_bulk(stream))


def _connected(listening: Listening) -> socket.socket:
    if listening.socket is None:
        return socket.create_connection((listening.host, listening.port), timeout=_PATIENCE)
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(_PATIENCE)
        connection.connect(listening.socket)
    except OSError:
        connection.close()
        raise
    return connection


def _command(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))


def _bulk(stream: _Readable) -> str:
    head = stream.readline()
    if not head.startswith(b"$"):
        raise ConnectionAbortedError("the server refused to tell how it is")
    return stream.read(int(head[1:])).decode()


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
