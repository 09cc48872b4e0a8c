"""Formats rows of text as a table for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

__all__ = ["as_table"]


def as_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, each column as wide as its widest cell; the first row is the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
