"""The transcripts of the documentation are true: below each command stands what comes back."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.docs.page import Reading, readings, write_files
from tests.docs.test_snippets import PAGES, environment, name_of
from tests.servers.ports import held_port, wait_for

PORTS = ("8001", "8002")
pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


def transcript(reading: Reading) -> Iterator[tuple[str, str]]:
    """The commands of a page, each with its output. Those that set up a machine are not ours to run."""
    for block in reading.blocks:
        if block.language == "console":
            for found in re.finditer(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block.code, re.MULTILINE):
                if not found[1].startswith(("./dev", "git ", "pip ", "export ")):
                    yield found[1], found[2]


class Shell:
    """A bash with job control, in which commands run one after the other; those of `programs` come first."""

    def __init__(self, folder: Path, programs: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        paths = os.pathsep.join([str(programs), os.environ["PATH"]])
        self.errors = (folder / "stderr").open("w")
        self.process = subprocess.Popen(
            ["bash", "-m"],
            cwd=folder,
            env={**environment, "PATH": paths},
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


WITH_SERVERS = [
    reading for page in PAGES for reading in readings(page) if any("uvicorn" in line for line, _ in transcript(reading))
]


def title_of(reading: Reading) -> str:
    return name_of(reading.page) + (f" {reading.tab}" if reading.tab else "")


def replay(reading: Reading, shell: Shell) -> None:
    """Type all commands of a page, and compare what comes back. Another port stands for each of the page's."""
    write_files(reading, shell.folder)
    with ExitStack() as stack:
        ports = {port: stack.enter_context(held_port()) for port in PORTS}
        for command, expected in transcript(reading):
            for written, used in ports.items():
                command = command.replace(written, str(used))  # noqa: PLW2901 - the page's ports may be taken here
            if command.endswith("&"):
                shell.run(f"{command[:-1]} >>log 2>&1 &")
                wait_for(int(command.split("--port ")[1].split()[0]))
            else:
                assert shell.run(command) == expected.rstrip("\n"), (shell.folder / "log").read_text()


@pytest.mark.parametrize("reading", WITH_SERVERS, ids=title_of)
def test_a_transcript_is_what_happens(reading: Reading, tmp_path: Path) -> None:
    with closing(Shell(tmp_path, Path(sys.executable).parent, environment(tmp_path / "state"))) as shell:
        replay(reading, shell)
