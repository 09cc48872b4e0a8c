"""What a supervisor is told to run, and whom it tells about it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Protocol

from .configuration import LOOPBACK, Doors
from .connection import Connection, FsyncPolicy, ServedBy

__all__ = ["Observer", "Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a supervisor is to run. It holds no secret: it travels on a command line.

    Attributes:
        server: path of the server program.
        started_by: process and program, for messages.
        fsync: the server's policy.
        doors: what it listens on.
        port: the TCP port; 0 draws one where one is needed.
        bind: the address of the TCP port.
        served_by: the kind of supervisor; it decides when to stop.
        maxmemory: bytes of data that the server takes; 0 for half of the memory that there is.
    """

    server: str
    started_by: str
    fsync: FsyncPolicy = FsyncPolicy.EVERYSEC
    doors: Doors = Doors.SOCKET
    port: int = 0
    bind: str = LOOPBACK
    served_by: ServedBy = ServedBy.EMBEDDED
    maxmemory: int = 0

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that `to_json` wrote."""
        told = json.loads(text)
        told["fsync"] = FsyncPolicy(told["fsync"])
        told["doors"] = Doors(told["doors"])
        told["served_by"] = ServedBy(told["served_by"])
        return cls(**told)


class Observer(Protocol):
    """Is told what happens to the server."""

    def starting(self, note: str) -> None:
        """The server is not ready yet; ``note`` says what is being waited for. Told again and again."""

    def ready(self, connection: Connection) -> None:
        """The server is ready, for the first time or again."""

    def trouble(self, note: str) -> None:
        """Something went wrong, and the supervisor goes on."""
