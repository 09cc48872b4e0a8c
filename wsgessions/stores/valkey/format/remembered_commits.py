"""The remembered commits of a record, behind the head of its metadata; see `scripts/record.lua`."""

from __future__ import annotations

from struct import Struct
from typing import Final

from ....record.history import begun

__all__ = ["REMEMBERED", "read_lineage"]

REMEMBERED: Final = Struct(">8x8sBH")
"""A remembered commit: its version, and in two parts the length of the results that follow."""


def read_lineage(floor: int, metadata: bytes, at: int, commits: int) -> bytes:
    """See `SessionRecord.lineage`.

    Args:
        floor: the version before the oldest remembered commit.
        metadata: the whole metadata of the record.
        at: the offset of the commits in it.
        commits: their number. The bytes behind them are not read, however many there are.
    """
    lineage = begun(floor)
    for _ in range(commits):
        if at + REMEMBERED.size > len(metadata):
            break
        version, more, size = REMEMBERED.unpack_from(metadata, at)
        lineage += version
        at += REMEMBERED.size + (more << 16) + size
    return lineage
