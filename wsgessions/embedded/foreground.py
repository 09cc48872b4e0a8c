"""``wsgessions server``: the supervisor in the foreground, for clients of this and other hosts."""

from __future__ import annotations

import time

from ..errors import StoreUnavailable
from .connection import Connection, ServedBy
from .directory import StoreDirectory, disk_trouble
from .locks import FileLock
from .plan import Observer, Plan
from .supervisor import Supervisor

__all__ = ["serve"]

_PATIENCE = 4.0
_POLL = 0.1


def serve(directory: StoreDirectory, plan: Plan, observer: Observer) -> None:
    """Run the server until SIGTERM or SIGINT. Main thread only.

    Raises:
        ConfigError: the directory is not safe or cannot be used, or the server cannot run here.
        StoreUnavailable: the directory is served already, the port is taken, or the server does not start or stay.
    """
    directory.prepare()
    try:
        lock = FileLock(directory.supervisor_lock)
    except OSError as error:
        raise disk_trouble(error, directory.path) from error
    try:
        _take(lock, directory, observer)
        Supervisor(directory, plan, lock, observer).run()
    finally:
        lock.close()


def _take(lock: FileLock, directory: StoreDirectory, observer: Observer) -> None:
    """Become the directory's supervisor. An embedded store without users is about to end, and is waited for."""
    until = time.monotonic() + _PATIENCE
    while not lock.try_alone():
        connection = Connection.read(directory)
        is_lasting = connection is not None and connection.served_by is ServedBy.SERVER
        if is_lasting or time.monotonic() > until:
            who = connection.described() if connection else "a supervisor that is starting or stopping"
            hint = "use that one, end it and its users, or name another directory"
            raise StoreUnavailable(f"{directory} is already served by {who}", hint=hint)
        observer.starting("waiting for the embedded store there to stop")
        time.sleep(_POLL)
