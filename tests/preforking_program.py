"""A server that makes the application, then forks workers: ``python -m tests.preforking_program URL NAMESPACE USE``.

Each worker stores a session and prints what names it to others, a line of JSON. All go on until standard input ends.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from typing import Any

from tests.two_managers import valkey_of
from wsgessions import SessionManager
from wsgessions.credentials.presented import PresentedCredentials
from wsgessions.internal.jitter import chance
from wsgessions.record import new_commit_id, new_incarnation
from wsgessions.session import unit_of

WORKERS = 2


async def store_one(manager: SessionManager) -> str:
    """A session; its watermark."""
    session = manager.requests.begin(PresentedCredentials())
    session["a"] = 1
    await manager.requests.repository.commit(session)
    mark = manager.requests.watermark_for(unit_of(session))
    assert mark is not None
    return mark


def names(manager: SessionManager) -> dict[str, Any]:
    """What tells this process from its siblings."""
    mark = base64.urlsafe_b64decode(asyncio.run(store_one(manager)))
    heartbeat = valkey_of(manager).heartbeat
    assert heartbeat is not None
    return {
        "member": heartbeat.node.hex(),
        "hint": mark[2:4].hex(),
        "commit": new_commit_id().hex(),
        "incarnation": new_incarnation(),
        "chance": chance.random(),
        "pid": os.getpid(),
    }


def work(manager: SessionManager) -> None:
    line = json.dumps(names(manager)) + "\n"
    os.write(1, line.encode())  # in one piece, since all processes write
    os.read(0, 1)


def main(url: str, namespace: str, use: str) -> None:
    manager = SessionManager(store_url=url, namespace=namespace, heartbeat="50ms")
    if use == "used":
        asyncio.run(store_one(manager))
    children = []
    for _ in range(WORKERS):
        child = os.fork()
        if child == 0:
            work(manager)
            os._exit(0)
        children.append(child)
    if use == "used":
        work(manager)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
