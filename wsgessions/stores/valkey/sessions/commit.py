"""Creations and commits of sessions; a commit is sent on if the id was renewed meanwhile (C-9, S-07).

A commit is one object: the request that the link queues holds the delta, parses the reply, has the cached copy updated
in stream order, and resolves its future to the outcome. Nearly always that is all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

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
    SessionRecord,
    StoredAttributes,
)
from ....record.history import begun
from ....record.struct import replace
from ....store.contract import NEVER
from ..client.replies import Reply
from ..client.requests import Argument
from ..coherence.revocations import Revocations
from ..coherence.tracking import TrackedChange, Tracking
from ..diagnostics import StoreDiagnostics
from ..format import scripts
from ..format.forward import place_in
from ..format.metadata import ScriptStatus, is_too_late
from ..format.segments import Segments
from ..format.session_scripts import COMMIT, CREATE
from ..sender import Sender
from .load import Loads

__all__ = ["Commits"]


class Commits:
    """The creations and commits of one store object.

    Args:
        sender: of the store.
        tracking: of its link.
        loads: reads a session whose state the answer does not contain.
        revocations: gets the keys that have ended for ever.
        diagnostics: gets the reasons why records were not changed.
        grace_ms: see `DEFAULT_GRACE`.
        on_interval: called with the idle timeout, in milliseconds, of each new session, and with each changed one.
    """

    def __init__(
        self,
        sender: Sender,
        tracking: Tracking,
        loads: Loads,
        revocations: Revocations,
        diagnostics: StoreDiagnostics,
        *,
        grace_ms: int,
        on_interval: Callable[[int], None],
    ) -> None:
        self._sender = sender
        self._on_interval = on_interval
        self._tracking = tracking
        self._loads = loads
        self._revocations = revocations
        self._diagnostics = diagnostics
        self._grace_ms = grace_ms

    async def create(self, new: NewSession, deadline: float) -> SessionRecord | None:
        """Store a new session; see `Store.create`."""
        segments = await self._sender.known_segments(deadline)
        request = _Creation(
            deadline=deadline,
            clock=self._sender.clock,
            script=CREATE,
            keys=segments.keys_of(new.key),
            tracking=self._tracking,
            new=new,
        )
        reply = await self._sender.carry_out(request)
        self._on_interval(min(new.interval_ms or new.lifetime_ms, new.lifetime_ms))
        if reply or reply is None:
            return request.record
        # A resend: the session may have been changed already.
        there = await self._loads.load(new.key, deadline=deadline)
        return there if isinstance(there, SessionRecord) else None

    async def apply(self, delta: SessionDelta, *, deadline: float = NEVER) -> CommitOutcome:
        """Apply a delta; see `Store.apply`. A commit under a key that was renewed is repeated under the new one."""
        sender, segments = self._sender, self._sender.agreement.segments
        if segments is None:
            segments = await sender.known_segments(deadline)
        request = self._request(delta, None, segments, deadline)
        request.wire = request.pack(sender.link)
        outcome: CommitOutcome
        try:  # as `Sender.carry_out`, with one coroutine less for each commit that waits
            outcome = await sender.link.submit(request)
        except StoreUnavailable as error:
            outcome = await sender.settle(request, error)
        if type(outcome) is not CommitOutcome:
            outcome = await sender.settle(request, outcome)
        if outcome.status is APPLIED:
            if delta.interval_ms is not None:
                self._on_interval(delta.interval_ms)
            return outcome
        moved = await self._note_refusal(request)
        return outcome if moved is None else await self._apply_there(moved, delta, deadline)

    async def rotate(self, delta: SessionDelta, successor: RotationTarget, deadline: float) -> CommitOutcome:
        """Apply a delta and move the session to its successor; see `Store.rotate`.

        If another request has renewed the id a moment ago, a renewal is done, and a rotation is repeated under the new
        key.
        """
        request = self._request(delta, successor, await self._sender.known_segments(deadline), deadline)
        outcome: CommitOutcome = await self._sender.carry_out(request)
        if delta.interval_ms is not None:
            self._on_interval(delta.interval_ms)
        if outcome.status is not APPLIED:
            moved = await self._note_refusal(request)
            if moved is not None and successor.forward_ms:
                return await self._apply_there(moved, delta, deadline)
            if moved is not None:
                return await self._rotate_there(moved, delta, successor, deadline)
        return await self._completed(outcome, delta, successor, deadline)

    def _request(
        self, delta: SessionDelta, successor: RotationTarget | None, segments: Segments, deadline: float
    ) -> _Commit:
        keys: tuple[bytes, ...] = segments.keys_of(delta.key)
        if successor is not None:
            keys = (*keys, segments.keys_of(successor.key)[0])
        return _Commit(
            deadline=deadline,
            clock=self._sender.clock,
            script=COMMIT,
            keys=keys,
            tracking=self._tracking,
            delta=delta,
            successor=successor,
            revocations=self._revocations,
            grace_ms=self._grace_ms,
        )

    async def _note_refusal(self, request: _Commit) -> Place | None:
        """Record why a commit was not applied; returns the place to repeat it at, if there is one."""
        self._diagnostics.note(request.refused, request.delta.key)
        if request.refused == ScriptStatus.UNKNOWN:
            await self._sender.outlast(request.deadline)  # its first sending may still be on its way
        return request.moved

    async def _apply_there(self, moved: Place, delta: SessionDelta, deadline: float) -> CommitOutcome:
        outcome = await self._repeat(moved, delta, None, deadline)
        return replace(outcome, moved=moved, after=None)

    async def _rotate_there(
        self, moved: Place, delta: SessionDelta, successor: RotationTarget, deadline: float
    ) -> CommitOutcome:
        outcome = await self._repeat(moved, delta, successor, deadline)
        if outcome.status is APPLIED:
            self._revocations.note(delta.key)
        return await self._completed(outcome, delta, successor, deadline)

    async def _repeat(
        self, moved: Place, delta: SessionDelta, successor: RotationTarget | None, deadline: float
    ) -> CommitOutcome:
        there = replace(delta, key=moved.key, incarnation=moved.incarnation)
        request = self._request(there, successor, await self._sender.known_segments(deadline), deadline)
        outcome: CommitOutcome = await self._sender.carry_out(request)
        if delta.interval_ms is not None:
            self._on_interval(delta.interval_ms)
        if outcome.status is not APPLIED:
            await self._note_refusal(request)  # a further move is not followed
        return outcome

    async def _completed(
        self, outcome: CommitOutcome, delta: SessionDelta, successor: RotationTarget, deadline: float
    ) -> CommitOutcome:
        """The outcome of a rotation with the state that it led to, if the answer does not contain it.

        A resend is answered from the old id's tombstone, which has no attributes any more. So the changes of others
        since the base have to be read under the new key (C-8, K-04).
        """
        told = outcome.after is not None or not outcome.is_incomplete(delta)
        if outcome.status is not APPLIED or told:
            return outcome
        try:
            there = await self._loads.load(successor.key, deadline=deadline)
        except StoreUnavailable as error:
            text = "the session has moved to its new id, and cannot be read there"
            raise NonStopTimeout(text, unknown=True) from error
        if not isinstance(there, SessionRecord):
            return CommitOutcome(CommitStatus.GONE)
        return replace(outcome, after=there)


class _Creation(TrackedChange, kw_only=True, eq=False):
    """The request of a creation."""

    new: NewSession
    record: SessionRecord | None = None
    """The stored session, after the answer of the script."""

    def arguments(self, *, resend: bool, not_after: int) -> Sequence[Argument]:
        """See `ScriptChange.arguments`."""
        return scripts.pack_creation(self.new, not_after)

    def note(self, reply: Reply, *, tracked: bool) -> bool:
        """See `TrackedChange.note`."""
        record = _created(self.new, reply) if isinstance(reply, list) and reply and not is_too_late(reply) else None
        self.record = record
        self.tracking.note_record(self.new.key, record, tracked=tracked)
        self.answer(reply)
        return record is not None


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


class _Commit(TrackedChange, kw_only=True, eq=False):
    """The request of a commit. Its answer is the outcome, unless the server refused it or it came too late."""

    delta: SessionDelta
    successor: RotationTarget | None
    revocations: Revocations
    grace_ms: int
    is_resent: bool = False
    refused: int = 0
    """If it was not applied: a `ScriptStatus`."""
    moved: Place | None = None
    """Where it is to be sent on, if it was not applied because the id was renewed."""

    def arguments(self, *, resend: bool, not_after: int) -> Sequence[Argument]:
        """See `ScriptChange.arguments`."""
        self.is_resent = resend
        return scripts.pack_commit(
            self.delta, self.successor, grace_ms=self.grace_ms, resend=resend, not_after=not_after
        )

    def doubt(self) -> None:
        """Drop the copy: no reply can come any more, and the copy may be older than the change."""
        self.tracking.note_record(self.delta.key, None, tracked=False)

    def note(self, reply: Reply, *, tracked: bool) -> bool:
        """See `TrackedChange.note`."""
        delta, successor = self.delta, self.successor
        if type(reply) is not bytes and (type(reply) is StoreRefused or is_too_late(reply)):
            self.tracking.note_commit(delta, successor, None, tracked=tracked)
            self.answer(reply)
            return False
        try:
            outcome = scripts.read_outcome(delta, reply)
        except ValueError:  # it may have been applied, to a record that cannot be read
            outcome, self.refused = CommitOutcome(CommitStatus.GONE), ScriptStatus.UNREADABLE
        else:
            self.refused = 0 if type(reply) is bytes else reply[0]
        after = self.tracking.note_commit(delta, successor, outcome, tracked=tracked)
        applied = outcome.status is APPLIED
        if applied:
            if after is not None:
                outcome = replace(outcome, after=after)
            if successor is not None and not successor.forward_ms:  # as at a login: the old key ends at once (S-06)
                self.revocations.note(delta.key)
        else:
            self.moved = place_in(delta.key, reply)
            if self.refused == ScriptStatus.REVOKED:
                self.revocations.note(delta.key)
        if not self.future.done():
            self.future.set_result(outcome)
        # A resend may be answered from the remembered commits, and then nothing was written.
        return applied and not self.is_resent
