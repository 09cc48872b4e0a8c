"""Creations, commits and ends of sessions; the last two are sent on if the id was renewed meanwhile (C-9, S-07)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from ....errors import NonStopTimeout, StoreRefused, StoreUnavailable
from ....record import (
    APPLIED,
    CommitOutcome,
    CommitStatus,
    NewSession,
    Place,
    PrincipalBinding,
    RotationTarget,
    SessionDelta,
    SessionKey,
    SessionRecord,
    StoredAttributes,
)
from ....record.history import begun
from ....record.struct import replace
from ....store.constants import TOMBSTONE_MS
from ..client.commands import ScriptCall
from ..client.replies import Reply
from ..format import scripts
from ..format.forward import place_in
from ..format.metadata import ScriptStatus, is_too_late
from ..format.session_scripts import COMMIT, CREATE, DELETE
from .principal_index import leave

if TYPE_CHECKING:
    from ..format.segments import Segment
    from ..store import ValkeyStore

__all__ = ["Ended", "commit", "create", "end", "end_at_primary"]

_CONFIRMATION: Final = 0.5
"""The longest time in seconds that the end of a session waits for replicas: a dead replica that the primary has not
noticed yet must not delay each logout until the deadline of its request."""


async def create(store: ValkeyStore, new: NewSession, deadline: float) -> SessionRecord | None:
    """Store a new session; see `Store.create`."""
    segment = await store.segment(new.key, deadline)
    keys = (segment.record(new.key), segment.expiries)
    record: SessionRecord | None = None

    def note(reply: Reply, tracked: bool) -> bool:
        nonlocal record
        record = _created(new, reply) if isinstance(reply, list) and reply and not is_too_late(reply) else None
        store.tracking.note_record(new.key, record, tracked=tracked)
        return record is not None

    def send(_: bool, not_after: int) -> Awaitable[Reply]:
        script = ScriptCall(CREATE, keys, scripts.pack_creation(new, not_after))
        return store.tracking.call(store.link, script, note, deadline=deadline)

    reply = await store.sender.change(send, deadline)
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
        attributes=StoredAttributes(dict(new.attributes)),
        lineage=begun(version),
        binding=PrincipalBinding(new.principal, version) if new.principal else None,
    )


async def commit(
    store: ValkeyStore, delta: SessionDelta, successor: RotationTarget | None, deadline: float
) -> CommitOutcome:
    """Apply a delta, and with a successor move the session there; see `Store.apply` and `Store.rotate`.

    If another request has renewed the id a moment ago, a renewal is done, and a rotation is repeated under the new key.
    """
    segments = store.segments or await store.known_segments(deadline)
    here = _Commit(store, segments.of(delta.key), delta, successor, deadline)
    reply = await store.sender.change(here.send, deadline, here.doubt)
    if here.outcome.status is not APPLIED:
        store.trouble.note(here.refusal, delta.key)
        if here.outcome.status is CommitStatus.UNKNOWN:
            await store.sender.outlast(deadline)  # its first sending may still be on its way
        moved = place_in(delta.key, reply)
        if moved is not None:
            return await _commit_there(store, moved, delta, successor, deadline)
    return here.outcome if successor is None else await _completed(store, here.outcome, delta, successor, deadline)


async def _commit_there(
    store: ValkeyStore, moved: Place, delta: SessionDelta, successor: RotationTarget | None, deadline: float
) -> CommitOutcome:
    renewed, delta = delta.key, replace(delta, key=moved.key, incarnation=moved.incarnation)
    needed = successor if successor is not None and not successor.forward_ms else None
    there = _Commit(store, await store.segment(moved.key, deadline), delta, needed, deadline)
    await store.sender.change(there.send, deadline, there.doubt)
    applied = there.outcome.status is APPLIED
    if not applied:
        store.trouble.note(there.refusal, moved.key)
    if there.outcome.status is CommitStatus.UNKNOWN:
        await store.sender.outlast(deadline)
    if needed is None:
        return replace(there.outcome, moved=moved, after=None)
    if applied:
        store.revocations.note(renewed)
    return await _completed(store, there.outcome, delta, needed, deadline)


async def _completed(
    store: ValkeyStore, outcome: CommitOutcome, delta: SessionDelta, successor: RotationTarget, deadline: float
) -> CommitOutcome:
    """The outcome of a rotation with the state that it led to, if the answer does not contain it.

    A resend is answered from the old id's tombstone, which has no attributes any more. So the changes of others since
    the base have to be read under the new key (C-8, K-04).
    """
    told = outcome.after is not None or not outcome.is_incomplete(delta)
    if outcome.status is not APPLIED or told:
        return outcome
    try:
        there = await store.load(successor.key, deadline=deadline)
    except StoreUnavailable as error:
        raise NonStopTimeout("the session has moved to its new id, and cannot be read there", unknown=True) from error
    if not isinstance(there, SessionRecord):
        return CommitOutcome(CommitStatus.GONE)
    return replace(outcome, after=there)


class _Commit:
    """One commit under way: sends it, repeatedly if necessary, and handles the answer when it is parsed."""

    __slots__ = ("_deadline", "_delta", "_keys", "_resent", "_store", "_successor", "outcome", "refusal")

    outcome: CommitOutcome
    """The outcome, after the answer of the script."""
    refusal: int
    """If it was not applied: a `ScriptStatus`."""

    def __init__(
        self,
        store: ValkeyStore,
        segment: Segment,
        delta: SessionDelta,
        successor: RotationTarget | None,
        deadline: float,
    ) -> None:
        self._store = store
        self._delta = delta
        self._successor = successor
        self._deadline = deadline
        self._resent = False
        self._keys = [segment.record(delta.key), segment.expiries]
        if successor is not None:
            self._keys.append(segment.record(successor.key))

    def send(self, resend: bool, not_after: int) -> Awaitable[Reply]:
        """See `Sender.change`."""
        self._resent, store = resend, self._store
        args = scripts.pack_commit(
            self._delta, self._successor, grace_ms=store.grace_ms, resend=resend, not_after=not_after
        )
        script = ScriptCall(COMMIT, self._keys, args)
        return store.tracking.call(store.link, script, self.take, deadline=self._deadline)

    def doubt(self) -> None:
        """Drop the copy: no reply can come any more, and the copy may be older than the change."""
        self._store.tracking.note_record(self._delta.key, None, tracked=False)

    def take(self, reply: Reply, tracked: bool) -> bool:
        """See `Note`."""
        store, delta, successor = self._store, self._delta, self._successor
        if type(reply) is not bytes and (type(reply) is StoreRefused or is_too_late(reply)):
            store.tracking.note_commit(delta, successor, None, tracked=tracked)
            return False
        try:
            outcome, self.refusal = scripts.read_outcome(delta, reply), reply[0]
        except ValueError:  # it may have been applied, to a record that cannot be read
            outcome, self.refusal = CommitOutcome(CommitStatus.GONE), ScriptStatus.UNREADABLE
        applied = outcome.status is APPLIED
        after = store.tracking.note_commit(delta, successor, outcome, tracked=tracked)
        if applied and after is not None:
            outcome = replace(outcome, after=after)
        self.outcome = outcome
        if _kills(successor) if applied else reply[0] == ScriptStatus.REVOKED:
            store.revocations.note(delta.key)
        # A resend may be answered from the remembered commits, and then nothing was written.
        return applied and not self._resent


def _kills(successor: RotationTarget | None) -> bool:
    """Whether a commit with this successor ends the old key at once, as at a login (S-06)."""
    return successor is not None and not successor.forward_ms


class Ended(NamedTuple):
    """The primary's answer to the end of a session."""

    existed: bool
    """Whether there was a session."""
    replicas: int = 0
    """The number of replicas."""
    timeline: bytes = b""
    """The replication id."""
    bound: bytes = b""
    """The principal in the record."""


