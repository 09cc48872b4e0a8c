"""The fixed part of a record's metadata, and the checks of a record (C-7, R-20 to R-22)."""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from ....internal.masked import masked
from ....store.constants import COMMITS_REMEMBERED, EXACT
from ..client.replies import Reply
from .remembered_commits import REMEMBERED

__all__ = ["HEAD", "Head", "ScriptStatus", "is_too_late", "read_head"]

HEAD: Final = Struct(">BB8sQQQQQQB")
"""The fixed part of a record's metadata; see `Head`."""

_MAGIC: Final = b"w"
"""The beginning of the metadata of records of every release; other values are not records."""
_FORMAT: Final = b"\x02"
"""The format of records that this release writes, and the highest that it reads. Format 1 used the names of
applications that were 32 bits long (S-12), and no release that was published has written it."""
_DAY_MS: Final = 86_400_000


class ScriptStatus(IntEnum):
    """The reason why a script changed nothing. 0 means that it was carried out; the first four are a `CommitStatus`,
    too.
    """

    GONE = 1
    CONFLICT = 2
    NOT_A_NUMBER = 3
    UNKNOWN = 4
    TOO_NEW = 5
    UNREADABLE = 6
    FORWARDED = 7
    REVOKED = 8
    """Gone, with a tombstone without a forward: the session can never be used under this key again."""
    TOO_LATE = 9
    """The script ran after the caller's deadline (C-20)."""


def is_too_late(reply: Reply) -> bool:
    """Whether this is the answer of a script that ran after its caller's deadline, and changed nothing (C-20)."""
    return type(reply) is list and len(reply) == 2 and reply[0] == ScriptStatus.TOO_LATE


@masked
class Head(NamedTuple):
    """The metadata of a record; times in milliseconds, versions in microseconds."""

    magic: int
    format: int
    incarnation: bytes
    version: int
    created: int
    interval: int
    deadline: int
    removed: int
    """The version of the latest removal of an attribute, or 0."""
    floor: int
    """The version before the oldest remembered commit."""
    commits: int
    """The number of remembered commits behind this head."""

    def idle_end(self) -> int:
        """The end of a session by idling, if its last commit is its last known use (C-16)."""
        return min(self.version // 1000 + self.interval, self.deadline) if self.interval else self.deadline


def read_head(metadata: bytes, now_ms: int) -> Head | ScriptStatus:
    """The fixed part of a record's metadata, with the same checks as in ``scripts/record.lua`` (R-20, R-22).

    Args:
        metadata: the field; empty if the record lacks it.
        now_ms: the store's time. A creation far in the future would carry the session beyond any deadline.
    """
    if metadata[:1] == _MAGIC and metadata[1:2] > _FORMAT:
        return ScriptStatus.TOO_NEW
    if metadata[:2] != _MAGIC + _FORMAT or len(metadata) < HEAD.size:
        return ScriptStatus.UNREADABLE
    head = Head._make(HEAD.unpack_from(metadata))
    whole = head.commits <= COMMITS_REMEMBERED and len(metadata) >= HEAD.size + head.commits * REMEMBERED.size
    in_range = max(head.version, head.interval, head.deadline) < EXACT
    in_order = head.created <= min(now_ms + _DAY_MS, head.deadline)
    return head if whole and in_range and in_order else ScriptStatus.UNREADABLE
