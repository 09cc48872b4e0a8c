"""Reads sessions for lists: without their values, except for the requested attributes (E-8, E-9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TypeAlias

from ....errors import RecordTooNew, StoreRefused
from ....record import SessionKey, SessionRecord
from ....record.names import field_of
from ....store.listing import Names
from ..client.replies import Reply
from ..client.requests import Argument
from ..coherence.revocations import Revocations
from ..format import scripts
from ..format.forward import Redirect, state_in
from ..format.metadata import ScriptStatus
from ..format.principal import BOUND
from ..sender import Sender

__all__ = ["Found", "Heads", "fields_for", "found_in"]

Found: TypeAlias = SessionRecord | Redirect | ScriptStatus | None
"""A session with the requested attributes only, or the reason why there is none; None if it has expired."""


def fields_for(names: Names) -> Sequence[bytes]:
    """The fields of a record to read."""
    return (b"m", scripts.TOMBSTONE, scripts.FORWARD, BOUND, *map(field_of, names))


def found_in(key: SessionKey, fields: Sequence[bytes], reply: Reply, score: int | None, now_ms: int) -> Found:
    """The session in the answer to ``HMGET`` of these fields.

    Raises:
        StoreRefused: the server sent another error than that this is no hash.
    """
    if isinstance(reply, StoreRefused):
        if reply.server_code != "WRONGTYPE":
            raise reply
        return ScriptStatus.UNREADABLE
    found = {name: value for name, value in zip(fields, reply, strict=True) if value is not None}
    state = state_in(key, found, score, now_ms)
    expired = isinstance(state, SessionRecord) and min(state.expires_ms, state.deadline_ms) <= now_ms
    return None if expired else state


class Heads:
    """Reads heads of sessions of one store.

    Args:
        sender: of the store.
        revocations: gets the reasons why records were not used.
    """

    def __init__(self, sender: Sender, revocations: Revocations) -> None:
        self._sender = sender
        self._revocations = revocations

    async def read(self, keys: Collection[SessionKey], names: Names, deadline: float) -> dict[SessionKey, Found]:
        """The sessions under these keys, in one round trip."""
        fields, commands = fields_for(names), list[Sequence[Argument]]([(b"TIME",)])
        for key in keys:
            segment = await self._sender.segment(key, deadline)
            commands += [(b"ZSCORE", segment.expiries, key.digest), (b"HMGET", segment.record(key), *fields)]
        clock, *replies = await self._sender.pipeline(commands, deadline=deadline)
        now_ms = scripts.milliseconds(clock)
        scores, records = iter(replies[::2]), iter(replies[1::2])
        found = {key: found_in(key, fields, next(records), scripts.instant(next(scores)), now_ms) for key in keys}
        for key, each in found.items():
            self.note(key, each)
        return found

    def note(self, key: SessionKey, found: Found) -> None:
        """Record why a record was not used. A record that this release cannot read does not hide the others (R-22)."""
        if isinstance(found, ScriptStatus):
            with suppress(RecordTooNew):
                self._revocations.note_status(found, key)
