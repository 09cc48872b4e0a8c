"""A supervisor of a given server program, which prints what it observes as lines of JSON."""

from __future__ import annotations

import json
import sys

from wsgessions.errors import WsgessionsError
from wsgessions.stores.embedded import supervisor
from wsgessions.stores.embedded.connection import Connection, ServedBy
from wsgessions.stores.embedded.directory import StoreDirectory
from wsgessions.stores.embedded.foreground import serve
from wsgessions.stores.embedded.plan import Plan


def say(kind: str, note: str) -> None:
    sys.stdout.write(json.dumps([kind, note]) + "\n")
    sys.stdout.flush()


class Printer:
    def starting(self, note: str) -> None:
        say("starting", note)

    def ready(self, connection: Connection) -> None:
        say("ready", connection.server_version)

    def trouble(self, note: str) -> None:
        say("trouble", note)


if __name__ == "__main__":
    place, server, served_by, patience, health_interval, rewrite_interval = sys.argv[1:]
    supervisor._SILENCE_PATIENCE = float(patience)  # type: ignore[misc]
    supervisor._HEALTH_INTERVAL = float(health_interval)  # type: ignore[misc]
    supervisor._REWRITE_INTERVAL = float(rewrite_interval)  # type: ignore[misc]
    try:
        serve(StoreDirectory(place), Plan(server, "a test", served_by=ServedBy(served_by)), Printer())
    except WsgessionsError as error:
        say("error", str(error))
    else:
        say("end", "")
