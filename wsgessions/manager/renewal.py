"""Replaces ids, and decides which and by which: those of a certain age (S-07), and provisional ones (S-75)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, NamedTuple, Protocol

from ..credentials.identity import Identity, successor_id
from ..credentials.presented import ABSENT, UNTOLD
from ..errors import StoreUnavailable
from ..internal.masked import masked
from ..record import CommitOutcome, CommitStatus, RotationTarget, SessionDelta, SessionRecord, new_incarnation
from ..session import Session, UnitOfWork, unit_of
from ..session.changes import BEFORE_RESPONSE
from ..session.unit_of_work import too_late_to_rotate
from ..session.values import UnsettledRotation
from ..settings import SessionSettings
from ..store.contract import Store

__all__ = ["NewId", "ProvisionalIds", "Renewal"]

_MILLISECOND: Final = timedelta(milliseconds=1)


@masked
class NewId(NamedTuple):
    """An id that a commit sets."""

    id: str
    successor: RotationTarget


class ProvisionalIds(Protocol):
    """Ids that other credentials may lead to as well, until they are replaced."""

    def hold(self, session_id: str) -> bool:
        """Whether this is one of them. May be true of a few others, which are then replaced once without need."""
        ...

    def is_login(self, before: Mapping[str, bytes], delta: SessionDelta) -> bool:
        """Whether a commit binds a session to a user.

        Args:
            before: the encoded attributes that the changes are based on.
            delta: the changes.
        """
        ...


class Renewal:
    """Decides whether a response gives its client a new id, and rotates the session to it.

    Args:
        settings: `renew_interval` and `renew_grace`.
        identity: makes store keys of ids.
        store: the store. Its clock may become another one, with another event loop or after a fork.
    """

    def __init__(self, settings: SessionSettings, identity: Identity, store: Store) -> None:
        interval = settings.renew_interval
        self.grace_ms: Final = settings.renew_grace_ms
        """The time for which the old id leads to the new one."""
        self._interval_ms = None if interval is None else interval // _MILLISECOND
        self._identity = identity
        self._store = store
        self.provisional: tuple[ProvisionalIds, ...] = ()
        """The arguments of `watch`: empty except during a migration from another library."""

    def watch(self, ids: ProvisionalIds) -> None:
        """Replace these ids from now on. May be called with each request."""
        if ids not in self.provisional:
            self.provisional = (*self.provisional, ids)

    def due(self, unit: UnitOfWork) -> bool:
        """Whether the id of an accessed session is older than the interval.

        False if the client presented an id that was renewed a moment ago, since another response has the new one; also
        if it has presented none.
        """
        record = unit.record
        if self._interval_ms is None or record is None or unit.id is None or not unit.is_accessed:
            return False
        if unit.pending_id is not None or self._store.clock.now_ms() < self._due_ms(record.created_ms, record.rotated):
            return False
        return _was_presented(unit) and self._identity.key(unit.id) == record.key

    def _due_ms(self, created_ms: int, rotated: int) -> int:
        return max(created_ms, rotated // 1000) + (self._interval_ms or 0)

    def new_id(self, unit: UnitOfWork, *, renew: bool) -> NewId | None:
        """The id that the next commit sets. The old one has no grace if the application has replaced it (S-06,
        S-07).
        """
        new_id, grace_ms = unit.pending_id, 0
        if new_id is None and renew and unit.id is not None:
            new_id, grace_ms = successor_id(unit.id), self.grace_ms
        if new_id is None or unit.record is None:
            return None
        principal, binds = unit.record.principal, unit.pending_principal
        return NewId(new_id, RotationTarget(self._identity.key(new_id), new_incarnation(), grace_ms, principal, binds))

    async def rotate(
        self, unit: UnitOfWork, delta: SessionDelta, new: NewId, deadline: float, *, at: int
    ) -> CommitOutcome:
        """Apply a delta with a new id, and record the rotation if its outcome is unknown (C-23).

        Args:
            unit: the state of the session.
            delta: the changes.
            new: the result of `new_id`.
            deadline: see `Store`.
            at: see `UnsettledRotation.at`.
        """
        unknown = True
        try:
            outcome = await self._store.rotate(delta, new.successor, deadline=deadline)
            unknown = outcome.status is CommitStatus.UNKNOWN
        except StoreUnavailable as error:
            unknown = error.unknown
            raise
        finally:
            if unknown and not new.successor.forward_ms:
                unit.unsettled = UnsettledRotation(new.id, delta, new.successor, at)
                unit.may_be_pending = True
        return outcome

    def outgrown(self, unit: UnitOfWork, record: SessionRecord) -> bool:
        """Whether a change is to renew a provisional id, as one that has reached its age.

        Only if the client has presented it: all requests that came with the other credential must find the session.
        """
        if unit.phase is not BEFORE_RESPONSE or not _was_presented(unit):
            return False
        return self._is_provisional(unit) and self._identity.key(unit.id or "") == record.key

    def heed_login(self, session: Session, record: SessionRecord, delta: SessionDelta) -> bool:
        """Make a login replace a provisional id: neither the id nor the other credential may show the login (S-06,
            S-75).

        Args:
            session: given a new id, if its response was not sent.
            record: the state that the changes are based on.
            delta: the changes, which may be a login.

        Returns:
            Whether the id is to be renewed instead, because it is too late to tell the client another one. Its present
                id then leads to the new one, and no other credential does.

        Raises:
            SessionClosed: it is too late, and the client does not know the present id either.
        """
        unit = unit_of(session)
        if unit.pending_id is not None or not self._is_provisional(unit):
            return False
        if not any(ids.is_login(record.attributes.raw, delta) for ids in self.provisional):
            return False
        if unit.phase is BEFORE_RESPONSE:
            unit.plan_rotation(successor_id(unit.id or ""))
        elif unit.presented.finding is UNTOLD:
            raise too_late_to_rotate()
        return unit.phase is not BEFORE_RESPONSE

    def _is_provisional(self, unit: UnitOfWork) -> bool:
        known = unit.id
        return known is not None and unit.is_client_told and any(ids.hold(known) for ids in self.provisional)


def _was_presented(unit: UnitOfWork) -> bool:
    """Whether the client has presented the session's id, and not the credential of another library (S-75)."""
    finding = unit.presented.finding
    return finding is not ABSENT and finding is not UNTOLD
