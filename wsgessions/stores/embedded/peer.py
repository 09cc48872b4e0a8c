"""Finds the process at the other end of a connection on this host, before a password is sent to it (S-87).

While the server does not run, any process can bind its unix socket's path or its TCP port. A successful connection is
therefore no proof of the peer's identity. Linux reports the peer of a unix socket, and the files of each process, the
accepted end of a TCP connection among them; macOS tells the peer of a unix socket.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["TELLS_TCP", "Peer", "own_namespace"]

TELLS_TCP: Final = sys.platform == "linux"
"""Whether the system reports the peer of a TCP connection too."""

_CREDENTIALS: Final = struct.Struct("3i")
_LOCAL_LEVEL: Final = 0
_LOCAL_PEERPID: Final = 2
"""Constants of macOS that Python's `socket` lacks."""


def own_namespace() -> str:
    """The process-id namespace of this process; ``""`` if the system has only one."""
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


@dataclass(frozen=True, slots=True)
class Peer:
    """The expected server process at the other end.

    Attributes:
        pid: its number.
        namespace: where that number counts, see `own_namespace`. A process of another namespace, such as that of
            another container, knows no common number: the peer must then belong to the same user.
    """

    pid: int
    namespace: str

    def holds(self, connection: socket.socket) -> bool:
        """Whether the expected process holds the other end; False as long as no process has accepted it.

        Raises:
            ConnectionRefusedError: another process has it, or the system does not tell.
        """
        is_local = connection.family == socket.AF_UNIX
        found = _unix_peer(connection) if is_local else self._tcp_peer(connection)
        if found is None:
            return False
        pid, uid = found
        is_ours = pid == self.pid if self.namespace == own_namespace() else uid == os.geteuid()
        if not is_ours:
            raise ConnectionRefusedError("the process that answers there is not the server of this store")
        return True

    def _tcp_peer(self, connection: socket.socket) -> tuple[int, int] | None:
        """The expected process's number if it has the connection, 0 if another has it; and the user."""
        row = _row_of(connection.getpeername(), connection.getsockname(), connection.family)
        if row is None:
            return None
        inode, uid = row
        return (self.pid if _has_open(self.pid, inode) else 0), uid


def _unix_peer(connection: socket.socket) -> tuple[int, int]:
    """Number and user of the process that listens; the user is unknown (-1) on macOS."""
    if sys.platform != "linux":
        return connection.getsockopt(_LOCAL_LEVEL, _LOCAL_PEERPID), -1
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    return pid, uid


def _row_of(local: tuple[str, int], remote: tuple[str, int], family: int) -> tuple[int, int] | None:
    """Inode and user of the socket with these ends; None while the connection is not accepted yet.

    Raises:
        ConnectionRefusedError: the system has no such table.
    """
    table = Path("/proc/net/tcp6" if family == socket.AF_INET6 else "/proc/net/tcp")
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError as error:
        raise ConnectionRefusedError("this system does not tell which process answers there") from error
    ends = [_written(local, family), _written(remote, family)]
    found = [(int(row[9]), int(row[7])) for row in rows if row[1:3] == ends]
    return next((each for each in found if each[0]), None)


def _written(end: tuple[str, int], family: int) -> str:
    """An address as the table has it: 32-bit words in the machine's order, and the port."""
    address = socket.inet_pton(family, end[0])
    words = struct.unpack(f"={len(address) // 4}I", address)
    return "".join(f"{word:08X}" for word in words) + f":{end[1]:04X}"


def _has_open(pid: int, inode: int) -> bool:
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                if str(file.readlink()) == f"socket:[{inode}]":
                    return True
    return False
