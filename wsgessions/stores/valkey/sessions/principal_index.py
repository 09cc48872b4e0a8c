"""The index of a principal: a sorted set of the sessions that are bound to it, in a slot of its own (E-9).

It cannot change in one step with the sessions. So a member is there *before* its session is bound, and stays until the
session is known to be over. In between the score says what a missing session means:

* *announced*, with a score less than `WINDOW_MS` ahead: the session may still come, or never;
* *confirmed*, with the absolute deadline as its score: the session has been bound, and if it is missing it has ended.

The score is the deadline, and not the instant at which idling ends the session: that one moves with every use, and uses
of a session are not written to another slot.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from typing import Final, TypeAlias

from ....errors import StoreUnavailable
from ....internal.log_throttle import LogThrottle
from ....record import SessionKey
from ....store.constants import TOMBSTONE_MS
from ..client.replies import Reply
from ..client.requests import Argument
from ..client.script import Script
from ..format.principal import is_member, member_of, owner_of
from ..format.scripts import instant
from ..sender import Sender

__all__ = ["WINDOW_MS", "PrincipalIndex", "Scored", "note_unkept", "scored"]

_log = LogThrottle(logging.getLogger("wsgessions.principals"))

WINDOW_MS: Final = TOMBSTONE_MS
"""Milliseconds after which an announced commit cannot be on its way any more, as for a tombstone."""

_ANNOUNCE: Final = Script.load("announce", "clock")
_CONFIRM: Final = Script.load("confirm", "clock", "in_parts")
_FORGET: Final = Script.load("forget", "clock")

Scored: TypeAlias = dict[bytes, int]
"""Members and their scores."""


class PrincipalIndex:
    """The indexes of all principals in one store.

    Args:
        sender: of the store.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender

    async def announce(self, principal: str, key: SessionKey, deadline: float) -> Scored:
        """Add a session that is about to be bound.

        Returns:
            Some of the members with a score in the past, for the caller to check.
        """
        member = member_of(key)

        def arguments(_: bool, not_after: int) -> Sequence[Argument]:
            return member, WINDOW_MS, not_after

        index = await self._index_of(principal, deadline)
        due = await self._sender.change(_ANNOUNCE, (index,), arguments, deadline=deadline)
        return scored(zip(due[::2], due[1::2], strict=True))

    async def confirm(self, principal: str, live: Iterable[tuple[SessionKey, int]], deadline: float) -> None:
        """Confirm sessions, with their absolute deadlines in milliseconds."""
        scores: list[Argument] = []
        latest = 0
        for key, deadline_ms in live:
            scores += (deadline_ms, member_of(key))
            latest = max(latest, deadline_ms)
        if not scores:
            return

        def arguments(_: bool, not_after: int) -> Sequence[Argument]:
            return not_after, latest + WINDOW_MS, *scores

        index = await self._index_of(principal, deadline)
        await self._sender.change(_CONFIRM, (index,), arguments, deadline=deadline)

    async def take_out(self, principal: str, dead: Iterable[SessionKey], deadline: float) -> None:
        """Remove sessions that have certainly ended."""
        members = [member_of(key) for key in dead]
        if members:
            index = await self._index_of(principal, deadline)
            await self._sender.answers([(b"ZREM", index, *members)], deadline=deadline)

    async def leave(self, left: Iterable[tuple[bytes, bytes]], deadline: float) -> None:
        """Remove sessions that were just removed from the store: their KEYs, and the principals in their records.

        A failure is no error: the next reader of the index removes the remaining members.
        """
        owned = [owner_of(field, digest) for digest, field in left]
        segments = await self._sender.known_segments(deadline)
        removals = [(b"ZREM", segments.index_of(each[0]), member_of(each[1])) for each in owned if each is not None]
        try:
            if removals:
                await self._sender.answers(removals, deadline=deadline)
        except StoreUnavailable as error:
            note_unkept(error)

    async def forget(self, principal: str, missing: Scored, deadline: float) -> None:
        """Remove members without a session, unless the session may still come."""
        if missing:
            await self.forget_in(await self._index_of(principal, deadline), missing, deadline)

    async def forget_in(self, index: bytes, missing: Scored, deadline: float) -> int:
        """The same, for an index by its name.

        Returns:
            The number of removed members.
        """
        if not missing:
            return 0
        args = (WINDOW_MS, *(part for each in missing.items() for part in each))
        forgotten: int = await self._sender.call(_FORGET, (index,), args, deadline=deadline)
        return forgotten

    async def read(self, principal: str, deadline: float) -> Scored:
        """All members at one instant: between two reads, members could move and be missed (E-9)."""
        index = await self._index_of(principal, deadline)
        [found] = await self._sender.answers([(b"ZRANGE", index, 0, -1, b"WITHSCORES")], deadline=deadline)
        return scored(found)

    async def scores_of(self, principal: str, keys: Collection[SessionKey], deadline: float) -> Scored:
        """Those of these sessions that are in the index."""
        if not keys:
            return {}
        index, members = await self._index_of(principal, deadline), list(map(member_of, keys))
        [scores] = await self._sender.answers([(b"ZMSCORE", index, *members)], deadline=deadline)
        return scored(pair for pair in zip(members, scores, strict=True) if pair[1] is not None)

    async def _index_of(self, principal: str, deadline: float) -> bytes:
        return (await self._sender.known_segments(deadline)).index_of(principal)


def note_unkept(error: StoreUnavailable) -> None:
    """Log that an index is behind, and will be repaired when it is read."""
    _log.info("index_behind", "an index of a principal could not be kept up to date, and will be later: %s", error)


def scored(found: Iterable[tuple[bytes, Reply]]) -> Scored:
    """Those of these members of an index that are sessions; foreign members must not prevent a logout (S-55)."""
    return {member: instant(score) or 0 for member, score in found if is_member(member)}
