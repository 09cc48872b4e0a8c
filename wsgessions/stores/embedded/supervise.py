"""The program of the detached supervisor, run as a file: ``python -I -S supervise.py DIRECTORY LOCK-FILE-NUMBER PLAN``.

It is stdlib only and does not run the packages' own ``__init__``, so that it starts in 50 ms and stays small: it lives
as long as the store does. Its first line on stdout reports the result of the start to the process that started it.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgessions.stores.embedded.connection import Connection

__all__: list[str] = []

log: logging.Logger = logging.getLogger("wsgessions.embedded")


class _Report:
    """Observes the supervisor: reports the first outcome on stdout, and logs all events."""

    def __init__(self) -> None:
        self._is_due = True
        self._noted = ""

    def starting(self, note: str) -> None:
        if note != self._noted:
            log.info("starting: %s", note, extra={"event": "embedded_starting"})
        self._noted = note

    def ready(self, connection: Connection) -> None:
        ready = "server %s is ready, pid %d"
        log.info(ready, connection.server_version, connection.server_pid, extra={"event": "embedded_ready"})
        self.tell({"ready": True})

    def trouble(self, note: str) -> None:
        log.warning("%s", note, extra={"event": "embedded_trouble"})

    def tell(self, outcome: dict[str, object]) -> None:
        """Answer the waiting process, once, and close the pipe."""
        if not self._is_due:
            return
        self._is_due = False
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.write(1, json.dumps(outcome).encode() + b"\n")
        except BrokenPipeError:
            log.info("the process that started this has gone", extra={"event": "embedded_orphaned"})
        os.dup2(nowhere, 1)
        os.close(nowhere)


def _import_bare(package: str, folder: Path) -> None:
    """Make the package importable without running its ``__init__``."""
    module = ModuleType(package)
    module.__path__ = [str(folder)]
    sys.modules[package] = module


def _supervise(place: str, lock_file: str, plan: str) -> int:
    from wsgessions.errors import WsgessionsError
    from wsgessions.stores.embedded.directory import StoreDirectory
    from wsgessions.stores.embedded.locks import FileLock
    from wsgessions.stores.embedded.plan import Plan
    from wsgessions.stores.embedded.supervisor import Supervisor

    report = _Report()
    directory = StoreDirectory(place)
    lock = FileLock(directory.supervisor_lock, int(lock_file))
    try:
        Supervisor(directory, Plan.from_json(plan), lock, report).run()
    except WsgessionsError as error:
        log.error("%s", error, extra={"event": "embedded_failed"})
        report.tell({"code": error.code, "message": error.args[0], "hint": error.hint})
        return 1
    log.info("stopped", extra={"event": "embedded_stopped"})
    return 0


def _main() -> int:
    if os.fork():  # the child then has no parent that must reap it
        os._exit(0)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    here = Path(__file__).resolve().parent
    _import_bare("wsgessions", here.parents[1])
    _import_bare("wsgessions.stores", here.parent)
    _import_bare("wsgessions.stores.embedded", here)
    return _supervise(*sys.argv[1:])


if __name__ == "__main__":
    sys.exit(_main())
