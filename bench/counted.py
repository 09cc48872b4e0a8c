"""Requests that callgrind counts the instructions of: ``python -m bench.counted SUBJECT STORE_URL ROUNDS``.

Runs under valgrind, and requests two dumps for each of `COUNTED`, in this order: one of the requests, and one of the
same time without requests. Periodic work of the process depends on time, and valgrind is slow.
"""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import time
from functools import partial
from typing import Final

import uvloop

from wsgessions import SessionMiddleware

from .asgi_client import AsgiClient, serving
from .in_process import AT_ONCE, ATTRIBUTES, statistics_of, together
from .subjects import SUBJECTS

__all__ = ["COUNTED"]

COUNTED: Final = {"no id": "/untouched", "untouched": "/untouched", "read": "/read", "write": "/write"}
"""Names of the figures, and the route that each is about."""

_ROUNDS_BEFORE: Final = 10
"""Requests until the interpreter has specialised the code."""


def _tell(*order: str) -> None:
    subprocess.run(["callgrind_control", *order, str(os.getpid())], capture_output=True, check=True)


async def _count(name: str, store_url: str, rounds: int) -> None:
    subject = SUBJECTS[name]
    app = subject.make(store_url)
    async with serving(app):
        strangers, known = ([AsgiClient(app) for _ in range(AT_ONCE)] for _ in range(2))
        for client in known if subject.name != subject.bare else ():
            await client.get(f"/fill/{ATTRIBUTES}")
        for figure, path in COUNTED.items():
            clients = strangers if figure == "no id" else known
            ask = partial(_rounds, clients, path)
            await ask(_ROUNDS_BEFORE)
            _tell("--instr=on")
            await ask(2)  # valgrind translates code at its first execution
            _tell("--zero")
            began = time.monotonic()
            cache = statistics_of(app) if isinstance(app, SessionMiddleware) else None
            hits = 0 if cache is None else cache.heap_hits
            await ask(rounds)
            _tell("--dump")
            if cache is not None and figure == "read" and cache.heap_hits - hits != rounds * AT_ONCE:
                raise RuntimeError("not all reads were hits: the machine is too busy to keep a lease under valgrind")
            await asyncio.sleep(time.monotonic() - began)
            _tell("--instr=off")
            _tell("--dump")


async def _rounds(clients: list[AsgiClient], path: str, number: int) -> None:
    for _ in range(number):
        await together(clients, path)


if __name__ == "__main__":
    logging.getLogger("wsgessions").setLevel(logging.ERROR)  # plain http is meant here
    uvloop.run(_count(sys.argv[1], sys.argv[2], int(sys.argv[3])))
