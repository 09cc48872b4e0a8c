"""The page of the documentation; each part is replaced separately when it is measured again."""

from __future__ import annotations

import os
import platform
import re
import sys
from collections.abc import Sequence
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from wsgessions import __version__

from .section import Section

__all__ = ["Page"]

_DOCS: Final = Path(__file__).parent.parent / "docs"
_PACKAGES: Final = ("starlette", "starsessions", "litestar", "uvicorn", "uvloop", "hiredis", "redis", "msgspec")
_PART: Final = re.compile(r"<!-- part: ([\w-]+) -->\n(.*?)<!-- end of \1 -->\n", re.DOTALL)

_HEAD: Final = """# Measurements

Measured by `./dev bench --write`; each part in one run on one machine, with the libraries in turn. Ratios are
comparable between machines, absolute times are not. The machine is small and other programs ran on it at the same time,
so the best of many short rounds is taken, or the median where that makes no sense. Still single figures differ from run
to run by up to two thirds. Sessions hold 20 attributes of 100 characters unless said otherwise.

"""


class Page:
    """``docs/reference/benchmarks.md``.

    Args:
        docs: the folder of the documentation.
    """

    def __init__(self, docs: Path = _DOCS) -> None:
        self.path: Path = docs / "reference" / "benchmarks.md"
        self._images = docs / "images"

    def put(self, part: str, sections: Sequence[Section], *, order: Sequence[str]) -> None:
        """Replace one part, or add it at its place in ``order``; its charts become images beside the page.

        The text above the first part is kept: it may contain notes on these runs.
        """
        there = self.path.read_text() if self.path.exists() else ""
        parts = dict(_PART.findall(there))
        head = there[: there.index("<!-- part: ")] if parts else _HEAD
        parts[part] = self._part(sections)
        known = [name for name in order if name in parts]
        bodies = (f"<!-- part: {name} -->\n{parts[name]}<!-- end of {name} -->\n" for name in known)
        self.path.write_text(head + "\n".join(bodies))

    def _part(self, sections: Sequence[Section]) -> str:
        text = ""
        for section in sections:
            text += f"\n## {section.title}\n\n{section.text}\n"
            for name, svg in section.charts.items():
                (self._images / name).write_text(svg)
                text += f"\n![{section.title}](../images/{name})\n"
        return f"{text}\n*{_circumstances()}*\n\n"


def _circumstances() -> str:
    versions = ", ".join(f"{name} {_version(name)}" for name in _PACKAGES)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {sys.platform}"
    today = date.today().isoformat()  # noqa: DTZ011 - a date for readers
    return f"{today}: wsgessions {__version__}, {machine}; {versions}."


def _version(name: str) -> str:
    """The installed version of a package; the page can be assembled without the other libraries."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
