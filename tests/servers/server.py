"""A server of `served_app` in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.embedded.watched import PATIENCE, ROOT, Place

PROGRAM = Path(__file__).with_name("served_app.py")


class Server:
    """A process of the application."""

    def __init__(self, place: Place) -> None:
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "adapters")))
        self._process = subprocess.Popen(
            [sys.executable, PROGRAM, f"embedded:{place.path}"],
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
