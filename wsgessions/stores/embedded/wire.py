"""The commands of the supervisor to its server: for its status, and for a rewrite of its file."""

from __future__ import annotations

import socket
import time
from typing import Protocol

from .configuration import Listening
from .endpoint import Secret
from .peer import Peer
from .users import SUPERVISOR

__all__ = ["ask_info", "ask_rewrite"]

_PATIENCE = 1.0
_POLL = 0.005


class _Stream(Protocol):
    def readline(self) -> bytes: ...

    def read(self, size: int, /) -> bytes: ...

    def write(self, content: bytes, /) -> int: ...

    def flush(self) -> None: ...


def ask_info(listening: Listening, password: Secret, server: Peer) -> dict[str, str]:
    """The server's status and that of its persistence, by the names of ``INFO``. Answered while it still loads.

    Raises:
        OSError: it does not listen yet, does not answer within a second, or another process answers in its place, to
            which nothing is sent.
    """
    with _connected(listening, server) as connection, connection.makefile("rwb") as stream:
        _sign_in(stream, password, "INFO", "server", "persistence")
        return _fields(_bulk(stream))


def ask_rewrite(listening: Listening, password: Secret, server: Peer) -> None:
    """Have the server rewrite its file, without outdated and removed data; the server does so in the background.

    Raises:
        OSError: as `ask_info`; or the server refuses, as while it is rewriting already.
    """
    with _connected(listening, server) as connection, connection.makefile("rwb") as stream:
        _sign_in(stream, password, "BGREWRITEAOF")
        if not stream.readline().startswith(b"+"):
            raise ConnectionAbortedError("the server refused to rewrite its file")


def _sign_in(stream: _Stream, password: Secret, *words: str) -> None:
    stream.write(_command("AUTH", SUPERVISOR, password.reveal()) + _command(*words))
    stream.flush()
    if stream.readline() != b"+OK\r\n":
        raise ConnectionRefusedError("the process that answers does not accept our password")


def _connected(listening: Listening, server: Peer) -> socket.socket:
    """A connection that verifiably ends at the server (S-87)."""
    connection = socket.socket(listening.family)
    try:
        connection.settimeout(_PATIENCE)
        connection.connect(listening.socket or (listening.host, listening.port))
        _meet(connection, server)
    except OSError:
        connection.close()
        raise
    return connection


def _meet(connection: socket.socket, server: Peer) -> None:
    until = time.monotonic() + _PATIENCE
    while not server.holds(connection):
        if time.monotonic() > until:
            raise TimeoutError("the server does not accept the connection")
        time.sleep(_POLL)


def _command(*words: str) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in map(str.encode, words))


def _bulk(stream: _Stream) -> str:
    head = stream.readline()
    if not head.startswith(b"$"):
        raise ConnectionAbortedError("the server refused to report its status")
    return stream.read(int(head[1:])).decode()


def _fields(text: str) -> dict[str, str]:
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
