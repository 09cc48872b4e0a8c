"""Sends what has changed in sessions, and keeps their view and the store's together."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from ..credentials.identity import new_session_id, successor_id
from ..errors import CodecError, SessionConflict, StoreUnavailable, WsgessionsError
from ..internal.log_throttle import LogThrottle
from ..internal.masked import Encoded, masked
from ..record import (
    APPLIED,
    NO_ATTRIBUTES,
    CommitOutcome,
    CommitStatus,
    RotationTarget,
    Seen,
    SessionDelta,
    SessionKey,
    SessionRecord,
    new_incarnation,
)
from ..session import CommitReport, Session
from ..session.changes import Changes
from ..session.owner import UnsettledRotation
from ..store.contract import Barrier, find_capability
from .commit_log import CommitReports
from .creation import create_under_new_id
from .deltas import delta_of
from .limits import SessionLimits
from .loader import Loader
from .renewal import Renewal

__all__ = ["Committer"]

_log = LogThrottle(logging.getLogger("wsgessions.sessions"))

_LARGEST_NUMBER: Final = bytes(9)


@masked
class _NewId(NamedTuple):
    id: str
    successor: RotationTarget


class Committer(Loader):
    """The `SessionRepository` of all sessions of one manager, but for operations on single attributes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._limits = SessionLimits(self._settings.max_session_bytes, self._settings.max_attributes)
        self._reports = CommitReports()
        self._refuses_conflicts = self._settings.conflicts == "raise"
        self._warn_bytes = self._settings.warn_session_bytes
        self.renewal: Renewal = Renewal(self._settings, self._identity, self._store)
        self._barring = find_capability(self._store, Barrier)

    def successor(self, session_id: str) -> str:
        """The id that this one is rotated to."""
        return successor_id(session_id)

    def reserve_id(self, session: Session) -> str:
        """The id that the session has, is rotated to, or will be created under; this reserves one and stores nothing.

        For frameworks that tell the application the id before there is a session. Does not count as an access.
        """
        present = session._successor or session._id or session._reserved
        if present is None:
            present = session._reserved = new_session_id(self._settings.id_length)
        return present

    def last_commit(self, key: SessionKey) -> CommitReport | None:
        """What this process sent in its last commit of a session, if it is among the last 512 it committed."""
        return self._reports.of(key)

    async def commit(
        self, session: Session, *, deadline: float | None = None, create: bool = True, renew: bool = False
    ) -> None:
        """Send what has changed.

        Args:
            session: the session.
            deadline: when to give up; by default the nonstop timeout from now.
            create: whether a new session with something in it may be created.
            renew: whether the session is given a new id, and the old one a grace (S-07).
        """
        deadline = deadline or self.deadline()
        try:
            if session._doomed is not None or session._unsettled is not None:
                await self._settle_intent(session, deadline)
            record = session._record
            if record is None:
                session._draw_in()
                if create and (session._names() or session._binds) and not session._frozen:
                    await self._create(session, deadline)
            elif (delta := delta_of(session, record, guard=self._refuses_conflicts)) is not None:
                renew = renew or (bool(self.renewal.provisional) and self.renewal.outgrown(session, record))
                await self._send_changes(session, record, delta, deadline, renew=renew)
            elif renew:
                await self._renew(session, record, deadline)
        except WsgessionsError as error:
            self._note_trouble(session, error)
            raise

    async def create(self, session: Session, *, deadline: float | None = None) -> None:
        """Create a new session even if there is nothing in it, for frameworks that let the application ask for that."""
        deadline = deadline or self.deadline()
        try:
            session._draw_in()
            if session._doomed is not None or session._unsettled is not None:
                await self._settle_intent(session, deadline)
            await self._create(session, deadline)
        except WsgessionsError as error:
            self._note_trouble(session, error)
            raise

    async def carry_out(self, session: Session, *, deadline: float | None = None) -> None:
        """Carry out `Session.invalidate`, `Session.rotate_id` and `Session.bind_user`.

        Changed attributes are left for the commit, unless the session becomes another's: they go with that in one step.
        """
        deadline = deadline or self.deadline()
        try:
            if session._doomed is not None or session._unsettled is not None:
                await self._settle_intent(session, deadline)
            record = session._record
            if record is not None and session._binds is not None:
                if (changes := delta_of(session, record, guard=self._refuses_conflicts)) is not None:
                    await self._send_changes(session, record, changes, deadline)
            elif record is not None and session._successor is not None:
                delta = SessionDelta(record.key, record.incarnation, record.version)
                await self._send(session, record, delta, deadline)
            elif record is None and session._binds and not session._frozen:
                session._draw_in()
                await self._create(session, deadline)
        except WsgessionsError as error:
            self._note_trouble(session, error)
            raise

    async def _send_changes(
        self, session: Session, record: SessionRecord, delta: SessionDelta, deadline: float, *, renew: bool = False
    ) -> None:
        """Send a delta with all that this request has changed, unless it would conflict."""
        moved = session._moved(delta)
        if moved and self._refuses_conflicts:
            raise self._conflict(session, moved)
        outcome = await self._send(session, record, delta, deadline, renew=renew)
        if outcome.status is CommitStatus.CONFLICT:
            raise self._conflict(session, outcome.names)
        self._statistics.overwritten_attributes += len(moved)

    async def _settle_intent(self, session: Session, deadline: float) -> None:
        """Do what must come before everything else: find out what became of a rotation, and end what is to end."""
        rotation = session._unsettled
        if session._doomed is not None:
            if rotation is not None:  # the session is under one of the two keys
                await self._store.delete(rotation.successor.key, by_client=session._client_is_told, deadline=deadline)
                session._unsettled = None
            await self._end(session, session._doomed, deadline)
        elif rotation is not None and session._successor is not None:
            await self._settle_rotation(session, rotation, deadline)

    async def _settle_rotation(self, session: Session, rotation: UnsettledRotation, deadline: float) -> None:
        """Ask again for a rotation of unknown outcome: it is answered as the first time, or carried out now (C-23)."""
        outcome = await self._store.rotate(rotation.delta, rotation.successor, deadline=deadline)
        session._unsettled = None
        if outcome.status is not APPLIED:
            self._judge(session, outcome)
            return
        new = _NewId(rotation.id, rotation.successor)
        self._take_over(session, rotation.delta, outcome, new, at=rotation.at)
        session._committed = True

    async def _end(self, session: Session, key: SessionKey, deadline: float) -> None:
        await self._store.delete(key, by_client=session._client_is_told, deadline=deadline)
        session._doomed = None
        self._statistics.invalidated += 1
        if self._settings.invalidate_barrier:
            await self.barrier(deadline)

    async def barrier(self, deadline: float) -> None:
        """Wait until no node can serve any more what this one has just changed or ended (C-13, C-15)."""
        if self._barring is not None:
            await self._barring.barrier(deadline=deadline)

    async def _renew(self, session: Session, record: SessionRecord, deadline: float) -> None:
        """Nothing but a new id. A request that only reads must not fail over it: it keeps the id it has."""
        delta = SessionDelta(record.key, record.incarnation, record.version)
        new = self._id_for(session, renew=True)
        if new is None:
            return
        try:
            outcome = await self._store.rotate(delta, new.successor, deadline=deadline)
        except StoreUnavailable as error:
            _log.warning("renewal_failed", "session %s keeps its id, which was due for renewal: %s", session.ref, error)
            return
        if outcome.status is APPLIED:
            self._take_over(session, delta, outcome, new, at=session._writes)
            session._committed = True

    def _id_for(self, session: Session, *, renew: bool) -> _NewId | None:
        """The id that the next commit gives. The old one has no grace if the application wants it gone (S-06, S-07)."""
        new_id, grace_ms = session._successor, 0
        if new_id is None and renew and session._id is not None:
            new_id, grace_ms = self.successor(session._id), self.renewal.grace_ms
        if new_id is None or session._record is None:
            return None
        principal, binds = session._record.principal, session._binds
        return _NewId(new_id, RotationTarget(self._identity.key(new_id), new_incarnation(), grace_ms, principal, binds))

    def _conflict(self, session: Session, names: Sequence[str]) -> SessionConflict:
        """A further commit after this error means to overwrite: the changes then rest on what is stored now."""
        self._statistics.conflicts += 1
        session._rebase(names)
        listed = ", ".join(map(repr, names))
        return SessionConflict(f"attributes were changed by another request: {listed}", names=tuple(names))

    async def _send(
        self, session: Session, record: SessionRecord, delta: SessionDelta, deadline: float, *, renew: bool = False
    ) -> CommitOutcome:
        """Send one delta, with the rotation if there is one to do, and take over the outcome.

        Returns:
            An outcome that is either APPLIED or a CONFLICT.
        """
        changed = delta.changed
        if delta.increments:  # their results are not known yet; each takes as much as the largest number at most
            changed = Encoded({**changed, **dict.fromkeys(delta.increments, _LARGEST_NUMBER)})
        whole = self._limits.check(record.attributes, changed, delta.removed)
        renew = (bool(self.renewal.provisional) and self.renewal.heed_login(session, record, delta)) or renew
        new, writes = self._id_for(session, renew=renew), session._writes
        if new is None:
            outcome = await self._store.apply(delta, deadline=deadline)
        else:
            outcome = await self._rotate(session, delta, new, writes, deadline)
        if outcome.status is APPLIED:
            self._take_over(session, delta, outcome, new, at=writes)
            self._report(session, delta, whole)
            return outcome
        self._judge(session, outcome)
        if outcome.changes is not None:
            present = record.merged(outcome.changes)
            session._adopt(present)
            self._look_for_rollback(session, present, Seen(present.incarnation, delta.base))
        return outcome

    async def _rotate(
        self, session: Session, delta: SessionDelta, new: _NewId, writes: int, deadline: float
    ) -> CommitOutcome:
        """Move the session, and keep in mind that it may have moved where that is not known in the end (C-23)."""
        unknown = True
        try:
            outcome = await self._store.rotate(delta, new.successor, deadline=deadline)
            unknown = outcome.status is CommitStatus.UNKNOWN
        except StoreUnavailable as error:
            unknown = error.unknown
            raise
        finally:
            if unknown and not new.successor.forward_ms:
                session._unsettled = UnsettledRotation(new.id, delta, new.successor, writes)
        return outcome

    def _judge(self, session: Session, outcome: CommitOutcome) -> None:
        if outcome.status is CommitStatus.GONE:
            self._statistics.refused_commits += 1
            raise self._gone(session)
        if outcome.status is CommitStatus.NOT_A_NUMBER:
            problem = "it is no number that can be incremented, or would leave the range of 2**53"
            raise CodecError(problem, path=outcome.names[0])
        if outcome.status is CommitStatus.UNKNOWN:
            problem = "the connection broke while a change was on its way; it may have arrived or not"
            raise StoreUnavailable(problem, unknown=True)

    def _take_over(
        self, session: Session, delta: SessionDelta, outcome: CommitOutcome, new: _NewId | None, *, at: int
    ) -> None:
        record = session._record
        if outcome.moved is not None:
            new = None  # another request has renewed the id, and its response tells the client
        self._statistics.commits += 1
        self._statistics.rotated += new is not None
        self._statistics.overwritten_attributes += len(outcome.overwritten)
        if record is None:
            # A task of the same request has called invalidate() meanwhile: what is to end has just moved.
            session._doomed = session._doomed if new is None else new.successor.key
            return
        session._settle(delta, at=at)
        on_base, after, incomplete = record.version == delta.base, outcome.after, outcome.is_incomplete(delta)
        if after is None or not (on_base or incomplete):
            after = record.after(delta, outcome, None if new is None else new.successor)
        alone = on_base and outcome.changes is None and not incomplete
        session._adopt(after, (*delta.changed, *delta.removed, *outcome.computed) if alone else None)
        if outcome.previous != delta.base:
            self._look_for_rollback(session, after, Seen(after.incarnation, delta.base))
        if session._interval_ms == delta.interval_ms:
            session._interval_ms = None
        if new is not None:
            session._settle_binding(new.successor.binds)
            session._id, session._successor = new.id, None if session._binds is None else self.successor(new.id)
            session._followed = False

    async def _create(self, session: Session, deadline: float) -> None:
        await self._ready(deadline)
        await self._check_not_replaced(session, deadline)
        changes = session._collect()
        whole = self._limits.check(NO_ATTRIBUTES, changes.changed)
        writes = session._writes
        session_id, record = await create_under_new_id(
            session,
            changes.changed,
            store=self._store,
            identity=self._identity,
            settings=self._settings,
            deadline=deadline,
        )
        session._id, session._interval_ms = session_id, None
        session._settle(changes, at=writes)
        session._settle_binding(record.principal)
        session._successor = self.successor(session_id) if session._binds else None
        session._adopt(record)
        self._statistics.created += 1
        self._report(session, changes, whole)

    def _report(self, session: Session, sent: Changes, whole: int) -> None:
        if (record := session._record) is None:
            return
        session._committed = True
        self._statistics.bytes_sent += self._reports.add(record.key, record.version, sent, whole)
        self._statistics.bytes_whole += whole
        if whole > self._warn_bytes:
            _log.warning("large_session", "session %s takes %d bytes", session.ref, whole)
