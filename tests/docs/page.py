"""The blocks of a documentation page, and a program that runs its Python as a reader would: each block as a file.

``python page.py PAGE.md`` runs the page in the working directory, which is empty, with this Python:

* A block with a title, such as ```` ```python title="app.py" ````, is a file of that name. Files of all languages are
  written first, so that each block can import those below it as well.
* A ```` ```python ```` block without a title is a file too. It is named by its line.
* Each Python file that no other block of the page imports is run, in the order of the page, in a process of its own.
* ``test_*.py`` are run by pytest.
* All else is text.
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


class Block(NamedTuple):
    language: str
    title: str | None
    code: str
    line: int

    @property
    def file(self) -> str | None:
        """The name of the file that a reader makes of this block; None if it is only to be read."""
        return self.title or (f"line_{self.line}.py" if self.language == "python" else None)


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, with their line numbers."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        indent = len(found["indent"])
        code = "\n".join(line[indent:] for line in found["code"].splitlines()) + "\n"
        yield Block(found["language"], found["title"], code, text.count("\n", 0, found.start()) + 1)


def requirements(page: Path) -> tuple[str, ...]:
    """What the page's `pip install` lines name."""
    consoles = "".join(block.code for block in blocks(page) if block.language == "console")
    lines = re.findall(r"^\$ pip install (.*)$", consoles, re.MULTILINE)
    return tuple(dict.fromkeys(name for line in lines for name in shlex.split(line)))


def write_files(page: Path, folder: Path) -> None:
    """Make the files of a page in a folder."""
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.code)


def programs(page: Path) -> Iterator[str]:
    """The Python files of a page that are run: those without tests, unless another block imports them."""
    python = [block for block in blocks(page) if block.file and block.file.endswith(".py")]
    imported = {name for block in python for name in re.findall(r"^(?:from|import) (\w+)", block.code, re.MULTILINE)}
    for block in python:
        assert block.file is not None
        if not block.file.startswith("test_") and block.file.removesuffix(".py") not in imported:
            yield block.file


def run(page: Path) -> None:
    write_files(page, Path.cwd())
    commands: list[Sequence[str]] = [(file,) for file in programs(page)]
    if list(Path.cwd().glob("test_*.py")):
        commands.append(("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"))
    for command in commands:
        subprocess.run([sys.executable, *command], check=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
