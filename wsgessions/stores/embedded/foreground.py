"""``wsgessions server``: the supervisor in the foreground, for clients of this and other hosts."""

from __future__ import annotations

import time
from pathlib import Path

from ...errors import StoreUnavailable
from .configuration import Listening
from .connection import Connection, ServedBy
from .directory import StoreDirectory, disk_trouble
from .engine import check_port
from .locks import FileLock
from .plan import Observer, Plan
from .supervisor import Supervisor

__all__ = ["serve"]

_PATIENCE = 15.0
"""Seconds for an embedded store to end: longer than its server may take to write its file."""

_POLL = 0.1


def serve(directory: StoreDirectory, plan: Plan, observer: Observer) -> None:
    """Run the server until SIGTERM or SIGINT. Main thread only.

    Raises:
        ConfigError: the directory is not safe or cannot be used, or the server cannot run here.
        StoreUnavailable: another one serves the directory, the port is taken, or the server does not start or stay.
    """
    directory.prepare()
    lock = _opened(directory.supervisor_lock, directory)
    try:
        _take(lock, directory, plan, observer)
        Supervisor(directory, plan, lock, observer).run()
    finally:
        lock.close()


def _opened(path: Path, directory: StoreDirectory) -> FileLock:
    try:
        return FileLock(path)
    except OSError as error:
        raise disk_trouble(error, directory.path) from error


def _take(lock: FileLock, directory: StoreDirectory, plan: Plan, observer: Observer) -> None:
    """Become the directory's supervisor. An embedded store there ends: its users continue with this one (F-24)."""
    takeover = _opened(directory.takeover_lock, directory)
    until = time.monotonic() + _PATIENCE
    try:
        while not lock.try_alone():
            _check(Connection.read(directory), directory, plan, time.monotonic() > until)
            takeover.try_alone()
            observer.starting("waiting for the embedded store there to stop")
            time.sleep(_POLL)
    finally:
        takeover.close()


def _check(there: Connection | None, directory: StoreDirectory, plan: Plan, is_late: bool) -> None:
    """Reject a takeover of a permanent store, or of one that this server could not replace."""
    if is_late or (there and there.served_by is ServedBy.SERVER):
        server = there.described() if there else "a supervisor that is starting or stopping"
        hint = "use that one, end it, or name another directory"
        raise StoreUnavailable(f"{directory} is already served by {server}", hint=hint)
    if there and not plan.fsync.honours(there.fsync):
        hint = f"start this server with --fsync {there.fsync}"
        raise StoreUnavailable(f"{there.described()} serves {directory} with fsync {there.fsync}", hint=hint)
    if there:
        check_port(Listening.at(directory, plan.doors, plan.port, plan.bind))
