"""Workers that were forked after the application was made are nodes of their own (C-21)."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.preforking_program import WORKERS
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.resp import ask
from tests.stores.valkey.shared_server import shared_server
from wsgessions.stores.valkey.format.segments import Segments

__all__ = ["shared_server"]


@pytest.mark.parametrize("use", ["never used", "used"])
async def test_workers_that_one_process_has_forked_are_nodes_of_their_own(shared_server: RawServer, use: str) -> None:
    """C-21: to the list of members, in watermarks, and in whatever else they draw; also where the parent had drawn it.

    A barrier waits for the members of the list, and a hop is told by the hint. One that had begun to work before it
    forked goes on beside its children, under a third name.
    """
    namespace, number = f"fork{use.replace(' ', '')}", WORKERS + (use == "used")
    options = ["-W", "error", "-W", "ignore:This process:DeprecationWarning", "-m", "tests.preforking_program"]
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        *options,
        *(shared_server.url, namespace, use),
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    try:
        async with asyncio.timeout(30):
            told = [json.loads(await server.stdout.readline()) for _ in range(number)]
        for name in ("member", "hint", "commit", "incarnation", "chance", "pid"):
            assert len({each[name] for each in told}) == number, name
        nodes = {bytes.fromhex(each["member"]) for each in told}
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(shared_server.path)
            await until(lambda: members(client, namespace) == nodes)
    finally:
        server.stdin.close()
        async with asyncio.timeout(30):
            assert await server.wait() == 0


def members(client: socket.socket, namespace: str) -> set[Any]:
    """The nodes that are in the list, while all of them beat."""
    listed = ask(client, "HKEYS", next(iter(Segments(namespace, "/", 64))).members)
    return {field for field in listed if field != b"origin"}
