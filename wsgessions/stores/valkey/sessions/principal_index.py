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
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Final, TypeAlias

from ....errors import StoreUnavailable
from ....internal.log_throttle import LogThrottle
from ....record import SessionKey
from ....store.constants import TOMBSTONE_MS
from ..client.commands import Argument
from ..client.replies import Reply
from ..client.script import Script
from ..format.principal import is_member, member_of, owner_of
from ..format.scripts import instant

if TYPE_CHECKING:
    from ..store import ValkeyStore

__all__ = [
    "WINDOW_MS",
    "Scored",
    "announce",
    "confirm",
    "forget",
    "forget_in",
    "leave",
    "note_unkept",
    "read_index",
    "scored",
    "scores_of",
    "take_out",
]

_log = LogThrottle(logging.getLogger("wsgessions.principals"))

WINDOW_MS: Final = TOMBSTONE_MS
"""Milliseconds after which an announced commit cannot be on its way any more, as for a tombstone."""

_ANNOUNCE: Final = Script.load("announce", "clock")
_CONFIRM: Final = Script.load("confirm", "clock", "in_parts")
_FORGET: Final = Script.load("forget", "clock")

Scored: TypeAlias = dict[bytes, int]
"""Members and their scores."""


async def announce(store: ValkeyStore, principal: str, key: SessionKey, deadline: float) -> Scored:
    """Add a session that is about to be bound.

    Returns:
        Some of the members with a score in the past, for the caller to check.
    """
    index = await _index_of(store, principal, deadline)
    args = (member_of(key), WINDOW_MS)
    due = await store.sender.change(
        lambda _, not_after: store.link.call(_ANNOUNCE, (index,), (*args, not_after), deadline=deadline), deadline
    )
    return scored(zip(due[::2], due[1::2], strict=True))


async def confirm(store: ValkeyStore, principal: str, live: Iterable[tuple[SessionKey, int]], deadline: float) -> None:
    """Confirm sessions, with their absolute deadlines in milliseconds."""
    scores: list[Argument] = []
    latest = 0
    for key, deadline_ms in live:
        scores += (deadline_ms, member_of(key))
        latest = max(latest, deadline_ms)
    if scores:
        index, until = await _index_of(store, principal, deadline), latest + WINDOW_MS
        await store.sender.change(
            lambda _, not_after: store.link.call(_CONFIRM, (index,), (not_after, until, *scores), deadline=deadline),
            deadline,
        )


async def take_out(store: ValkeyStore, principal: str, dead: Iterable[SessionKey], deadline: float) -> None:
    """Remove sessions that have certainly ended."""
    members = [member_of(key) for key in dead]
    if members:
        index = await _index_of(store, principal, deadline)
        await store.sender.answers([(b"ZREM", index, *members)], deadline)


async def leave(store: ValkeyStore, left: Iterable[tuple[bytes, bytes]], deadline: float) -> None:
    """Remove sessions that were just removed from the store: their KEYs, and the principals in their records.

    A failure is no error: the next reader of the index removes the remaining members.
    """
    owned = [owner_of(field, digest) for digest, field in left]
    segments = await store.known_segments(deadline)
    removals = [(b"ZREM", segments.index_of(each[0]), member_of(each[1])) for each in owned if each is not None]
    try:
        if removals:
            await store.sender.answers(removals, deadline)
    except StoreUnavailable as error:
        note_unkept(error)


def note_unkept(error: StoreUnavailable) -> None:
    """Log that an index is behind, and will be repaired when it is read."""
    _log.info("index_behind", "an index of a principal could not be kept up to date, and will be later: %s", error)


async def forget(store: ValkeyStore, principal: str, missing: Scored, deadline: float) -> None:
    """Remove members without a session, unless the session may still come."""
    if missing:
        await forget_in(store, await _index_of(store, principal, deadline), missing, deadline)


async def forget_in(store: ValkeyStore, index: bytes, missing: Scored, deadline: float) -> int:
    """The same, for an index by its name.

    Returns:
        The number of removed members.
    """
    if not missing:
        return 0
    args = (WINDOW_MS, *(part for each in missing.items() for part in each))
    forgotten: int = await store.sender.send(lambda _: store.link.call(_FORGET, (index,), args, deadline=deadline))
    return forgotten


async def read_index(store: ValkeyStore, principal: str, deadline: float) -> Scored:
    """All members at one instant: between two reads, members could move and be missed (E-9)."""
    index = await _index_of(store, principal, deadline)
    [found] = await store.sender.answers([(b"ZRANGE", index, 0, -1, b"WITHSCORES")], deadline)
    return scored(found)


def scored(found: Iterable[tuple[bytes, Reply]]) -> Scored:
    """Those of these members of an index that are sessions; foreign members must not prevent a logout (S-55)."""
    return {member: instant(score) or 0 for member, score in found if is_member(member)}


async def scores_of(store: ValkeyStore, principal: str, keys: Collection[SessionKey], deadline: float) -> Scored:
    """Those of these sessions that are in the index."""
    if not keys:
        return {}
    index, members = await _index_of(store, principal, deadline), list(map(member_of, keys))
    [scores] = await store.sender.answers([(b"ZMSCORE", index, *members)], deadline)
    return scored(pair for pair in zip(members, scores, strict=True) if pair[1] is not None)


async def _index_of(store: ValkeyStore, principal: str, deadline: float) -> bytes:
    return (await store.known_segments(deadline)).index_of(principal)
