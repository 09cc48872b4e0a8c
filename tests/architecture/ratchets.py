"""Figures that may only get better, as they are recorded in ``ratchets.toml``.

A figure that is worse than the recorded one is refused, and so is one that is better: then the record has to follow.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("ratchets.toml")


def recorded(table: str) -> Any:
    """What is recorded of one ratchet; empty if there is nothing."""
    return tomllib.loads(FILE.read_text()).get(table, {})


def differences(table: str, measured: Mapping[str, int]) -> list[str]:
    """A sentence for each figure that is not as recorded; one that is missing on either side is 0."""
    return list(differing(table, recorded(table), measured))


def differing(table: str, before: Mapping[str, int], now: Mapping[str, int]) -> Iterator[str]:
    """The same for figures that are not in the file."""
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, 0), now.get(name, 0)
        if new > old:
            yield f"{name}: {new}, and no more than {old} are allowed"
        elif new < old:
            line = f'"{name}" = {new}' if new else "no line for it"
            yield f"{name}: {new} instead of {old}, well done; in {FILE.name}, under [{table}], write: {line}"
