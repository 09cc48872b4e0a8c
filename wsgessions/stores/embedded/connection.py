"""The file with the address of a running embedded store."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ...errors import StoreUnavailable
from .directory import StoreDirectory
from .endpoint import Endpoint, Secret
from .locks import FileLock
from .private_files import read_held, write_held

__all__ = ["USERNAME", "Connection", "FsyncPolicy", "ServedBy"]

USERNAME = "wsgessions"
_FORMAT = 2


class FsyncPolicy(StrEnum):
    """When the server forces its append-only file to the disk (F-05)."""

    EVERYSEC = "everysec"
    """Once a second: a crash of the machine loses the last second of acknowledged changes, at worst two. The death of
    the server process alone loses only the writes that were delayed by a busy disk, again at most two seconds."""

    ALWAYS = "always"
    """Before each acknowledgement: no acknowledged change is lost. Each write waits for the disk."""

    def honours(self, wanted: FsyncPolicy) -> bool:
        """Whether a server of this policy keeps the promise of the ``wanted`` one."""
        return self is wanted or self is FsyncPolicy.ALWAYS


class ServedBy(StrEnum):
    """The kind of supervisor that runs the server."""

    EMBEDDED = "embedded"
    """A detached one, which stops when the last user has gone."""

    SERVER = "server"
    """``wsgessions server``, which runs until it is stopped."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The content of ``connection.json``: written when the server is ready, removed before it stops, and locked by the
    supervisor in between, so that it is trusted only while the supervisor lives.

    Attributes:
        socket: path of the unix socket, or None.
        host: the address clients on this host use, or None where there is no TCP port.
        port: the TCP port, or None.
        password: of the user `USERNAME`.
        fsync: the server's policy.
        served_by: the kind of supervisor.
        supervisor_pid: its process.
        server_pid: the server's process.
        pid_namespace: where that number counts.
        server_version: such as ``"9.1.2"``.
        started_by: process and program that started the supervisor, for messages.
    """

    socket: str | None
    host: str | None
    port: int | None
    password: Secret
    fsync: FsyncPolicy
    served_by: ServedBy
    supervisor_pid: int
    server_pid: int
    pid_namespace: str
    server_version: str
    started_by: str

    def endpoint(self) -> Endpoint:
        """The address to connect to: the socket if there is one."""
        host, port = (None, None) if self.socket else (self.host, self.port)
        return Endpoint(
            self.socket, host, port, USERNAME, self.password, self.server_version, self.server_pid, self.pid_namespace
        )

    def described(self) -> str:
        """The process that serves the directory, for messages."""
        if self.served_by is ServedBy.SERVER:
            return f"wsgessions server (pid {self.supervisor_pid}) on port {self.port}"
        return f"an embedded store (supervisor pid {self.supervisor_pid}, started by {self.started_by})"

    def write(self, directory: StoreDirectory) -> FileLock:
        """Publish it for as long as the returned lock is held; raises OSError if the file cannot be written."""
        told = {"format": _FORMAT, "username": USERNAME}
        told |= {field.name: getattr(self, field.name) for field in fields(self)}
        told["password"] = self.password.reveal()
        return FileLock(directory.connection, write_held(directory.connection, json.dumps(told, indent=1).encode()))

    @classmethod
    def read(cls, directory: StoreDirectory) -> Connection | None:
        """The content of the file; None if there is none, or only that of a dead supervisor. Its server was told to end
        by its death, but takes a while to do so and would let us in meanwhile (F-24).

        Raises:
            ConfigError: others could have written or read the file.
            StoreUnavailable: it is damaged, or of a later release.
        """
        content = read_held(directory.connection)
        if content is None:
            return None
        try:
            return cls._parsed(json.loads(content), str(directory.socket))
        except (ValueError, KeyError, TypeError) as error:
            hint = "upgrade wsgessions here, or end all processes that use the directory and remove the file"
            raise StoreUnavailable(f"{directory.connection} cannot be understood", hint=hint) from error

    @classmethod
    def _parsed(cls, told: dict[str, Any], socket: str) -> Connection:
        if told.pop("format") != _FORMAT or told.pop("username") != USERNAME:
            raise ValueError("another format")
        # The socket is where the directory is seen from here: another container may have it elsewhere.
        told["socket"] = told["socket"] and socket
        told["password"] = Secret(told["password"])
        told["fsync"] = FsyncPolicy(told["fsync"])
        told["served_by"] = ServedBy(told["served_by"])
        return cls(**told)
