"""Does for sessions what needs the store: loads them, sends their changes, and keeps both sides' views together."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from .attribute_changes import AttributeChanges
from .errors import CodecError, SessionConflict, SessionGone, SessionTooLarge, StoreRefused, StoreUnavailable, WsgessionsError
from .identity import Identity, new_session_id, successor_id
from .log_throttle import LogThrottle
from .owner import CommitReport
from .record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    Successor,
    new_incarnation,
)
from .session import Session
from .session_limits import SessionLimits, size_of
from .settings import SessionSettings
from .statistics import SessionStatistics
from .stores.base import Store
from .watermark import Watermark, WatermarkSeal

__all__ = ["StoreOwner"]

_log = LogThrottle(logging.getLogger("wsgessions.sessions"))

MAX_REPORTS: Final = 1024
"""Sessions whose last commit is remembered for `Session.last_commit`."""
MAX_ID_DRAWS: Final = 8
"""Attempts at an unused id. One suffices, unless the generator is broken (S-09)."""
_LARGEST_NUMBER: Final = bytes(9)
WARN_SESSION_BYTES: Final = 64 * 1024
"""Sessions above this are logged as large (R-04)."""


class StoreOwner:
    """The `SessionOwner` of all sessions of one manager, but for operations on single attributes.

    Args:
        store: where they are kept.
        ready: starts the store, unless it is started, until a deadline; gives the seal of watermarks.
        identity: makes store keys of ids.
        settings: limits, timeouts and what to do on conflicts.
        statistics: what to count in.
    """

    def __init__(
        self,
        store: Store,
        ready: Callable[[float], Awaitable[WatermarkSeal]],
        identity: Identity,
        settings: SessionSettings,
        statistics: SessionStatistics,
    ) -> None:
        self._store = store
        self._ready = ready
        self._identity = identity
        self._settings = settings
        self._statistics = statistics
        self._limits = SessionLimits(settings.max_session_bytes, settings.max_attributes)
        self.realm = (settings.store_url, settings.namespace, settings.context_path, settings.cookie.name)
        """What two managers have in common if a session of the one is a session of the other."""
        self._reports: OrderedDict[SessionKey, CommitReport] = OrderedDict()

    def deadline(self) -> float:
        """When store work that starts now must be done, by the monotonic clock (F-00b)."""
        return time.monotonic() + self._settings.nonstop_seconds

    def successor(self, session_id: str) -> str:
        """The id that this one is rotated to."""
        return successor_id(session_id)

    def last_commit(self, key: SessionKey) -> CommitReport | None:
        """What this process sent in its last commit of a session, if it is among the last 1,024 it committed."""
        return self._reports.get(key)

    # -- reading -------------------------------------------------------------------------------------------------------

    async def load(self, session: Session, *, deadline: float | None = None) -> None:
        """Load the session whose id was presented. A failure is kept in the session for whoever touches it (F-00a)."""
        if session._id is None or session._record is not None:
            return
        deadline = deadline or self.deadline()
        try:
            with self._noting_trouble(session):
                self._unseal(session, await self._ready(deadline))
                record = await self._read(self._identity.key(session._id), None, deadline)
        except StoreUnavailable as error:
            failure = error
            session._shut(lambda: failure)
            raise
        self._statistics.loads += 1
        if record is None:
            self._statistics.unknown_ids += 1
            session._start_anew()
        else:
            session._adopt(record)
            self._look_for_rollback(session, record, session._carried)
        session._open()

    def _unseal(self, session: Session, seal: WatermarkSeal) -> None:
        if session._watermark is not None:
            session._carried = seal.unseal(session._watermark)
            self._statistics.forged_watermarks += session._carried is None
            session._watermark = None

    async def refresh(self, session: Session) -> None:
        """See `Session.refresh`."""
        held = session._record
        if held is None:
            return
        with self._noting_trouble(session):
            record = await self._read(held.key, held, self.deadline())
            if record is None:
                raise self._gone(session)
        pending = session._release_unchanged()
        session._adopt(record)
        session._rebase((*pending.changed, *pending.removed))
        self._look_for_rollback(session, record, held.seen)

    async def _read(self, key: SessionKey, held: SessionRecord | None, deadline: float) -> SessionRecord | None:
        found = await self._store.load(key, since=None if held is None else held.seen, deadline=deadline)
        return held.merged(found) if held and isinstance(found, SessionChanges) else found  # type: ignore[return-value]

    def _look_for_rollback(self, session: Session, record: SessionRecord, known: Seen | Watermark | None) -> None:
        """C-12: whether the store is behind a state that is known to have been."""
        if known and known.incarnation == record.incarnation and record.version < known.version:
            session._rolled_back = True
            self._statistics.lost_commits_detected += 1
            _log.warning("rolled_back", "session %s came back older than its client has seen it", session.ref)

    # -- writing -------------------------------------------------------------------------------------------------------

    async def commit(self, session: Session, *, deadline: float | None = None, create: bool = True) -> None:
        """Send what has changed.

        Args:
            session: the session.
            deadline: when to give up; by default the nonstop timeout from now.
            create: whether a new session with something in it may be created.
        """
        deadline = deadline or self.deadline()
        with self._noting_trouble(session):
            session._draw_in()
            await self._end(session, deadline)
            if session._record is not None:
                await self._send_all(session, session._record, deadline)
            elif create and session._names() and not session._frozen:
                await self._ready(deadline)
                await self._create(session, deadline)

    async def carry_out(self, session: Session, *, deadline: float | None = None) -> None:
        """Carry out `Session.invalidate` and `Session.rotate_id`, and leave changed attributes for the commit."""
        deadline = deadline or self.deadline()
        with self._noting_trouble(session):
            await self._end(session, deadline)
            if session._record is not None and session._successor is not None:
                delta = SessionDelta(session._record.key, session._record.incarnation, session._record.version)
                await self._send(session, session._record, delta, deadline)

    async def _end(self, session: Session, deadline: float) -> None:
        if session._doomed is not None:
            await self._store.delete(session._doomed, deadline=deadline)
            session._doomed = None
            self._statistics.invalidated += 1

    async def _send_all(self, session: Session, record: SessionRecord, deadline: float) -> None:
        changes = session._collect()
        if not changes and session._successor is None and session._interval_ms is None:
            return
        names = frozenset(changes.changed) | changes.removed
        moved = session._moved(names)
        if moved and self._settings.conflicts == "raise":
            raise self._conflict(session, moved)
        delta = SessionDelta(
            record.key,
            record.incarnation,
            record.version,
            changes.changed,
            changes.removed,
            guarded=names if self._settings.conflicts == "raise" else frozenset(),
            interval_ms=session._interval_ms,
        )
        outcome = await self._send(session, record, delta, deadline)
        if outcome.status is CommitStatus.CONFLICT:
            raise self._conflict(session, outcome.names)
        self._statistics.overwritten_attributes += len(moved)

    def _conflict(self, session: Session, names: Sequence[str]) -> SessionConflict:
        """Who commits again, knowing of this error, means to overwrite: the changes then rest on what is stored now."""
        self._statistics.conflicts += 1
        session._rebase(names)
        listed = ", ".join(map(repr, names))
        return SessionConflict(f"attributes were changed by another request: {listed}", names=tuple(names))

    async def _send(
        self, session: Session, record: SessionRecord, delta: SessionDelta, deadline: float
    ) -> CommitOutcome:
        """Send one delta, with the rotation if there is one to do, and take over the outcome.

        Returns:
            An outcome that is either APPLIED or a CONFLICT.
        """
        whole = self._limits.check(_with(record.attributes, delta), delta.changed.keys() | delta.increments.keys())
        new_id = session._successor
        if new_id is None:
            successor = None
            outcome = await self._store.apply(delta, deadline=deadline)
        else:
            successor = Successor(self._identity.key(new_id), new_incarnation())
            outcome = await self._store.rotate(delta, successor, deadline=deadline)
        self._judge(session, outcome)
        if outcome.status is CommitStatus.APPLIED:
            self._take_over(session, delta, outcome, successor)
            self._report(session, AttributeChanges(delta.changed, delta.removed), whole)
        elif outcome.changes is not None:
            session._adopt(record.merged(outcome.changes))
        return outcome

    def _judge(self, session: Session, outcome: CommitOutcome) -> None:
        if outcome.status is CommitStatus.GONE:
            self._statistics.refused_commits += 1
            raise self._gone(session)
        if outcome.status is CommitStatus.NOT_A_NUMBER:
            name = outcome.names[0]
            raise CodecError("it is no number that can be incremented, or would leave the range of 2**53", path=name)
        if outcome.status is CommitStatus.UNKNOWN:
            raise StoreUnavailable("the connection broke while a change was on its way, and nobody can tell whether it arrived")

    def _take_over(
        self, session: Session, delta: SessionDelta, outcome: CommitOutcome, successor: Successor | None
    ) -> None:
        record = session._record
        self._statistics.commits += 1
        self._statistics.rotated += successor is not None
        self._statistics.overwritten_attributes += len(outcome.overwritten)
        if record is None:
            # A task of the same request has called invalidate() meanwhile: what is to end has just moved.
            session._doomed = session._doomed if successor is None else successor.key
            return
        session._settle(AttributeChanges(delta.changed, delta.removed))
        session._adopt(record.after(delta, outcome, successor))
        if session._interval_ms == delta.interval_ms:
            session._interval_ms = None
        if successor is not None:
            session._id, session._successor = session._successor, None

    async def _create(self, session: Session, deadline: float) -> None:
        changes = session._collect()
        whole = self._limits.check(changes.changed, changes.changed.keys())
        for _ in range(MAX_ID_DRAWS):
            session_id = new_session_id()
            record = await self._store.create(self._new(session, session_id, changes), deadline=deadline)
            if record is not None:
                break
        else:
            raise StoreRefused(f"no unused session id in {MAX_ID_DRAWS} attempts", hint="the system's random numbers repeat")
        session._id, session._interval_ms = session_id, None
        session._settle(changes)
        session._adopt(record)
        self._statistics.created += 1
        self._report(session, changes, whole)

    def _new(self, session: Session, session_id: str, changes: AttributeChanges) -> NewSession:
        interval_ms = self._settings.interval_ms if session._interval_ms is None else session._interval_ms
        return NewSession(self._identity.key(session_id), changes.changed, interval_ms, self._settings.lifetime_ms)

    # -- reports and failures ------------------------------------------------------------------------------------------

    def _report(self, session: Session, changes: AttributeChanges, whole: int) -> None:
        record = session._record
        if record is None:
            return
        session._committed = True
        sent = size_of(changes.changed) + sum(map(len, changes.removed))
        self._statistics.bytes_sent += sent
        self._statistics.bytes_whole += whole
        self._reports[record.key] = CommitReport(
            record.version, sent, whole, tuple(changes.changed), tuple(sorted(changes.removed))
        )
        self._reports.move_to_end(record.key)
        if len(self._reports) > MAX_REPORTS:
            self._reports.popitem(last=False)
        if whole > WARN_SESSION_BYTES:
            _log.warning("large_session", "session %s takes %d bytes", session.ref, whole)

    def _gone(self, session: Session) -> SessionGone:
        """Who is told this way need not be told again: nothing of the session is left to commit."""
        ref, session._successor = session.ref, None
        session._drop_changes()
        session._close(lambda: SessionGone(f"session {ref} was ended elsewhere, or has expired"))
        return SessionGone(f"session {ref} was ended elsewhere, or has expired; nothing more can be stored in it")

    @contextmanager
    def _noting_trouble(self, session: Session) -> Iterator[None]:
        """Remember in the session what went wrong, so that a 500 made of it can become the right answer."""
        try:
            yield
        except WsgessionsError as error:
            session._trouble = error
            self._statistics.store_failures += isinstance(error, StoreUnavailable)
            raise


def _with(attributes: Mapping[str, bytes], delta: SessionDelta) -> dict[str, bytes]:
    """What the session will hold, with the largest number there is for each that only the store can compute."""
    kept = {name: raw for name, raw in attributes.items() if name not in delta.removed} if delta.removed else attributes
    return {**kept, **dict.fromkeys(delta.increments, _LARGEST_NUMBER), **delta.changed}
