"""The command as a person starts it: another process, with its output read line by line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from tests.stores.embedded.watched import PATIENCE, ROOT, Place
from wsgessions.stores.embedded.configuration import free_port


class Command:
    """A running ``wsgessions``."""

    def __init__(self, *arguments: str, cwd: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "wsgessions", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "200"},
            cwd=cwd,
            start_new_session=True,
        )
        self.pid = self._process.pid

    def line(self) -> str:
        assert self._process.stdout
        return self._process.stdout.readline()

    def ended(self) -> tuple[int, str, str]:
        """Exit code, and the rest of stdout and stderr."""
        out, err = self._process.communicate(timeout=PATIENCE)
        return self._process.returncode, out, err

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str, str]:
        self._process.send_signal(number)
        return self.ended()

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate(timeout=PATIENCE)


class MakeCommand(Protocol):
    def __call__(self, *arguments: str) -> Command: ...


@pytest.fixture
def wsgessions(tmp_path: Path) -> Iterator[MakeCommand]:
    """Starts the command in an empty directory, and ends it with the test."""
    commands: list[Command] = []
    (tmp_path / ".wsgessions").mkdir(mode=0o700)  # the store's, since it is there

    def make(*arguments: str) -> Command:
        commands.append(Command(*arguments, cwd=tmp_path))
        return commands[-1]

    yield make
    for command in commands:
        command.close()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """The directory that the command takes by default."""
    made = Place(tmp_path / ".wsgessions")
    yield made
    made.end_everything()


@pytest.fixture
def port() -> int:
    """A port that is free now."""
    return free_port()
