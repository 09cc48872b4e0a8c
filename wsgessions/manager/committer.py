"""Sends the changes of sessions, and applies the outcome to them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from ..credentials.identity import successor_id
from ..errors import CodecError, SessionConflict, StoreUnavailable, WsgessionsError
from ..internal.log_throttle import LogThrottle
from ..internal.masked import Encoded
from ..record import APPLIED, NO_ATTRIBUTES, CommitOutcome, CommitStatus, Seen, SessionDelta, SessionKey, SessionRecord
from ..record.attributes import UNKNOWN
from ..session import CommitReport, Session, UnitOfWork, names_in, unit_of
from ..session.changes import BEFORE_RESPONSE, Changes
from ..session.values import UnsettledRotation
from ..store.capabilities import Barrier, find_capability
from .commit_log import CommitReports
from .creation import create_under_new_id
from .limits import SessionLimits
from .loader import Loader
from .renewal import NewId, Renewal

__all__ = ["Committer"]

_log = LogThrottle(logging.getLogger("wsgessions.sessions"))

_LARGEST_NUMBER: Final = bytes(9)


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
            elif (delta := self._delta_of(session, record)) is not None:
                renew = renew or (bool(self.renewal.provisional) and self.renewal.outgrown(unit, record))
                moved = self._outdated_names(unit, delta) if unit.is_overtaken else ()
                # As `_send`, with one coroutine less for each commit that waits.
                new, writes = self._prepare(session, record, delta, renew=renew), unit.writes
                if new is None:
                    outcome = await self.store.apply(delta, deadline=deadline)
                else:
                    outcome = await self.renewal.rotate(unit, delta, new, deadline, at=writes)
                if outcome.status is APPLIED:
                    self._apply_outcome(session, delta, outcome, new, at=writes)
                else:
                    self._refuse(session, record, delta, outcome)
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
                if (changes := self._delta_of(session, record)) is not None:
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

    def _delta_of(self, session: Session, record: SessionRecord) -> SessionDelta | None:
        """The changes of a session since it was last stored; None if a commit would send nothing."""
        unit = unit_of(session)
        changes = unit.collect(session)
        changed, removed = changes.changed, changes.removed
        if not (changed or removed or unit.pending_id or unit.interval_ms is not None):
            return None
        return SessionDelta(
            record.key,
            record.incarnation,
            record.version,
            changed,
            removed,
            guarded=removed.union(changed) if self._refuses_conflicts else frozenset(),
            interval_ms=unit.interval_ms,
            attributes=record.attributes.altered(changed, removed),
        )

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
        unit.is_cookie_due = False
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
        unit = unit_of(session)
        new, writes = self._prepare(session, record, delta, renew=False), unit.writes
        if new is None:
            outcome = await self.store.apply(delta, deadline=deadline)
        else:
            outcome = await self.renewal.rotate(unit, delta, new, deadline, at=writes)
        if outcome.status is APPLIED:
            self._apply_outcome(session, delta, outcome, new, at=writes)
        else:
            self._refuse(session, record, delta, outcome)
        return outcome

    def _prepare(self, session: Session, record: SessionRecord, delta: SessionDelta, *, renew: bool) -> NewId | None:
        """Check the size of the session after a delta, and determine the id that its commit sets, if any."""
        unit, limits, changed, after = unit_of(session), self.limits, delta.changed, delta.attributes
        if after is None:
            # The results of increments are not known yet; each has at most the size of the largest number.
            changed = Encoded({**changed, **dict.fromkeys(delta.increments, _LARGEST_NUMBER)})
            after = record.attributes.altered(changed, delta.removed)
        if after.size > limits.max_bytes or len(after.raw) > limits.max_attributes:
            limits.check(record.attributes, after, changed)
        renew = (bool(self.renewal.provisional) and self.renewal.heed_login(session, record, delta)) or renew
        return self.renewal.new_id(unit, renew=renew) if renew or unit.pending_id is not None else None

    def _refuse(self, session: Session, record: SessionRecord, delta: SessionDelta, outcome: CommitOutcome) -> None:
        """Raise the error of a commit that was not applied; a conflict is left to the caller."""
        self._raise_for_status(session, outcome)
        if outcome.changes is not None:
            unit, present = unit_of(session), record.merged(outcome.changes)
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
        self._report(unit, after, delta)

    async def _create(self, session: Session, deadline: float) -> None:
        unit = unit_of(session)
        await self.startup.ready(deadline)
        await self._check_not_replaced(session, deadline)
        changes = unit.collect(session)
        whole = NO_ATTRIBUTES.altered(changes.changed)
        self.limits.check(NO_ATTRIBUTES, whole, changes.changed)
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
        self._report(unit, record, changes)

    def _report(self, unit: UnitOfWork, record: SessionRecord, sent: Changes) -> None:
        """Record that these changes have led to this state."""
        changed, removed, stored, statistics = sent.changed, sent.removed, record.attributes, self.statistics
        if stored.size == UNKNOWN:
            stored.measure()
        size = sum(map(len, (*changed, *changed.values(), *removed)))
        self._reports.put(record.key.digest, (record.version, size, stored.size, tuple(changed), removed))
        unit.is_committed = True
        statistics.bytes_sent += size
        statistics.bytes_whole += stored.size
        if stored.size > self._warn_bytes:
            _log.warning("large_session", "session %s takes %d bytes", unit.ref, stored.size)
