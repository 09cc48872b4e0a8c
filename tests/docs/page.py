"""Runs the snippets of one documentation page, in order and in one process, as a reader would.

``python page.py PAGE.md``, in an empty directory. What a block is:

* ```` ```python ````: executed; ``await`` may stand at its top level.
* ```` ```python title="app.py" ````: written to that file, so that the next blocks can import it.
* ```` ```toml title="wsgessions.toml" ```` and other blocks with a title: written to that file.
* ```` ```python title="test_app.py" ````: written too, and at the end run by pytest, with the project's plugin.
* everything else: text.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: +title="(?P<title>[^"]+)")?[^\n]*\n(?P<code>.*?)^(?P=indent)```',
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    language: str
    title: str | None
    code: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, with their line numbers."""
    text = page.read_text()
    for found in FENCE.finditer(text):
        indent = len(found["indent"])
        code = "\n".join(line[indent:] for line in found["code"].splitlines()) + "\n"
        yield Block(found["language"], found["title"], code, text.count("\n", 0, found.start()) + 1)


def run(page: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    sys.path.insert(0, str(Path.cwd()))
    with asyncio.Runner() as runner:
        for block in blocks(page):
            if block.title:
                Path(block.title).write_text(block.code)
            elif block.language == "python":
                source = "\n" * block.line + block.code  # so that a traceback names the line of the page
                code = compile(source, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
                if code.co_flags & inspect.CO_COROUTINE:
                    runner.run(eval(code, namespace))  # noqa: S307 - the page is ours
                else:
                    exec(code, namespace)  # noqa: S102 - the page is ours
    run_tests([block.title for block in blocks(page) if block.title and block.title.startswith("test_")])


def run_tests(files: list[str]) -> None:
    """Run the tests of a page. The plugins are named, since those that are installed beside them are not the page's."""
    if files:
        ours = "wsgessions.testing.fixtures.pytest_plugin"
        plugins = ["-p", ours, "-p", "pytest_asyncio.plugin", "-p", "no:cacheprovider"]
        alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-W", "error", *plugins, *files], env=alone, check=True)


if __name__ == "__main__":
    run(Path(sys.argv[1]))
