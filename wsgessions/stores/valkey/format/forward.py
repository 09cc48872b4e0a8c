"""Where a session has gone whose id was renewed a moment ago, as the store tells it (S-07)."""

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
"""The successor's digest, its incarnation, and until when the old key leads there, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """What is read instead of a session whose id was renewed a moment ago."""

    key: SessionKey
    """Where it is to be read."""
    idle_ms: int
    """The idle timeout of the session; 0 for none."""


def forward_in(key: SessionKey, fields: Mapping[bytes, bytes], now_ms: int) -> Redirect | None:
    """The forward in what was read, if there is one that is not over.

    Args:
        key: what was read.
        fields: all that was there.
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
    """What a record says: the session, where it has moved to, or why there is none.

    Args:
        key: the session.
        fields: of the record, all or those that are asked for.
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
