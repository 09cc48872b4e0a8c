"""Sessions that are somebody's: bound so that the index of their principal never misses one, and found by it (E-9).

A session that is bound, or moves while it is, is announced to the index under its new key, then created or moved, and
then confirmed. Who dies in between leaves a member behind that the next reader confirms or forgets. A commit that
neither binds nor moves has nothing to do with any of this.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from ..errors import NonStopTimeout, StoreRefused, StoreUnavailable
from ..masked import masked
from ..record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
)
from . import writing
from .binding import key_of, member_of
from .forwarding import Forward
from .metadata import Refusal
from .principal_index import Scored, announce, confirm, forget, note_unkept, read_index, take_out
from .reading import Reading

if TYPE_CHECKING:
    from .store import ValkeyStore

__all__ = ["Lookup", "create", "look_after", "rotate", "sessions_of"]

_BATCH: Final = 64
"""So many sessions are read at the same time: requests that come meanwhile wait for no more."""


def create(store: ValkeyStore, new: NewSession, deadline: float) -> Coroutine[Any, Any, SessionRecord | None]:
    """Store a new session, see `Store.create`; one that is somebody's enters the index."""
    return _create_bound(store, new, new.principal, deadline) if new.principal else writing.create(store, new, deadline)


def rotate(
    store: ValkeyStore, delta: SessionDelta, successor: Successor, deadline: float
) -> Coroutine[Any, Any, CommitOutcome]:
    """Move a session, see `Store.rotate`; the index of whom it belongs to follows."""
    if successor.principal or successor.binds:
        return _rotate_bound(store, delta, successor, deadline)
    return writing.commit(store, delta, successor, deadline)


async def _create_bound(store: ValkeyStore, new: NewSession, principal: str, deadline: float) -> SessionRecord | None:
    await _announce(store, principal, new.key, deadline)
    record = await writing.create(store, new, deadline)
    try:
        if record is not None:
            await confirm(store, principal, [(new.key, record.deadline_ms)], deadline)
    except StoreUnavailable as error:
        note_unkept(error)
    return record


async def _rotate_bound(
    store: ValkeyStore, delta: SessionDelta, successor: Successor, deadline: float
) -> CommitOutcome:
    after = successor.principal_after
    if after:
        await _announce(store, after, successor.key, deadline)
    outcome = await writing.commit(store, delta, successor, deadline)
    try:
        if outcome.status is CommitStatus.APPLIED and outcome.moved is None:
            await _follow(store, delta.key, successor, deadline)
        elif after and outcome.status is not CommitStatus.UNKNOWN:
            await take_out(store, after, [successor.key], deadline)
    except StoreUnavailable as error:
        note_unkept(error)
    return outcome


async def _follow(store: ValkeyStore, old: SessionKey, successor: Successor, deadline: float) -> None:
    """A session has moved, and may have become another one's."""
    if successor.principal:
        await take_out(store, successor.principal, [old], deadline)
    if after := successor.principal_after:
        record = await _read(store, successor.key, deadline)
        if isinstance(record, SessionRecord):
            await confirm(store, after, [(record.key, record.deadline_ms)], deadline)


async def _announce(store: ValkeyStore, principal: str, key: SessionKey, deadline: float) -> None:
    due = await announce(store, principal, key, deadline)
    if due:
        await look_after(store, principal, due, deadline)


async def sessions_of(store: ValkeyStore, principal: str, deadline: float) -> list[SessionRecord]:
    """See `Indexing.sessions_of`.

    A session that moves between the look at the index and the look at its record shows by its tombstone that it has.
    Its new key was in the index before, so another look finds it; until one look meets nothing that has just gone.
    """
    gone: set[bytes] = set()
    while True:
        members = await read_index(store, principal, deadline)
        fresh = {member: score for member, score in members.items() if member not in gone}
        found = await look_after(store, principal, fresh, deadline)
        if found.gone <= gone:
            return found.live
        gone |= found.gone
        if time.monotonic() >= deadline:
            raise NonStopTimeout("sessions of this principal come and go too fast to list them")


@masked
class Lookup(NamedTuple):
    """What members of an index stand for."""

    live: list[SessionRecord]
    gone: set[bytes]
    """Members whose sessions have left a tombstone."""


async def look_after(store: ValkeyStore, principal: str, members: Scored, deadline: float) -> Lookup:
    """Read the sessions of these members, and put right what the index of the principal has of them."""
    found = Lookup([], set())
    missing: Scored = {}
    order = list(members)
    for batch in (order[at : at + _BATCH] for at in range(0, len(order), _BATCH)):
        answers = await asyncio.gather(*(_read(store, key_of(member), deadline) for member in batch))
        for member, answer in zip(batch, answers, strict=True):
            if isinstance(answer, SessionRecord):
                found.live.append(answer)
            elif answer is Refusal.REVOKED or isinstance(answer, Forward):
                found.gone.add(member)
            elif answer is Refusal.GONE:
                missing[member] = members[member]
    try:
        unconfirmed = (each for each in found.live if members[member_of(each.key)] != each.deadline_ms)
        await confirm(store, principal, ((each.key, each.deadline_ms) for each in unconfirmed), deadline)
        await take_out(store, principal, map(key_of, found.gone), deadline)
        await forget(store, principal, missing, deadline)
    except StoreUnavailable as error:
        note_unkept(error)
    return found


_Answer: TypeAlias = SessionRecord | SessionChanges | Forward | Refusal | None


async def _read(store: ValkeyStore, key: SessionKey, deadline: float) -> _Answer:
    """The session under a key as the primary has it now, or why there is none; None if it has expired.

    Raises:
        StoreUnavailable: it did not answer, or a later release has written the record.
    """
    segment = await store.segment(key, deadline)
    reading = Reading(key, segment, None, None, store.clock)
    await store.send(lambda _: store.link.pipeline(reading.commands, deadline=deadline, on_reply=reading.take))
    found = reading.found
    if isinstance(found, StoreRefused):
        raise found
    if isinstance(found, Refusal):
        store.note_refusal(found, key)
    return found
