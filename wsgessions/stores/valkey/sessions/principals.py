"""Sessions with a principal: bound so that the principal's index never misses one, and found by it (E-9).

A session that is bound, or rotated while bound, is announced in the index under its new key, then created or moved, and
then confirmed. A process that dies in between leaves a member that the next reader confirms or removes. Other commits
do not touch the index.
"""

from __future__ import annotations

from collections.abc import Collection, Coroutine, Iterable
from typing import TYPE_CHECKING, Any

from ....errors import NonStopTimeout, StoreUnavailable
from ....record import CommitOutcome, CommitStatus, NewSession, RotationTarget, SessionDelta, SessionKey, SessionRecord
from ....store.listing import Names, SessionHead
from ..format.forward import Redirect
from ..format.metadata import ScriptStatus
from ..format.principal import key_of, member_of
from . import commit as writing
from .heads import Found, read_heads
from .principal_index import Scored, announce, confirm, forget, note_unkept, scores_of, take_out

if TYPE_CHECKING:
    from ..store import ValkeyStore

__all__ = ["create", "heads_of", "look_after", "rotate"]


def create(store: ValkeyStore, new: NewSession, deadline: float) -> Coroutine[Any, Any, SessionRecord | None]:
    """Store a new session, see `Store.create`; one with a principal enters the index."""
    return _create_bound(store, new, new.principal, deadline) if new.principal else writing.create(store, new, deadline)


def rotate(
    store: ValkeyStore, delta: SessionDelta, successor: RotationTarget, deadline: float
) -> Coroutine[Any, Any, CommitOutcome]:
    """Move a session, see `Store.rotate`; the index of its principal is updated."""
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
    store: ValkeyStore, delta: SessionDelta, successor: RotationTarget, deadline: float
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


async def _follow(store: ValkeyStore, old: SessionKey, successor: RotationTarget, deadline: float) -> None:
    """Update the indexes: a session has moved, and may have another principal."""
    if successor.principal:
        await take_out(store, successor.principal, [old], deadline)
    if after := successor.principal_after:
        found = await read_heads(store, [successor.key], (), deadline)
        await _confirm(store, after, found.values(), deadline)


async def _announce(store: ValkeyStore, principal: str, key: SessionKey, deadline: float) -> None:
    """Announce a session before it is created or moved.

    Raises:
        StoreUnavailable: that failed. The session is unchanged then, so its outcome is never unknown.
    """
    try:
        due = await announce(store, principal, key, deadline)
        if due:
            await look_after(store, principal, due, (), deadline)
    except StoreUnavailable as error:
        if not error.unknown:
            raise
        raise NonStopTimeout("the store has not answered in time, and the session was not changed") from error


async def heads_of(
    store: ValkeyStore, principal: str, keys: Collection[SessionKey], names: Names, deadline: float
) -> list[SessionHead]:
    """See `Indexing.heads_of`."""
    members = await scores_of(store, principal, keys, deadline)
    found = await look_after(store, principal, members, names, deadline)
    live = (each for each in found.values() if isinstance(each, SessionRecord) and each.principal == principal)
    return [SessionHead.of(record, record.attributes) for record in live]


async def look_after(
    store: ValkeyStore, principal: str, members: Scored, names: Names, deadline: float
) -> dict[SessionKey, Found]:
    """Read the sessions of these members of an index, and repair their entries."""
    found = await read_heads(store, [key_of(member) for member in members], names, deadline)
    gone = [key for key, each in found.items() if each is ScriptStatus.REVOKED or isinstance(each, Redirect)]
    missing = {member: score for member, score in members.items() if found[key_of(member)] is ScriptStatus.GONE}
    unconfirmed = [
        each
        for each in found.values()
        if isinstance(each, SessionRecord) and members[member_of(each.key)] != each.deadline_ms
    ]
    try:
        await _confirm(store, principal, unconfirmed, deadline)
        await take_out(store, principal, gone, deadline)
        await forget(store, principal, missing, deadline)
    except StoreUnavailable as error:
        note_unkept(error)
    return found


async def _confirm(store: ValkeyStore, principal: str, found: Iterable[Found], deadline: float) -> None:
    live = (each for each in found if isinstance(each, SessionRecord))
    await confirm(store, principal, ((each.key, each.deadline_ms) for each in live), deadline)
