"""A server of these tests in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.stores.embedded.watched import PATIENCE, ROOT, Place

HERE = Path(__file__).parent


class Server:
    """A process of one of the programs.

    Args:
        place: the directory of the embedded store that it shares with others.
        program: the program's file, in this folder.
        arguments: what it is given besides the store's address.
    """

    def __init__(self, place: Place, *arguments: str, program: str = "served_app.py") -> None:
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "adapters")))
        self._process = subprocess.Popen(
            [sys.executable, HERE / program, f"embedded:{place.path}", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": paths},
            start_new_session=True,
        )
        assert self._process.stdout
        self.port = int(self._process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def kill(self) -> None:
        """As kill -9 does."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def close(self) -> None:
        self.kill()
        assert self._process.stdout
        self._process.stdout.close()


@contextmanager
def serving(place: Place, program: str, kinds: Iterable[str], *arguments: str) -> Iterator[dict[str, Server]]:
    """A process of a program for each kind, which it is told first; they and the store end with the block."""
    started: dict[str, Server] = {}
    try:
        for kind in kinds:
            started[kind] = Server(place, kind, *arguments, program=program)
        yield started
    finally:
        for server in started.values():
            server.close()
        place.end_everything()
