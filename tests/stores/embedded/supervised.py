"""A supervisor in a process of its own, and server programs for it that play what a real one does rarely."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.stores.embedded.watched import PATIENCE, ROOT, Place

HERE = Path(__file__).parent
IMPOSTOR_PROGRAM = HERE / "impostor_program.py"


class Fake:
    """An executable that plays a server."""

    def __init__(self, folder: Path, role: str) -> None:
        self.path = folder / f"valkey-server-{role}"
        self._counter = folder / "runs"
        text = (HERE / "fake_server.py").read_text()
        for name, value in {"role": role, "counter": self._counter, "impostor": IMPOSTOR_PROGRAM}.items():
            text = text.replace(f"{{{name}}}", str(value))
        self.path.write_text(f"#!{sys.executable}\n{text}")
        self.path.chmod(0o700)

    def runs(self) -> int:
        return self._counter.stat().st_size if self._counter.exists() else 0


class Watched:
    """A supervisor in a process, and what it says."""

    def __init__(
        self,
        place: Place,
        server: Path,
        *,
        served_by: str = "server",
        patience: float = 30.0,
        health_interval: float = 5.0,
        rewrite_interval: float = 3600.0,
    ) -> None:
        arguments: list[str | Path] = [place.path, server, served_by]
        arguments += map(str, (patience, health_interval, rewrite_interval))
        self._is_ending = False
        self._process = subprocess.Popen(
            [sys.executable, HERE / "supervisor_program.py", *arguments],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )

    def next(self, kind: str) -> str:
        """The next note of this kind; an error or the end instead is a failure."""
        assert self._process.stdout
        for line in self._process.stdout:
            heard, note = json.loads(line)
            self._is_ending |= heard in {"error", "end"}
            if heard == kind:
                return str(note)
            assert not self._is_ending, note
        raise AssertionError(f"it ended without {kind}")

    def rest(self) -> list[str]:
        """The kinds of what it says until it has ended."""
        assert self._process.stdout
        self._is_ending = True
        return [json.loads(line)[0] for line in self._process.stdout]

    def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)

    def close(self) -> None:
        if not self._is_ending:
            self.stop()
        try:
            self._process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise
