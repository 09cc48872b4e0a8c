"""Creations, commits and ends of sessions; the last two are sent on if the id was renewed meanwhile (C-9, S-07)."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..errors import StoreRefused
from ..record import (
    CommitOutcome,
    NewSession,
    Place,
    SessionDelta,
    SessionKey,
    SessionRecord,
    StoredAttributes,
    Successor,
)
from ..stores.figures import TOMBSTONE_MS
from . import layout
from .commands import ScriptCall
from .forwarding import place_in
from .replies import Reply
from .session_scripts import COMMIT, CREATE, DELETE

if TYPE_CHECKING:
    from .store import ValkeyStore

__all__ = ["commit", "create", "end"]


async def create(store: ValkeyStore, new: NewSession, deadline: float) -> SessionRecord | None:
    """Store a new session; see `Store.create`."""
    segment = await store.segment(new.key, deadline)
    script = ScriptCall(CREATE, (segment.record(new.key), segment.expiries), layout.pack_creation(new))
    record: SessionRecord | None = None

    def note(reply: Reply, tracked: bool) -> None:
        nonlocal record
        record = _created(new, reply) if isinstance(reply, list) and reply else None
        store.tracking.note_record(new.key, record, tracked=tracked)

    reply = await store.send(lambda _: store.tracking.call(store.link, script, note, deadline=deadline))
    if reply or reply is None:
        return record
    there = await store.load(new.key, deadline=deadline)  # a resend: the session may have been changed already
    return there if isinstance(there, SessionRecord) else None


def _created(new: NewSession, reply: Sequence[int]) -> SessionRecord:
    version, created_ms, expires_ms = reply
    return SessionRecord(
        key=new.key,
        incarnation=new.incarnation,
        version=version,
        created_ms=created_ms,
        interval_ms=new.interval_ms,
        deadline_ms=created_ms + new.lifetime_ms,
        expires_ms=expires_ms,
        attributes=StoredAttributes(new.attributes),
    )


async def commit(
    store: ValkeyStore, delta: SessionDelta, successor: Successor | None, deadline: float
) -> CommitOutcome:
    """Apply a delta, and with a successor move the session there; see `Store.apply` and `Store.rotate`.

    If another request has renewed the id a moment ago, a renewal has nothing left to do, and a rotation has.
    """
    outcome, moved = await _commit_here(store, delta, successor, deadline)
    if moved is None:
        return outcome
    delta = replace(delta, key=moved.key, incarnation=moved.incarnation)
    needed = successor if successor is not None and not successor.forward_ms else None
    outcome, _ = await _commit_here(store, delta, needed, deadline)
    return outcome if needed is not None else replace(outcome, moved=moved)


async def _commit_here(
    store: ValkeyStore, delta: SessionDelta, successor: Successor | None, deadline: float
) -> tuple[CommitOutcome, Place | None]:
    segment = await store.segment(delta.key, deadline)
    keys = [segment.record(delta.key), segment.expiries]
    if successor is not None:
        keys.append(segment.record(successor.key))
    outcome: CommitOutcome | None = None

    def note(reply: Reply, tracked: bool) -> None:
        nonlocal outcome
        outcome = None if isinstance(reply, StoreRefused) else layout.read_outcome(delta, reply)
        store.tracking.note_commit(delta, successor, outcome, tracked=tracked)

    def send(resend: bool) -> Awaitable[Reply]:
        args = layout.pack_commit(delta, successor, grace_ms=store.grace_ms, resend=resend)
        return store.tracking.call(store.link, ScriptCall(COMMIT, keys, args), note, deadline=deadline)

    reply = await store.send(send)
    store.trouble.note(reply[0], delta.key)
    return outcome or layout.read_outcome(delta, reply), place_in(delta.key, reply)


async def end(store: ValkeyStore, key: SessionKey, deadline: float) -> bool:
    """Remove a session, see `Store.delete`; it is the session that is to end, however often its id was renewed."""
    at: SessionKey | None = key
    existed = False
    while at is not None:
        existed, at = await _end_here(store, at, deadline)
    return existed


async def _end_here(store: ValkeyStore, key: SessionKey, deadline: float) -> tuple[bool, SessionKey | None]:
    segment = await store.segment(key, deadline)
    keys = (segment.record(key), segment.expiries)

    def note(_: Reply) -> None:
        store.tracking.note_record(key, None, tracked=False)

    def send(resend: bool) -> Awaitable[Reply]:
        args = (TOMBSTONE_MS, store.grace_ms, int(resend))
        return store.link.call(DELETE, keys, args, deadline=deadline, on_reply=note)

    reply = await store.send(send)
    moved = place_in(key, reply)
    if moved is not None:
        return False, moved.key
    status, existed = reply
    store.trouble.note(status, key)
    return bool(existed), None