async def end(store: ValkeyStore, key: SessionKey, deadline: float, *, by_client: bool) -> bool:
    """Remove a session, see `Store.delete`, and wait until the replicas know, if there are any (C-15b)."""
    ended = await end_at_primary(store, key, deadline, by_client=by_client)
    if ended.replicas:
        until = min(deadline, time.monotonic() + _CONFIRMATION)
        if not await store.fence.passed(ended.timeline, ended.replicas, deadline=until):
            store.trouble.note_unconfirmed(ended.replicas)
    return ended.existed


async def end_at_primary(store: ValkeyStore, key: SessionKey, deadline: float, *, by_client: bool = False) -> Ended:
    """Remove a session, also if its id was renewed meanwhile, any number of times."""
    at: SessionKey | None = key
    ended, followed = Ended(False), set[SessionKey]()
    while at is not None and at not in followed:  # no release of ours writes a circle of forwards
        followed.add(there := at)
        ended, at = await _end_here(store, there, deadline, by_client=by_client)
        if ended.bound:
            await leave(store, [(there.digest, ended.bound)], deadline)
    return ended


async def _end_here(
    store: ValkeyStore, key: SessionKey, deadline: float, *, by_client: bool
) -> tuple[Ended, SessionKey | None]:
    segment = await store.segment(key, deadline)
    keys = (segment.record(key), segment.expiries)

    def note(reply: Reply) -> None:
        store.tracking.note_record(key, None, tracked=False)
        if isinstance(reply, list) and reply[0] in (0, ScriptStatus.FORWARDED):
            store.revocations.note(key)

    def send(resend: bool, not_after: int) -> Awaitable[Reply]:
        args = (TOMBSTONE_MS, store.grace_ms, int(resend), not_after, int(by_client))
        return store.link.call(DELETE, keys, args, deadline=deadline, on_reply=note)

    reply = await store.sender.change(send, deadline, lambda: store.tracking.note_record(key, None, tracked=False))
    moved = place_in(key, reply)
    if moved is not None:
        return Ended(False), moved.key
    status, existed, *replication = reply
    store.trouble.note(status, key)
    return Ended(bool(existed), *replication), None
