"""Sends the changes of sessions, and applies the outcome to them."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Sequence
from typing import Any, Final, NamedTuple

from ..credentials.identity import successor_id
from ..errors import CodecError, SessionConflict, StoreUnavailable, WsgessionsError
from ..internal.log_throttle import LogThrottle
from ..internal.masked import Encoded
from ..record import APPLIED, NO_ATTRIBUTES, CommitOutcome, CommitStatus, Seen, SessionDelta, SessionKey, SessionRecord
from ..session import CommitReport, Session, UnitOfWork, names_in, unit_of
from ..session.changes import BEFORE_RESPONSE, Changes
from ..session.values import UnsettledRotation
from ..store.contract import Barrier, find_capability
from .commit_log import CommitReports
from .creation import create_under_new_id
from .deltas import delta_of
from .limits import SessionLimits
from .loader import Loader
from .renewal import NewId, Renewal

__all__ = ["Committer"]

_log = LogThrottle(logging.getLogger("wsgessions.sessions"))

_LARGEST_NUMBER: Final = bytes(9)


class _Sending(NamedTuple):
    """A commit that sets out."""

    record: SessionRecord
    """The state that it is based on."""
    delta: SessionDelta
    new: NewId | None
    """The id that it sets, if any."""
    writes: int
    """The number of changes that the session had when they were collected."""
    whole: int
    """The bytes of the whole session after it."""
    answer: Coroutine[Any, Any, CommitOutcome]
    """The call of the store, to be awaited at once."""


class Committer(Loader):
    """The `SessionRepository` of all sessions of one manager, except for operations on single attributes."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.limits: SessionLimits = SessionLimits(self.settings.max_session_bytes, self.settings.max_attributes)
        self._reports = CommitReports()
        self._refuses_conflicts = self.settings.conflicts == "raise"
        self._warn_bytes = self.settings.warn_session_bytes
        self.renewal: Renewal = Renewal(self.settings, self.identity, self.store)
        self._barring = find_capability(self.store, Barrier)

    def successor(self, session_id: str) -> str:
        """The id to which this one is being rotated."""
        return successor_id(session_id)

    def last_commit(self, key: SessionKey) -> CommitReport | None:
        """The content of this process's last commit of a session, if it is among the last 512 commits."""
        return self._reports.of(key)

    async def commit(
        self, session: Session, *, deadline: float | None = None, create: bool = True, renew: bool = False
    ) -> None:
        """Send the changes.

        Args:
            session: the session.
            deadline: when to give up; by default the nonstop timeout from now.
            create: whether a new session with attributes may be created.
            renew: whether the session gets a new id, and the old one a grace (S-07).
        """
        unit, deadline = unit_of(session), deadline or self.deadline()
        try:
            if unit.pending_delete is not None or unit.unsettled is not None:
                await self._settle_intent(session, deadline)
            record = unit.record
            if record is None:
                unit.collect_views(session)
                if create and (names_in(session) or unit.pending_principal) and unit.phase is BEFORE_RESPONSE:
                    await self._create(session, deadline)
            elif (delta := delta_of(session, record, guard=self._refuses_conflicts)) is not None:
                renew = renew or (bool(self.renewal.provisional) and self.renewal.outgrown(unit, record))
                moved = self._outdated_names(unit, delta) if unit.is_overtaken else ()
                # As `_send`, with one coroutine less for each commit that waits.
                sending = self._set_out(session, record, delta, deadline, renew=renew)
                outcome = await sending.answer
                self._conclude(session, sending, outcome)
                if moved or outcome.status is not APPLIED:
                    self._raise_for_conflicts(unit, outcome, moved)
            elif renew or unit.is_cookie_due:
                await self._renew(session, record, deadline, id_too=renew)
        except WsgessionsError as error:
            self._record_error(unit, error)
            raise

    async def create(self, session: Session, *, deadline: float | None = None) -> None:
        """Create a new session even if it is empty, for frameworks that let the application request that."""
        unit, deadline = unit_of(session), deadline or self.deadline()
        try:
            unit.collect_views(session)
            if unit.pending_delete is not None or unit.unsettled is not None:
                await self._settle_intent(session, deadline)
            await self._create(session, deadline)
        except WsgessionsError as error:
            self._record_error(unit, error)
            raise

    async def carry_out(self, session: Session, *, deadline: float | None = None) -> None:
        """Carry out `Session.invalidate`, `Session.rotate_id` and `Session.bind_user`.

        Changed attributes are left for the commit, unless the session gets another principal: then they are sent with
        it in one step.
        """
        unit, deadline = unit_of(session), deadline or self.deadline()
        try:
            if unit.pending_delete is not None or unit.unsettled is not None:
                await self._settle_intent(session, deadline)
            record = unit.record
            if record is not None and unit.pending_principal is not None:
                if (changes := delta_of(session, record, guard=self._refuses_conflicts)) is not None:
                    moved = self._outdated_names(unit, changes)
                    self._raise_for_conflicts(unit, await self._send(session, record, changes, deadline), moved)
            elif record is not None and unit.pending_id is not None:
                delta = SessionDelta(record.key, record.incarnation, record.version)
                await self._send(session, record, delta, deadline)
            elif record is None and unit.pending_principal and unit.phase is BEFORE_RESPONSE:
                unit.collect_views(session)
                await self._create(session, deadline)
        except WsgessionsError as error:
            self._record_error(unit, error)
            raise

    def _outdated_names(self, unit: UnitOfWork, delta: SessionDelta) -> list[str]:
        """The names whose attributes other requests have changed since; an error if the settings say so (C-10)."""
        moved = unit.conflicting_names(delta)
        if moved and self._refuses_conflicts:
            raise self._conflict(unit, moved)
        return moved

    def _raise_for_conflicts(self, unit: UnitOfWork, outcome: CommitOutcome, moved: Sequence[str]) -> None:
        if outcome.status is CommitStatus.CONFLICT:
            raise self._conflict(unit, outcome.names)
        self.statistics.overwritten_attributes += len(moved)

    async def _settle_intent(self, session: Session, deadline: float) -> None:
        """Do the work that precedes all other: determine the outcome of a rotation, and carry out a pending end."""
        unit = unit_of(session)
        rotation = unit.unsettled
        if unit.pending_delete is not None:
            if rotation is not None:  # the session is under one of the two keys
                await self.store.delete(rotation.successor.key, by_client=unit.is_client_told, deadline=deadline)
                unit.unsettled = None
            await self._end(unit, unit.pending_delete, deadline)
        elif rotation is not None and unit.pending_id is not None:
            await self._settle_rotation(session, rotation, deadline)

    async def _settle_rotation(self, session: Session, rotation: UnsettledRotation, deadline: float) -> None:
        """Repeat a rotation of unknown outcome: the store returns its first outcome, or carries it out now (C-23)."""
        unit = unit_of(session)
        outcome = await self.store.rotate(rotation.delta, rotation.successor, deadline=deadline)
        unit.unsettled = None
        if outcome.status is not APPLIED:
            self._raise_for_status(session, outcome)
            return
        new = NewId(rotation.id, rotation.successor)
        self._apply_outcome(session, rotation.delta, outcome, new, at=rotation.at)
        unit.is_committed = True

    async def _end(self, unit: UnitOfWork, key: SessionKey, deadline: float) -> None:
        await self.store.delete(key, by_client=unit.is_client_told, deadline=deadline)
        unit.pending_delete = None
        self.statistics.invalidated += 1
        if self.settings.invalidate_barrier:
            await self.barrier(deadline)

    async def barrier(self, deadline: float) -> None:
        """Wait until no node can serve the states any more that this one has just changed or ended (C-13, C-15)."""
        if self._barring is not None:
            await self._barring.barrier(deadline=deadline)

    async def _renew(self, session: Session, record: SessionRecord, deadline: float, *, id_too: bool) -> None:
        """Renew the id, or only its cookie, without other changes. A request that only reads must not fail with it."""
        unit = unit_of(session)
        delta = SessionDelta(record.key, record.incarnation, record.version, interval_ms=record.interval_ms)
        new = self.renewal.new_id(unit, renew=True) if id_too else None
        try:
            if new is None:
                outcome = await self.store.apply(delta, deadline=deadline)
            else:
                outcome = await self.store.rotate(delta, new.successor, deadline=deadline)
        except StoreUnavailable as error:
            _log.warning("renewal_failed", "session %s keeps its cookie, due for renewal: %s", session.ref, error)
            return
        if outcome.status is APPLIED:
            self._apply_outcome(session, delta, outcome, new, at=unit.writes)
            unit.is_committed = True

    def _conflict(self, unit: UnitOfWork, names: Sequence[str]) -> SessionConflict:
        """A further commit after this error means to overwrite: the changes are then based on the present state."""
        self.statistics.conflicts += 1
        unit.accept_stored(names)
        listed = ", ".join(map(repr, names))
        return SessionConflict(f"attributes were changed by another request: {listed}", names=tuple(names))

    async def _send(
        self, session: Session, record: SessionRecord, delta: SessionDelta, deadline: float
    ) -> CommitOutcome:
        """Send one delta, with a pending rotation, and apply the outcome.

        Returns:
            An outcome that is either APPLIED or a CONFLICT.
        """
        sending = self._set_out(session, record, delta, deadline)
        outcome = await sending.answer
        self._conclude(session, sending, outcome)
        return outcome

    def _set_out(
        self, session: Session, record: SessionRecord, delta: SessionDelta, deadline: float, *, renew: bool = False
    ) -> _Sending:
        """Check a delta, determine the id that its commit sets, and call the store."""
        unit, changed = unit_of(session), delta.changed
        if delta.increments:  # their results are not known yet; each has at most the size of the largest number
            changed = Encoded({**changed, **dict.fromkeys(delta.increments, _LARGEST_NUMBER)})
        whole = self.limits.check(record.attributes, changed, delta.removed)
        renew = (bool(self.renewal.provisional) and self.renewal.heed_login(session, record, delta)) or renew
        new = self.renewal.new_id(unit, renew=renew) if renew or unit.pending_id is not None else None
        if new is None:
            answer = self.store.apply(delta, deadline=deadline)
        else:
            answer = self._rotate(unit, delta, new, unit.writes, deadline)
        return _Sending(record, delta, new, unit.writes, whole, answer)

    async def _rotate(
        self, unit: UnitOfWork, delta: SessionDelta, new: NewId, writes: int, deadline: float
    ) -> CommitOutcome:
        """Rotate the id, and record the rotation if its outcome is unknown (C-23)."""
        unknown = True
        try:
            outcome = await self.store.rotate(delta, new.successor, deadline=deadline)
            unknown = outcome.status is CommitStatus.UNKNOWN
        except StoreUnavailable as error:
            unknown = error.unknown
            raise
        finally:
            if unknown and not new.successor.forward_ms:
                unit.unsettled = UnsettledRotation(new.id, delta, new.successor, writes)
        return outcome

    def _conclude(self, session: Session, sending: _Sending, outcome: CommitOutcome) -> None:
        """Apply the outcome to the session, or raise its error; a conflict is left to the caller."""
        unit, delta = unit_of(session), sending.delta
        if outcome.status is APPLIED:
            self._apply_outcome(session, delta, outcome, sending.new, at=sending.writes)
            self._report(unit, delta, sending.whole)
            return
        self._raise_for_status(session, outcome)
        if outcome.changes is not None:
            present = sending.record.merged(outcome.changes)
            unit.attach(session, present)
            self.look_for_rollback(unit, present, Seen(present.incarnation, delta.base))

    def _raise_for_status(self, session: Session, outcome: CommitOutcome) -> None:
        if outcome.status is CommitStatus.GONE:
            self.statistics.refused_commits += 1
            raise self._gone(session)
        if outcome.status is CommitStatus.NOT_A_NUMBER:
            problem = "it is not a number that can be incremented, or would leave the range of 2**53"
            raise CodecError(problem, path=outcome.names[0])
        if outcome.status is CommitStatus.UNKNOWN:
            problem = "the connection broke while a change was on its way; it may have been applied or not"
            raise StoreUnavailable(problem, unknown=True)

    def _apply_outcome(
        self, session: Session, delta: SessionDelta, outcome: CommitOutcome, new: NewId | None, *, at: int
    ) -> None:
        unit = unit_of(session)
        record = unit.record
        if outcome.moved is not None:
            new = None  # another request has renewed the id, and its response tells the client
        self.statistics.commits += 1
        self.statistics.rotated += new is not None
        self.statistics.overwritten_attributes += len(outcome.overwritten)
        if record is None:
            # A task of the same request has called invalidate() meanwhile: the session to be ended has just got another
            # key.
            unit.pending_delete = unit.pending_delete if new is None else new.successor.key
            return
        unit.mark_committed(session, delta, at=at)
        on_base, after = record.version == delta.base, outcome.after
        incomplete = outcome.previous != delta.base and outcome.is_incomplete(delta)
        if after is None or not (on_base or incomplete):
            after = record.after(delta, outcome, None if new is None else new.successor)
        alone = on_base and outcome.changes is None and not incomplete
        unit.attach(session, after, (*delta.changed, *delta.removed, *outcome.computed) if alone else None)
        if outcome.previous != delta.base:
            self.look_for_rollback(unit, after, Seen(after.incarnation, delta.base))
        if unit.interval_ms == delta.interval_ms:
            unit.interval_ms = None
        if new is not None:
            unit.mark_bound(new.successor.binds)
            unit.id, unit.pending_id = new.id, None if unit.pending_principal is None else self.successor(new.id)
            unit.has_followed_move = False

    async def _create(self, session: Session, deadline: float) -> None:
        unit = unit_of(session)
        await self.startup.ready(deadline)
        await self._check_not_replaced(session, deadline)
        changes = unit.collect(session)
        whole = self.limits.check(NO_ATTRIBUTES, changes.changed)
        writes = unit.writes
        session_id, record = await create_under_new_id(
            unit, changes.changed, store=self.store, identity=self.identity, settings=self.settings, deadline=deadline
        )
        unit.id, unit.interval_ms = session_id, None
        unit.mark_committed(session, changes, at=writes)
        unit.mark_bound(record.principal)
        unit.pending_id = self.successor(session_id) if unit.pending_principal else None
        unit.attach(session, record)
        self.statistics.created += 1
        self._report(unit, changes, whole)

    def _report(self, unit: UnitOfWork, sent: Changes, whole: int) -> None:
        if (record := unit.record) is None:
            return
        unit.is_committed = True
        self.statistics.bytes_sent += self._reports.add(record.key, record.version, sent, whole)
        self.statistics.bytes_whole += whole
        if whole > self._warn_bytes:
            _log.warning("large_session", "session %s takes %d bytes", unit.ref, whole)
