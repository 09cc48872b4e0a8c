"""The result of a measurement: tables and charts under a title."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Section", "Value", "table"]

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page."""

    title: str
    text: str
    """Markdown: a description of the measurement and of its checks; tables."""
    charts: Mapping[str, str] = field(default_factory=dict)
    """SVG by file name."""


def table(head: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """A Markdown table with its first column to the left and all others to the right. None is an empty cell."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) < 2 else f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{value:,}" if isinstance(value, int) else value
