"""The use of the embedded store of a directory by one process."""

from __future__ import annotations

import asyncio
import logging
import math
import os
from contextlib import suppress

from ...errors import ConfigError, StoreUnavailable
from ...internal import real_time as time
from ..valkey.client.versions import warn_once
from .binary import find_server
from .configuration import Doors
from .connection import Connection, FsyncPolicy, ServedBy
from .directory import StoreDirectory, disk_trouble
from .endpoint import Endpoint
from .launch import launch, this_program
from .locks import FORK_GUARD, FileLock
from .plan import Plan

__all__ = ["EmbeddedServer"]

log: logging.Logger = logging.getLogger("wsgessions.embedded")

_FIRST_PAUSE = 0.01
_LONGEST_PAUSE = 0.2


class EmbeddedServer:
    """The embedded store of one directory, as one of its users.

    From `attach` to `detach`, or to its end however it comes, this process counts as a user, and the server runs. A
    process forked in between counts as another: the server stays until both have ended or detached. Nothing here is
    tied to an event loop, and every call may be made from any of them.

    Args:
        directory: made if missing, with its parents; private to this user. It must be on a local disk.
        fsync: when the server forces its file to the disk; default once a second.
        port: None for a unix socket in the directory (where its path is too long: a free loopback port); a number for
        this     loopback port; 0 for a free one. Counts only for the process that starts the server.
        maxmemory: bytes of data that the server takes, beyond which it refuses changes; 0 for half of the memory of the
            machine or container. Counts only for the process that starts the server.
    """

    def __init__(
        self,
        directory: str | os.PathLike[str],
        *,
        fsync: FsyncPolicy = FsyncPolicy.EVERYSEC,
        port: int | None = None,
        maxmemory: int = 0,
    ) -> None:
        self._directory = StoreDirectory(directory)
        self._fsync = fsync
        self._port = port
        self._maxmemory = maxmemory
        self._users: FileLock | None = None
        self._served_by: ServedBy | None = None

    def __repr__(self) -> str:
        return f"EmbeddedServer({str(self._directory)!r}, fsync={self._fsync.value!r})"

    async def attach(self, *, deadline: float = math.inf) -> Endpoint:
        """Become a user, start the server if it does not run, and return its address. May be called again.

        Args:
            deadline: an instant of `time.monotonic`. A start continues after it, and a later call finds its server.

        Raises:
            ConfigError: the directory is not safe or cannot be written, there is no server program for this platform,
            or the running server's policy is weaker than ``fsync``.
            StoreUnavailable: the disk is full, the port is taken, the server does not start, or not in time.
        """
        self._directory.prepare()
        pause = _FIRST_PAUSE
        while True:
            if self._joins():
                connection = await self._find(deadline)
                if connection and await _accepts(connection):
                    return self._checked(connection)
            if time.monotonic() >= deadline:
                raise self._late()
            await asyncio.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    async def endpoint(self, *, deadline: float = math.inf) -> Endpoint:
        """The present address of the server, after its connection was lost: a dead supervisor is replaced first.

        Raises:
            StoreUnavailable: as `attach`; also where `attach` raises ConfigError, since the service has begun (R-07).
        """
        try:
            return await self.attach(deadline=deadline)
        except ConfigError as error:
            raise StoreUnavailable(error.args[0], hint=error.hint) from error

    def detach(self) -> None:
        """Stop counting as a user. Without users the server stops within five seconds. A second call does nothing.

        A forked process detaches for itself only.
        """
        with FORK_GUARD:
            if self._users:
                self._users.close()
            self._users = None

    def _joins(self) -> bool:
        """Whether this process counts as a user; False while a supervisor is stopping."""
        with FORK_GUARD:
            if self._users and self._users.is_current():
                return True
            self.detach()
            try:
                users = FileLock(self._directory.users_lock)
            except FileNotFoundError:
                self._directory.prepare()
                return False
            except OSError as error:
                raise disk_trouble(error, self._directory.path) from error
            if users.try_shared():
                self._users = users
                return True
            users.close()
            return False

    async def _find(self, deadline: float) -> Connection | None:
        """The running server's connection; starts a supervisor if there is none."""
        launched = launch(self._directory, self._plan)
        if launched:
            log.info("starting the embedded store in %s", self._directory, extra={"event": "embedded_start"})
            await launched.outcome(deadline)
        return Connection.read(self._directory)

    def _plan(self) -> Plan:
        doors = Doors.SOCKET if self._port is None else Doors.PORT
        return Plan(
            str(find_server()),
            this_program(),
            fsync=self._fsync,
            doors=doors,
            port=self._port or 0,
            maxmemory=self._maxmemory,
        )

    def _checked(self, connection: Connection) -> Endpoint:
        if not connection.fsync.honours(self._fsync):
            raise ConfigError(
                f"{self._directory} is served with fsync {connection.fsync}, and {self._fsync} is asked for",
                setting="store_url",
                hint=f"end {connection.described()}, or ask for the same",
            )
        warn_once("valkey", connection.server_version)
        self._note_change(connection)
        return connection.endpoint()

    def _note_change(self, connection: Connection) -> None:
        """Log when another kind of supervisor serves the directory than before."""
        before, self._served_by = self._served_by, connection.served_by
        if before is ServedBy.SERVER and connection.served_by is ServedBy.EMBEDDED:
            log.warning(
                "the wsgessions server of %s has ended, and %s serves it now, for this host alone; start a wsgessions "
                "server there again, and it takes over",
                self._directory,
                connection.described(),
                extra={"event": "embedded_instead"},
            )
        elif before is ServedBy.EMBEDDED and connection.served_by is ServedBy.SERVER:
            log.info("%s serves %s now", connection.described(), self._directory, extra={"event": "embedded_replaced"})

    def _late(self) -> StoreUnavailable:
        hint = f"see {self._directory.supervisor_log.name} and {self._directory.server_log.name} there"
        return StoreUnavailable(f"the embedded store in {self._directory} is not ready yet", hint=hint)


async def _accepts(connection: Connection) -> bool:
    """Whether a server listens there: the file may outlive its server by a moment."""
    try:
        if connection.socket:
            _, writer = await asyncio.open_unix_connection(connection.socket)
        else:
            _, writer = await asyncio.open_connection(connection.host, connection.port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
