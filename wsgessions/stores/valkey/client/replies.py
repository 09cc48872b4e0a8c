"""The answers over a link: replies, error replies, and the loss of the link."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from ....errors import StoreRefused, StoreUnavailable

__all__ = ["DOUBTFUL", "PASSING", "LinkLost", "Reply", "server_error"]

Reply: TypeAlias = Any
"""A RESP3 reply as `hiredis` reads it: None, bool, int, float, bytes, or a list or dict of such.

An error inside a list (of a transaction, of a pipeline) is a `StoreRefused` in its place.
"""

PASSING: Final = frozenset({"LOADING", "BUSY"})
"""Temporary errors, after which nothing was changed: the same command may be sent again."""

DOUBTFUL: Final = frozenset({"READONLY", "MOVED", "CLUSTERDOWN", "MASTERDOWN", "NOREPLICAS", "LOADING"})
"""Errors of a server that may not be the primary, so that copies from it are not served any more (C-5)."""

_MAX_TEXT: Final = 200
_MAX_ERROR: Final = 4096
_LONGEST_CODE: Final = 32
_QUOTED_ARGUMENTS: Final = re.compile(r",? with args beginning with:.*", re.DOTALL)

_HINTS: Final = {
    "LOADING": "the store is reading its data from disk; it will be ready by itself",
    "BUSY": "a script is running for long on the store; find it with SLOWLOG",
    "NOAUTH": "give user and password in store_url, or to the client given in its place",
    "WRONGPASS": "check user and password in store_url, or of the client given in its place",
    "NOPERM": "allow the store's user the commands and the key prefix of wsgessions",
    "OOM": "raise the store's maxmemory or keep fewer sessions",
    "READONLY": "the server is a replica: name the primary in store_url",
    "MISCONF": "the store cannot write to its disk: see its log",
    "NOREPLICAS": "the store demands replicas that are not connected",
}


class LinkLost(StoreUnavailable):
    """The link was lost while the request was under way. It never leaves the store in this form: see C-9 on
    repetitions.
    """

    code = "link_lost"

    def __init__(self, message: str, *, sent: bool, hint: str = "") -> None:
        """``sent``: whether the server may have received the request, so that the outcome of a write is *unknown*."""
        super().__init__(message, hint=hint)
        self.sent = sent


def server_error(text: str) -> StoreRefused:
    """The error reply ``text`` as an exception to be raised, or to be kept in its place in a list.

    Servers quote the arguments of commands that they do not know; those would be passwords and values (S-79).
    """
    code, _, said = text[:_MAX_ERROR].partition(" ")
    if len(code) > _LONGEST_CODE or not code.replace("_", "").isalnum() or code != code.upper():
        code, said = "ERR", text[:_MAX_ERROR]
    said = _QUOTED_ARGUMENTS.sub("", said)[:_MAX_TEXT]
    printable = "".join(char if char.isprintable() else " " for char in said)
    return StoreRefused(f"the store refused: {code} {printable}".rstrip(), server_code=code, hint=_HINTS.get(code, ""))
