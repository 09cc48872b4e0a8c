"""The transcripts of the documentation are true: below each command stands what comes back."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.docs.page import blocks
from tests.docs.test_snippets import PAGES, environment, name_of
from wsgessions.stores.embedded.configuration import free_port

PORTS = ("8001", "8002")
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


def transcript(page: Path) -> Iterator[tuple[str, str]]:
    """The commands of a page, each with its output. Those that set up a machine are not ours to run."""
    for block in blocks(page):
        if block.language == "console":
            for found in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.code, re.MULTILINE):
                if not found[1].startswith(("./dev", "git ", "pip ", "export ")):
                    yield found[1], found[2]


class Shell:
    """A bash with job control, in which commands run one after the other."""

    def __init__(self, folder: Path) -> None:
        paths = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self.errors = (folder / "stderr").open("w")
        self.process = subprocess.Popen(
            ["bash", "-m"],
            cwd=folder,
            env={**environment(), "PATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )

    def run(self, command: str) -> str:
        """Type a command, and read what it prints up to its end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{command}\necho; echo end-of-output\n")
        self.process.stdin.flush()
        lines = list(iter(self.process.stdout.readline, "end-of-output\n"))
        return "".join(lines).rstrip("\n")

    def close(self) -> None:
        self.process.communicate("kill -9 $(jobs -p)\nwait\n", timeout=30)
        self.errors.close()


def wait_for(port: int) -> None:
    """Wait until somebody listens; pytest's time-out bounds it."""
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any("uvicorn" in line for line, _ in transcript(page))], ids=name_of
)
def test_a_transcript_is_what_happens(page: Path, tmp_path: Path) -> None:
    ports = {port: free_port() for port in PORTS}
    for block in blocks(page):
        if block.title:
            (tmp_path / block.title).write_text(block.code)
    shell = Shell(tmp_path)
    try:
        for command, expected in transcript(page):
            for written, used in ports.items():
                command = command.replace(written, str(used))  # noqa: PLW2901 - the page's ports may be taken here
            if command.endswith("&"):
                shell.run(f"{command[:-1]} >>log 2>&1 &")
                wait_for(int(command.split("--port ")[1].split()[0]))
            else:
                assert shell.run(command) == expected.rstrip("\n"), (tmp_path / "log").read_text()
    finally:
        shell.close()
