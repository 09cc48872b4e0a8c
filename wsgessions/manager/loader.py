"""Loads sessions, and records errors of the store in them."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..codec import ToPlain, no_further_types
from ..credentials.identity import Identity
from ..credentials.presented import PresentedCredentials, ResolvedCredentials
from ..credentials.watermark import Watermark, WatermarkSeal
from ..errors import SessionGone, StoreUnavailable, WsgessionsError
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..record import Seen, SessionChanges, SessionKey, SessionRecord
from ..session import Session, UnitOfWork, unit_of
from ..session.values import FROM_STORE
from ..settings import SessionSettings
from ..store.capabilities import CacheLookup, PrimaryCheck, TouchBuffer, find_capability
from ..store.contract import Store
from .foreign_sessions import ForeignSessions
from .rejected_ids import RejectedId, RejectedIdMonitor
from .startup import StoreStartup
from .statistics import SessionStatistics

__all__ = ["Loader", "key_before"]

_log = LogThrottle(logging.getLogger("wsgessions.sessions"))


class Loader:
    """The reading half of the `SessionRepository` of one manager.

    Args:
        startup: the store where the sessions are kept, and the seal of watermarks.
        identity: makes store keys of ids.
        settings: limits, timeouts and the mode of conflicts.
        monitor: gets the ids that the store does not know; its counters are used for everything else.
    """

    def __init__(
        self,
        startup: StoreStartup,
        identity: Identity,
        settings: SessionSettings,
        monitor: RejectedIdMonitor,
    ) -> None:
        store = startup.store
        self.startup: StoreStartup = startup
        self.store: Store = store
        self.identity: Identity = identity
        self.settings: SessionSettings = settings
        self.statistics: SessionStatistics = monitor.statistics
        self._monitor = monitor
        self.cache: CacheLookup | None = find_capability(store, CacheLookup)
        self._confirming = find_capability(store, PrimaryCheck)
        self._foreign = ForeignSessions(store, settings)
        self.touches: TouchBuffer | None = find_capability(store, TouchBuffer)
        self.grace_ms: int = settings.renew_grace_ms
        self.to_plain: ToPlain | None = None if settings.strict_values else no_further_types
        """See `AttributeTracker.to_plain`."""
        self.sharing_key: tuple[object, ...] = (
            settings.store_url,
            settings.namespace,
            settings.context_path,
            settings.pepper,
            settings.cookie.name,
        )
        """Equal for two managers if the sessions of one are sessions of the other."""

    def deadline(self) -> float:
        """The deadline, by the monotonic clock, of store work that starts now (F-00b)."""
        return time.monotonic() + self.settings.nonstop_seconds

    def lookup_state(self, key: SessionKey, known: Seen) -> SessionRecord | None:
        """The cached state of a session whose connection has seen this state, if it is provably fresh (C-17)."""
        return None if self.cache is None else self.cache.lookup(key, known)

    async def load(self, session: Session, *, deadline: float | None = None) -> None:
        """Load the session with the presented id. A failure is kept for the first access (F-00a)."""
        unit = unit_of(session)
        if unit.id is None or unit.record is not None:
            return
        deadline = deadline or self.deadline()
        try:
            resolved = self.resolve(unit, await self.startup.ready(deadline))
            carried, key = resolved.carried, resolved.key
            if unit.presented.rivals:
                unit.id, record = await self._choose(unit.presented.rivals, carried, deadline)
                key = self.identity.key(unit.id)
            else:
                record = await self._read(key, None, deadline)
            if record is None and resolved.moved is not None:
                record = await self._read(resolved.moved, None, deadline)
                unit.has_followed_move = record is not None  # so it is to be given a new id (C-23)
            if carried is not None and (record is None or not _agrees(record, carried)):
                await self._confirm(deadline)
            if carried is not None and record is None:
                await self._foreign.look(key, carried.version, deadline=deadline)
            if record is not None and record.renewed_from and record.key == key:
                await self._end_forward(record, deadline)
        except StoreUnavailable as error:
            self._count_failure(failure := error)
            unit.fail_with(session, lambda: failure)
            raise
        self.statistics.loads += 1
        if record is None:
            self._monitor.note(RejectedId.UNKNOWN, unit.client_address)
            unit.start_anew(key)
        else:
            unit.attach(session, record)
            unit.served_from = FROM_STORE
            self.statistics.followed_moves += unit.has_followed_move
            self.look_for_rollback(unit, record, carried)
        unit.loaded(session)

    async def _end_forward(self, record: SessionRecord, deadline: float) -> None:
        """The client has presented the session's renewed id: the old one is not needed any more (C-23)."""
        old = key_before(record)
        if self.touches is None or not self.touches.note_presented(old, self.grace_ms):
            await self.store.end_forward([old], grace_ms=self.grace_ms, deadline=deadline)

    async def _confirm(self, deadline: float) -> None:
        """Check that the server is still primary: an unnoticed demotion can explain the contradiction (fact 12)."""
        if self._confirming is not None:
            await self._confirming.confirm(deadline=deadline)

    def resolve(self, unit: UnitOfWork, seal: WatermarkSeal) -> ResolvedCredentials:
        """The key of the session with the presented id, and the watermark of its client."""
        presented = unit.presented
        resolved = presented.resolved
        if resolved is None or resolved.seal is not seal:
            resolved = presented.resolved = self._work_out(presented, seal)
        if unit.resolved is not resolved:
            unit.resolved = resolved
            carried = resolved.carried
            if carried is not None:
                self.statistics.hops += not resolved.is_from_here
            elif presented.watermark is not None and resolved.moved is None:
                self.statistics.forged_watermarks += 1
        return resolved

    async def _choose(
        self, rivals: Sequence[str], carried: Watermark | None, deadline: float
    ) -> tuple[str, SessionRecord | None]:
        """Choose one of several ids (S-29): the one that the store knows; of several, the one of the watermark.

        Returns:
            The id and its session. No session if none is known, or the choice is ambiguous.
        """
        known: dict[SessionKey, tuple[str, SessionRecord]] = {}
        for session_id in rivals:
            key = self.identity.key(session_id)
            record = await self._read(key, None, deadline)
            # An id that was renewed leads to the session with the present one for a while (S-07).
            if record is not None and (record.key not in known or record.key == key):
                known[record.key] = session_id, record
        found = list(known.values())
        if len(found) > 1 and carried is not None:
            found = [each for each in found if each[1].incarnation == carried.incarnation]
        return found[0] if len(found) == 1 else (rivals[0], None)

    def key_of(self, session_id: str) -> SessionKey:
        """The store key of the session with this id."""
        return self.identity.key(session_id)

    def _work_out(self, presented: PresentedCredentials, seal: WatermarkSeal) -> ResolvedCredentials:
        # Several ids together get the key of no session, so that the cache serves none of them before one is chosen.
        key, mark = self.identity.key(presented.id or "".join(presented.rivals)), presented.watermark
        carried = None if mark is None else seal.unseal(mark)
        new_id = None if mark is None or carried is not None else seal.unseal_move(mark, key)
        from_here = carried is not None and carried.node == seal.node
        return ResolvedCredentials(seal, key, carried, from_here, None if new_id is None else self.identity.key(new_id))

    async def refresh(self, session: Session) -> None:
        """See `Session.refresh`."""
        unit = unit_of(session)
        held = unit.record
        if held is None:
            return
        try:
            record = await self._read(held.key, held, self.deadline())
            if record is None:
                raise self._gone(session)
        except WsgessionsError as error:
            self._record_error(unit, error)
            raise
        pending = unit.release_unchanged(session)
        unit.attach(session, record)
        unit.accept_stored((*pending.changed, *pending.removed))
        self.look_for_rollback(unit, record, held.seen)

    async def _read(self, key: SessionKey, held: SessionRecord | None, deadline: float) -> SessionRecord | None:
        found = await self.store.load(key, since=None if held is None else held.seen, deadline=deadline)
        return held.merged(found) if held and isinstance(found, SessionChanges) else found  # type: ignore[return-value]

    def look_for_rollback(self, unit: UnitOfWork, record: SessionRecord, known: Seen | Watermark | None) -> None:
        """C-12: whether the store lacks a state that is known to have existed, an older one or one of another
        timeline.
        """
        if known and not _agrees(record, known):
            unit.is_rolled_back = True
            self.statistics.lost_commits_detected += 1
            _log.warning("rolled_back", "session %s came back without a commit that was seen before", unit.ref)

    def _gone(self, session: Session) -> SessionGone:
        problem = f"session {session.ref} was ended elsewhere, or has expired; it cannot be changed any more"
        return self._over(session, problem)

    @staticmethod
    def _over(session: Session, problem: str) -> SessionGone:
        """The error of an ended session, raised once: nothing of the session is left to commit."""
        unit = unit_of(session)
        unit.cancel_rotation()
        unit.rollback(session)
        unit.close(lambda: SessionGone(problem))
        return SessionGone(problem)

    async def _check_not_replaced(self, session: Session, deadline: float) -> None:
        """Check that no session is created for an id that its client has just replaced (C-24).

        The request was sent before the replacement, and its response would arrive after it: a new id in it would evict
        the client's present id, such as that of its login.

        Raises:
            SessionGone: the id was replaced a moment ago.
            StoreUnavailable: the store did not answer.
        """
        unit = unit_of(session)
        key = unit.unknown_key
        if key is None:
            return
        if await self.store.was_replaced(key, deadline=deadline):
            self.statistics.late_ids += 1
            raise self._over(session, "the client has replaced this id a moment ago; nothing is stored for it any more")
        unit.unknown_key = None

    def _record_error(self, unit: UnitOfWork, error: WsgessionsError) -> None:
        """Record the error in the session, so that a 500 made of it can become the right error response (F-00a)."""
        unit.store_error = error
        if isinstance(error, StoreUnavailable):
            self._count_failure(error)

    def _count_failure(self, error: StoreUnavailable) -> None:
        self.statistics.store_failures += 1
        self.statistics.unknown_outcomes += error.unknown


def key_before(record: SessionRecord) -> SessionKey:
    """The key that a session had before its id was renewed."""
    return SessionKey(record.key.prefix, record.renewed_from)


def _agrees(record: SessionRecord, known: Seen | Watermark) -> bool:
    """Whether a state can be later than another one that is known to have existed."""
    return known.incarnation != record.incarnation or record.follows(known.version)
