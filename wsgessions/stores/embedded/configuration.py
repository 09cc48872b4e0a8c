"""The configuration of the server, as the text of its file."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from socket import AddressFamily
from typing import Final

from ...errors import ConfigError
from .connection import FsyncPolicy
from .directory import StoreDirectory
from .peer import TELLS_TCP

__all__ = ["LOOPBACK", "Doors", "Listening", "configuration", "free_port"]

LOOPBACK: Final = "127.0.0.1"

_LONGEST_SOCKET_PATH: Final = 107 if sys.platform == "linux" else 103
"""Bytes of ``sun_path`` without its final NUL."""


class Doors(StrEnum):
    """The kinds of addresses that the server listens on."""

    SOCKET = "socket"
    """The unix socket in the directory; a free loopback port where its path is too long."""

    PORT = "port"
    """A TCP port alone."""

    BOTH = "both"
    """A TCP port, and the unix socket where its path is not too long."""


@dataclass(frozen=True, slots=True)
class Listening:
    """What the server listens on.

    Attributes:
        socket: path of the unix socket, or None.
        bind: the address to bind the TCP port to.
        port: the TCP port, or None.
    """

    socket: str | None
    bind: str
    port: int | None

    @classmethod
    def at(cls, directory: StoreDirectory, doors: Doors, port: int, bind: str = LOOPBACK) -> Listening:
        """``port``: 0 draws a free one, where a port is needed.

        Raises:
            ConfigError: there would be no unix socket, and this system cannot show which process answers at a port: no
                password can be said there (S-87).
        """
        path = str(directory.socket)
        fits = len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH
        if doors is Doors.SOCKET and fits:
            return cls(path, bind, None)
        if not TELLS_TCP and not (fits and doors is Doors.BOTH):
            raise _port_alone(directory)
        return cls(path if fits and doors is Doors.BOTH else None, bind, port or free_port(bind))

    @property
    def family(self) -> AddressFamily:
        """The kind of socket that leads there from this host."""
        if self.socket is not None:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.bind else socket.AF_INET

    @property
    def host(self) -> str | None:
        """The address for clients on this host, or None without a TCP port."""
        if self.port is None:
            return None
        return {"0.0.0.0": LOOPBACK, "::": "::1"}.get(self.bind, self.bind)  # noqa: S104 - compared, not bound


def _port_alone(directory: StoreDirectory) -> ConfigError:
    return ConfigError(
        f"the store in {directory} would listen on a TCP port alone, where this system does not tell which process "
        "answers",
        setting="store_url",
        hint=f"name a directory whose path has at most {_LONGEST_SOCKET_PATH - len('/valkey.sock')} bytes",
    )


def free_port(bind: str = LOOPBACK) -> int:
    """A port without a listener at this moment."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((bind, 0))
        port: int = probe.getsockname()[1]
        return port


_FIXED: Final = """\
protected-mode yes
daemonize no
databases 1
save ""
appendonly yes
auto-aof-rewrite-min-size 16mb
# A full server rejects writes and never evicts: an evicted session would be a logged-out user.
maxmemory-policy noeviction
# Sessions of up to about 500 attributes below 1 kB each stay compact. Measured: 1.4 bytes of memory for each byte of
# twenty values of 100 bytes, where the default limits take 1.7; changing the last of 256 takes 5 us, not 1 us.
hash-max-listpack-entries 512
hash-max-listpack-value 1024
# No limit: near caches have their own limits, and a table that overflows drops keys that they depend on.
tracking-table-max-keys 0
tcp-keepalive 30
"""


def configuration(
    directory: StoreDirectory, listening: Listening, users: Sequence[str], *, fsync: FsyncPolicy, maxmemory: int
) -> bytes:
    """The file's content.

    Args:
        directory: where the server keeps its files.
        listening: what it listens on.
        users: their lines, see `users.user_lines`.
        fsync: when it forces its file to the disk.
        maxmemory: bytes of data; larger writes are rejected.
    """
    lines = [
        f"bind {listening.bind}",
        f"port {listening.port or 0}",
        f"appendfsync {fsync}",
        f"dir {_quoted(directory.data)}",
        f"logfile {_quoted(directory.server_log)}",
        f"maxmemory {maxmemory}",
        *users,
    ]
    if listening.socket:
        lines += [f"unixsocket {_quoted(listening.socket)}", "unixsocketperm 600"]
    return (_FIXED + "\n".join(lines) + "\n").encode()


def _quoted(path: str | os.PathLike[str]) -> str:
    """The path as a quoted word of the file, whatever bytes it has."""
    return '"' + "".join(map(_escaped, os.fsencode(path))) + '"'


def _escaped(byte: int) -> str:
    is_plain = " " <= chr(byte) <= "~" and byte not in b'"\\'
    return chr(byte) if is_plain else f"\\x{byte:02x}"
