"""Fills a small disk beneath an embedded store and prints what then is said."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from tests.stores.embedded.watched import Client, wait_until
from wsgessions.errors import WsgessionsError
from wsgessions.stores.embedded import EmbeddedServer, FsyncPolicy


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue
    return ballast


def attach(server: EmbeddedServer) -> Client:
    return Client(asyncio.run(server.attach(deadline=time.monotonic() + 20)))


def failure(server: EmbeddedServer) -> dict[str, Any]:
    """What attaching says in the end: a server may come up once more before it fails again."""
    found: list[WsgessionsError] = []

    def has_failed() -> bool:
        try:
            attach(server).call("SET", "more", "v" * 100_000)
        except WsgessionsError as error:
            found.append(error)
        except (OSError, AssertionError):
            return False
        return bool(found)

    wait_until(has_failed, "an attach that fails")
    return {"error": type(found[0]).__name__, "text": str(found[0])}


def start(server: EmbeddedServer, disk: Path) -> dict[str, Any]:
    fill(disk)
    return failure(server)


def everysec(server: EmbeddedServer, disk: Path) -> dict[str, Any]:
    client = attach(server)
    client.call("SET", "k", "v")
    ballast = fill(disk)
    answers: list[Any] = []

    def is_refused() -> bool:
        answers.append(client.call("SET", "big", "x" * 10_000))
        return isinstance(answers[-1], Exception)

    wait_until(is_refused, "a refused change")
    log = disk / "store" / "supervisor.log"
    wait_until(lambda: "refuses changes" in log.read_text(), "the supervisor's word")
    read = client.call("GET", "k").decode()
    ballast.unlink()
    wait_until(lambda: client.call("SET", "big", "x") == b"OK", "changes to be taken again")
    return {"answer": str(answers[-1]), "log": log.read_text(), "read": read, "again": "OK"}


def always(server: EmbeddedServer, disk: Path) -> dict[str, Any]:
    client = attach(server)
    count = 0
    ballast = fill(disk)
    try:
        while client.call("SET", f"k{count}", "v" * 1000) == b"OK":
            count += 1
    except OSError:
        pass
    told = failure(server)
    ballast.unlink()
    client = attach(server)
    return told | {"missing": sum(not client.call("EXISTS", f"k{number}") for number in range(count))}


if __name__ == "__main__":
    disk, case = Path(sys.argv[1]), sys.argv[2]
    policy = FsyncPolicy.ALWAYS if case == "always" else FsyncPolicy.EVERYSEC
    tell = {"start": start, "everysec": everysec, "always": always}[case]
    sys.stdout.write(json.dumps(tell(EmbeddedServer(disk / "store", fsync=policy), disk)))
