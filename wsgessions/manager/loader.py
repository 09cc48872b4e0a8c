"""Loads sessions, and notes in them what goes wrong with the store."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from ..credentials.identity import Identity
from ..credentials.presented import PresentedCredentials, ResolvedCredentials
from ..credentials.watermark import Watermark, WatermarkSeal
from ..errors import SessionGone, StoreUnavailable, WsgessionsError
from ..internal.log_throttle import LogThrottle
from ..record import Seen, SessionChanges, SessionKey, SessionRecord
from ..session import Session
from ..session.owner import FROM_NEAR_CACHE, FROM_STORE
from ..settings import SessionSettings
from ..store.contract import CacheLookup, PrimaryCheck, Store, TouchBuffer, find_capability
from .rejected_ids import RejectedId, RejectedIdMonitor

__all__ = ["Loader"]

_log = LogThrottle(logging.getLogger("wsgessions.sessions"))


class Loader:
    """The reading half of the `SessionRepository` of one manager.

    Args:
        store: where the sessions are kept.
        ready: starts the store, unless it is started, until a deadline; gives the seal of watermarks.
        identity: makes store keys of ids.
        settings: limits, timeouts and what to do on conflicts.
        suspicions: told of ids that the store does not know; its counters serve for everything else.
    """

    def __init__(
        self,
        store: Store,
        ready: Callable[[float], Awaitable[WatermarkSeal]],
        identity: Identity,
        settings: SessionSettings,
        suspicions: RejectedIdMonitor,
    ) -> None:
        self._store = store
        self._ready = ready
        self._identity = identity
        self._settings = settings
        self._statistics = suspicions.statistics
        self._suspicions = suspicions
        self._hop_check = settings.hop_check
        self._cache = find_capability(store, CacheLookup)
        self._confirming = find_capability(store, PrimaryCheck)
        self._noting = find_capability(store, TouchBuffer)
        self._grace_ms = settings.renew_grace_ms
        self.realm: tuple[object, ...] = (
            settings.store_url,
            settings.namespace,
            settings.context_path,
            settings.pepper,
            settings.cookie.name,
        )
        """What two managers have in common if a session of the one is a session of the other."""

    def deadline(self) -> float:
        """When store work that starts now must be done, by the monotonic clock (F-00b)."""
        return time.monotonic() + self._settings.nonstop_seconds

    def recall(self, session: Session, seal: WatermarkSeal) -> bool:
        """Serve a session that was begun with an id from memory, if that is provably fresh (C-11).

        Returns:
            Whether it was; otherwise it is to be loaded.
        """
        if self._cache is None or session._id is None:
            return False
        recognized = self._recognize(session, seal)
        carried = recognized.carried
        if self._hop_check and carried is not None and carried.node != seal.node:
            return False
        record = self._cache.recall(recognized.key, carried)
        if record is None:
            return False
        if carried is not None:
            if record.version == carried.version:
                session._known_to_client = record
            else:
                self._look_for_rollback(session, record, carried)
        session._adopt(record)
        session._served_from = FROM_NEAR_CACHE
        if record.renewed_from and self._noting is not None:
            self._noting.note_presented(_key_before(record), self._grace_ms)
        self._statistics.recalled += 1
        return True

    def recall_state(self, key: SessionKey, known: Seen) -> SessionRecord | None:
        """The state of a session whose connection knows this one, if memory can vouch for it (C-17)."""
        return None if self._cache is None else self._cache.recall(key, known)

    async def load(self, session: Session, *, deadline: float | None = None) -> None:
        """Load the session whose id was presented. A failure is kept for the first touch (F-00a)."""
        if session._id is None or session._record is not None:
            return
        deadline = deadline or self.deadline()
        try:
            recognized = self._recognize(session, await self._ready(deadline))
            carried, key = recognized.carried, recognized.key
            if session._presented.rivals:
                session._id, record = await self._choose(session._presented.rivals, carried, deadline)
                key = self._identity.key(session._id)
            else:
                record = await self._read(key, None, deadline)
            if record is None and recognized.moved is not None:
                record = await self._read(recognized.moved, None, deadline)
                session._followed = record is not None  # and is to be given an id that its client can know (C-23)
            if carried is not None and (record is None or not _agrees(record, carried)):
                await self._confirm(deadline)
            if record is not None and record.renewed_from and record.key == key:
                await self._end_forward(record, deadline)
        except WsgessionsError as error:
            self._note_trouble(session, error)
            if isinstance(error, StoreUnavailable):
                failure = error
                session._shut(lambda: failure)
            raise
        self._statistics.loads += 1
        if record is None:
            self._suspicions.note(RejectedId.UNKNOWN, session._peer)
            session._start_anew(key)
        else:
            session._adopt(record)
            session._served_from = FROM_STORE
            self._statistics.followed_moves += session._followed
            self._look_for_rollback(session, record, session._carried)
        session._open()

    async def _end_forward(self, record: SessionRecord, deadline: float) -> None:
        """The client has presented the id that its session was renewed to: the old one is needed no more (C-23)."""
        old = _key_before(record)
        if self._noting is None or not self._noting.note_presented(old, self._grace_ms):
            await self._store.end_forward([old], grace_ms=self._grace_ms, deadline=deadline)

    async def _confirm(self, deadline: float) -> None:
        """What contradicts a client may come from a server that was demoted and does not say so (fact 12)."""
        if self._confirming is not None:
            await self._confirming.confirm(deadline=deadline)

    def _recognize(self, session: Session, seal: WatermarkSeal) -> ResolvedCredentials:
        """The key of the session whose id was presented, and what its client has seen."""
        presented = session._presented
        recognized = presented.recognized
        if recognized is None or recognized.seal is not seal:
            recognized = presented.recognized = self._work_out(presented, seal)
        if session._recognized is not recognized:
            session._recognized = recognized
            session._carried = carried = recognized.carried
            if carried is not None:
                self._statistics.hops += carried.node != seal.node
            elif presented.watermark is not None and recognized.moved is None:
                self._statistics.forged_watermarks += 1
        return recognized

    async def _choose(
        self, rivals: Sequence[str], carried: Watermark | None, deadline: float
    ) -> tuple[str, SessionRecord | None]:
        """Which of several ids counts (S-29): the one that the store knows; of several, whose watermark it is.

        Returns:
            The id and its session. No session if none is known, or it cannot be told which one is meant.
        """
        known: dict[SessionKey, tuple[str, SessionRecord]] = {}
        for session_id in rivals:
            key = self._identity.key(session_id)
            record = await self._read(key, None, deadline)
            # An id that was renewed leads to the session of the present one for a while (S-07).
            if record is not None and (record.key not in known or record.key == key):
                known[record.key] = session_id, record
        found = list(known.values())
        if len(found) > 1 and carried is not None:
            found = [each for each in found if each[1].incarnation == carried.incarnation]
        return found[0] if len(found) == 1 else (rivals[0], None)

    def key_of(self, session_id: str) -> SessionKey:
        """The key under which a session with this id is looked for."""
        return self._identity.key(session_id)

    def _work_out(self, presented: PresentedCredentials, seal: WatermarkSeal) -> ResolvedCredentials:
        # Of several ids together, it is no session's, so that memory serves none of them before one is chosen.
        key, mark = self._identity.key(presented.id or "".join(presented.rivals)), presented.watermark
        carried = None if mark is None else seal.unseal(mark)
        new_id = None if mark is None or carried is not None else seal.unseal_move(mark, key)
        return ResolvedCredentials(seal, key, carried, None if new_id is None else self._identity.key(new_id))

    async def refresh(self, session: Session) -> None:
        """See `Session.refresh`."""
        held = session._record
        if held is None:
            return
        try:
            record = await self._read(held.key, held, self.deadline())
            if record is None:
                raise self._gone(session)
        except WsgessionsError as error:
            self._note_trouble(session, error)
            raise
        pending = session._release_unchanged()
        session._adopt(record)
        session._rebase((*pending.changed, *pending.removed))
        self._look_for_rollback(session, record, held.seen)

    async def _read(self, key: SessionKey, held: SessionRecord | None, deadline: float) -> SessionRecord | None:
        found = await self._store.load(key, since=None if held is None else held.seen, deadline=deadline)
        return held.merged(found) if held and isinstance(found, SessionChanges) else found  # type: ignore[return-value]

    def _look_for_rollback(self, session: Session, record: SessionRecord, known: Seen | Watermark | None) -> None:
        """C-12: whether the store lacks a state that is known to have been, be it behind it or on another timeline."""
        if known and not _agrees(record, known):
            session._rolled_back = True
            self._statistics.lost_commits_detected += 1
            _log.warning("rolled_back", "session %s came back without a commit that was seen before", session.ref)

    def _gone(self, session: Session) -> SessionGone:
        problem = f"session {session.ref} was ended elsewhere, or has expired; nothing more can be stored in it"
        return self._over(session, problem)

    @staticmethod
    def _over(session: Session, problem: str) -> SessionGone:
        """The error that tells it, once: nothing of the session is left to commit."""
        session._forgo_new_id()
        session._drop_changes()
        session._close(lambda: SessionGone(problem))
        return SessionGone(problem)

    async def _check_not_replaced(self, session: Session, deadline: float) -> None:
        """See that no session is made for an id that its client has just given up (C-24).

        The request was sent before that, and its answer would come after that: a new id in it would evict the one that
        the client has by now, as that of its login.

        Raises:
            SessionGone: it was given up a moment ago.
            StoreUnavailable: the store did not answer.
        """
        key = session._unknown_key
        if key is None:
            return
        if await self._store.was_replaced(key, deadline=deadline):
            self._statistics.late_ids += 1
            raise self._over(session, "the client has given this id up a moment ago; nothing is stored for it any more")
        session._unknown_key = None

    def _note_trouble(self, session: Session, error: WsgessionsError) -> None:
        """Remember in the session what went wrong, so that a 500 made of it can become the right answer (F-00a)."""
        session._trouble = error
        if isinstance(error, StoreUnavailable):
            self._statistics.store_failures += 1
            self._statistics.unknown_outcomes += error.unknown


def _key_before(record: SessionRecord) -> SessionKey:
    """The key that a session had before its id was renewed."""
    return SessionKey(record.key.prefix, record.renewed_from)


def _agrees(record: SessionRecord, known: Seen | Watermark) -> bool:
    """Whether a state can have come after another one that is known to have been."""
    return known.incarnation != record.incarnation or record.follows(known.version)
