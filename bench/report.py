"""Tables of results: for the terminal, and as the page of the documentation."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import astuple
from datetime import date
from importlib.metadata import version

from wsgessions import __version__

from . import http_load, in_process, store_traffic

__all__ = ["page", "table"]

PACKAGES = ("starlette", "starsessions", "litestar", "uvicorn", "uvloop", "hiredis", "redis", "msgspec")

_METHOD = """Made by `./dev bench --write`. All libraries in one run on one machine: the ratios carry over to others,
the absolute times do not. Sessions hold 20 attributes of 100 characters unless said otherwise. One request at a time
stands beside the same framework's application without sessions, in turn; under load, every connection has a session of
its own. Bytes are what the store says it has received. This release has no near cache: each request with a session is
one round trip to the store, and each change a second one."""

_COLUMNS: dict[type, tuple[str, ...]] = {
    in_process.Cost: ("", "untouched, no id (us)", "untouched (us)", "read (us)", "write (us)"),
    http_load.Rate: ("", "read (req/s)", "write (req/s)", "read, share of no sessions", "write, share of no sessions"),
    store_traffic.Traffic: (
        "",
        "read, 20 attr. (B)",
        "write, 20 attr. (B)",
        "write, 200 attr. (B)",
        "the change alone, 20 / 200 (B)",
        "kept of 100",
    ),
}


def table(results: Sequence[object]) -> str:
    """One kind of result as a Markdown table."""
    head = _COLUMNS[type(results[0])]
    rows = [[_cell(value) for value in astuple(result)] for result in results]  # type: ignore[call-overload]
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(sections: dict[str, str]) -> str:
    """The page of the documentation that holds these tables, with what they were measured on."""
    parts = [
        "# Measurements",
        _METHOD,
        f"Measured on {date.today().isoformat()} with {_environment()}.",  # noqa: DTZ011 - a date for readers
        *(f"## {title}\n\n{text}" for title, text in sections.items()),
    ]
    return "\n\n".join(parts) + "\n"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 2 else f"{value:,.0f}"
    return str(value)


def _environment() -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {sys.platform}"
    return f"wsgessions {__version__}, {machine}; {versions}"
