"""The forward of a session with an id that was renewed a moment ago (S-07)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final

from ....record import Place, SessionKey, SessionRecord
from ..client.replies import Reply
from .metadata import ScriptStatus, read_head
from .scripts import FORWARD, TOMBSTONE, read_record

__all__ = ["Redirect", "forward_in", "place_in", "state_in"]

_FORWARD: Final = Struct(">16s8sQ")
"""The successor's digest, its incarnation, and the time until which the old key leads there, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """The result of reading a session with an id that was renewed a moment ago."""

    key: SessionKey
    """The key to read."""
    idle_ms: int
    """The idle timeout of the session; 0 for none."""


def forward_in(key: SessionKey, fields: Mapping[bytes, bytes], now_ms: int) -> Redirect | None:
    """The forward in these fields, if there is one that has not expired.

    Args:
        key: the key that was read.
        fields: all its fields.
    now_ms: the store's time.
    """
    forward = fields.get(FORWARD, b"")
    if len(forward) != _FORWARD.size:
        return None
    digest, _, ends = _FORWARD.unpack(forward)
    head = read_head(fields.get(TOMBSTONE, b""), now_ms)
    if isinstance(head, ScriptStatus) or ends <= now_ms:
        return None
    return Redirect(SessionKey(key.prefix, digest), head.interval)


def state_in(
    key: SessionKey, fields: Mapping[bytes, bytes], score: int | None, now_ms: int
) -> SessionRecord | Redirect | ScriptStatus:
    """The content of a record: the session, its new place, or the reason why there is none.

    Args:
        key: the session.
        fields: the fields of the record, all or the requested ones.
        score: its score in the index, or None if it has none.
        now_ms: the store's time.
    """
    forward = forward_in(key, fields, now_ms)
    return read_record(key, fields, score, now_ms) if forward is None else forward


def place_in(key: SessionKey, reply: Reply) -> Place | None:
    """Where a commit or the end of the session under ``key`` is to be sent on, if that is the answer to it."""
    if reply[0] != ScriptStatus.FORWARDED:
        return None
    _, digest, incarnation, rotated = reply
    return Place(SessionKey(key.prefix, digest), int.from_bytes(incarnation), rotated)
