"""The task of a supervisor, and the observer that it reports to."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Protocol

from .configuration import LOOPBACK, Doors
from .connection import Connection, FsyncPolicy, ServedBy

__all__ = ["Observer", "Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """The task of a supervisor. It contains no secret: it is passed on a command line.

    Attributes:
        server: path of the server program.
        started_by: process and program, for messages.
        fsync: the server's policy.
        doors: the kinds of its addresses.
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
        """The plan in the JSON of `to_json`."""
        told = json.loads(text)
        told["fsync"] = FsyncPolicy(told["fsync"])
        told["doors"] = Doors(told["doors"])
        told["served_by"] = ServedBy(told["served_by"])
        return cls(**told)


class Observer(Protocol):
    """Receives the events of the server."""

    def starting(self, note: str) -> None:
        """The server is not ready yet; ``note`` gives the reason. Called repeatedly."""

    def ready(self, connection: Connection) -> None:
        """The server is ready, for the first time or again."""

    def trouble(self, note: str) -> None:
        """An error occurred, and the supervisor continues."""
