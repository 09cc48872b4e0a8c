"""The blocks of a documentation page, and a program that runs its Python as a reader would: each block as a file.

``python page.py PAGE.md`` runs the page below the working directory, which is empty, with this Python:

* A block with a title, such as ```` ```python title="app.py" ````, is a file of that name. Files of all languages are
  written first, so that each block can import those below it as well.
* A ```` ```python ```` block without a title is a file too. It is named by its line.
* Each Python file that no other block of the page imports is run, in the order of the page, in a process of its own.
* ``test_*.py`` are run by pytest.
* All else is text.

Tabs (``=== "Django"``) are alternatives: the page is run once for each, in a folder of its own, with the blocks in that
tab and those outside of all.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: +title="(?P<title>[^"]+)")?[^\n]*\n(?P<code>.*?)^(?P=indent)```',
    re.MULTILINE | re.DOTALL,
)


TAB = re.compile(r'^=== "(?P<name>[^"]+)"\n(?P<body>(?:(?: {4}.*)?\n)*)', re.MULTILINE)


class Block(NamedTuple):
    tab: str | None
    """The tab that it is in."""
    language: str
    title: str | None
    code: str
    line: int

    @property
    def file(self) -> str | None:
        """The name of the file that a reader makes of this block; None if it is only to be read."""
        return self.title or (f"line_{self.line}.py" if self.language == "python" else None)


class Reading(NamedTuple):
    """A page as it is read with one of its tabs open."""

    page: Path
    tab: str | None
    blocks: Sequence[Block]


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, with their line numbers."""
    text = page.read_text()
    tabs = [(range(*found.span("body")), found["name"]) for found in TAB.finditer(text)]
    for found in FENCE.finditer(text):
        indent = len(found["indent"])
        code = "\n".join(line[indent:] for line in found["code"].splitlines()) + "\n"
        tab = next((name for body, name in tabs if found.start() in body), None)
        yield Block(tab, found["language"], found["title"], code, text.count("\n", 0, found.start()) + 1)


def readings(page: Path) -> Iterator[Reading]:
    """Every way to read a page: one, or one for each tab."""
    all_blocks = list(blocks(page))
    tabs = dict.fromkeys(block.tab for block in all_blocks if block.tab)
    for tab in tabs or (None,):
        yield Reading(page, tab, [block for block in all_blocks if block.tab in {None, tab}])


def requirements(page: Path) -> tuple[str, ...]:
    """What the page's `pip install` lines name."""
    consoles = "".join(block.code for block in blocks(page) if block.language == "console")
    lines = re.findall(r"^\$ pip install (.*)$", consoles, re.MULTILINE)
    return tuple(dict.fromkeys(name for line in lines for name in shlex.split(line)))


def write_files(reading: Reading, folder: Path) -> None:
    """Make the files of a page in a folder."""
    for block in reading.blocks:
        if block.file:
            (folder / block.file).write_text(block.code)


def programs(reading: Reading) -> Iterator[str]:
    """The Python files of a page that are run: those without tests, unless another block imports them."""
    python = [block for block in reading.blocks if block.file and block.file.endswith(".py")]
    imported = {name for block in python for name in re.findall(r"^(?:from|import) (\w+)", block.code, re.MULTILINE)}
    for block in python:
        assert block.file is not None
        if not block.file.startswith("test_") and block.file.removesuffix(".py") not in imported:
            yield block.file


def run(reading: Reading, folder: Path) -> None:
    folder.mkdir()
    write_files(reading, folder)
    commands: list[Sequence[str]] = [(file,) for file in programs(reading)]
    if list(folder.glob("test_*.py")):
        commands.append(("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"))
    for command in commands:
        subprocess.run([sys.executable, *command], cwd=folder, check=True)


if __name__ == "__main__":
    for number, each in enumerate(readings(Path(sys.argv[1])), 1):
        run(each, Path.cwd() / f"reading-{number}")
