"""The operations of a request on its manager: a session for presented credentials, and the data for its response.

It is `SessionManager.requests` of each manager. It handles ids, deadlines and the store, but no HTTP. It is the
interface between the manager and the web part or a framework's adapter; applications do not need it.
"""

from __future__ import annotations

import logging
from typing import Final

from ..cache.near_cache import MARGIN
from ..credentials.identity import new_session_id
from ..credentials.presented import ABSENT, BY_COOKIE, PresentedCredentials, ResolvedCredentials
from ..credentials.watermark import Watermark
from ..errors import StoreUnavailable
from ..internal.log_throttle import LogThrottle
from ..record import Seen, SessionChanges, SessionKey, SessionRecord
from ..session import Session, UnitOfWork, new_session, repository_of, set_repository, set_unit
from ..session.values import FROM_NEAR_CACHE, FROM_STORE
from ..settings import SessionSettings
from ..store.contract import Store
from .atomic import AtomicOperations
from .loader import key_before
from .rejected_ids import RejectedId, RejectedIdMonitor
from .startup import StoreStartup

__all__ = ["RequestSessions"]

_COOKIE_RENEWALS: Final = 30

_log = LogThrottle(logging.getLogger("wsgessions.manager"))
_update: Final = dict[str, object].update


class RequestSessions:
    """The sessions of the requests of one manager.

    Args:
        settings: the settings.
        startup: the store, and the seal of watermarks.
        repository: does the store work of the sessions.
        monitor: gets the rejected ids.
        kind: the class of the sessions.
    """

    def __init__(
        self,
        settings: SessionSettings,
        startup: StoreStartup,
        repository: AtomicOperations,
        monitor: RejectedIdMonitor,
        kind: type[Session],
    ) -> None:
        self.settings: SessionSettings = settings
        self.store: Store = startup.store
        self.repository: AtomicOperations = repository
        self.budget: float = settings.nonstop_seconds
        """The seconds that one request may wait for the store in total (F-00b)."""
        self.takes_late_changes: bool = settings.late_commit != "refuse"
        """Whether a session may be changed after its response has started (C-13)."""
        self.renews: bool = settings.renew_interval is not None or settings.cookie.max_age is not None
        """Whether ids are replaced at a certain age (S-07), or cookies sent again (S-27)."""
        self.reads_are_plain: bool = self.takes_late_changes and not self.renews
        """Whether the response to a client that knows the session's latest state takes no work after a mere read."""
        self.startup: StoreStartup = startup
        self._monitor = monitor
        self._kind = kind
        self._touches = repository.touches
        self._cache = repository.cache
        self._report_delay_ms = _report_delay_ms(settings)
        self._hop_check = settings.hop_check
        self._cookie_max_age = settings.cookie.max_age

    # -- at the start of a request -------------------------------------------------------------------------------------

    def begin(
        self,
        presented: PresentedCredentials,
        client_address: str | None = None,
        *,
        is_client_told: bool = False,
        counts_access: bool = True,
    ) -> Session:
        """The session for presented credentials, not loaded yet.

        Args:
            presented: the credentials of the request.
            client_address: the client's address, for `on_suspicious`.
            is_client_told: whether the client learns of a change of the id, as from the response of a request.
            counts_access: whether an access restarts the idle time (C-16).
        """
        unit = UnitOfWork(
            presented=presented,
            id=presented.id,
            client_address=client_address,
            is_client_told=is_client_told,
            counts_access=counts_access,
            to_plain=self.repository.to_plain,
        )
        if presented.id is None and presented.finding is not ABSENT:
            self._monitor.note(RejectedId(presented.finding.value), client_address)
            unit.doubt()
        session = new_session(self._kind)
        set_repository(session, self.repository)
        set_unit(session, unit)
        return session

    def lookup(self, session: Session, unit: UnitOfWork) -> bool:
        """Serve a session with a presented id from the near cache, if its copy is provably fresh (C-11).

        Args:
            session: the result of `begin`; it was not accessed yet.
            unit: its unit of work.

        Returns:
            Whether it was served; otherwise it is to be loaded.
        """
        seal, cache, repository = self.startup.seal, self._cache, self.repository
        if seal is None or cache is None:
            return False
        resolved = unit.presented.resolved
        if resolved is not None and resolved.is_from_here and resolved.seal is seal:
            unit.resolved, carried = resolved, resolved.carried
        else:
            resolved = repository.resolve(unit, seal)
            carried = resolved.carried
            if self._hop_check and carried is not None and not resolved.is_from_here:
                return False
        record = cache.lookup(resolved.key, carried)
        if record is None:
            return False
        lazy = record.attributes.lazy
        if lazy is None:
            unit.attach(session, record)
        else:  # as `attach` does it, for a session without an access
            unit.record, unit.stored = record, record.attributes
            _update(session, lazy)
        unit.served_from = FROM_NEAR_CACHE
        if carried is not None and record.version == carried.version:
            unit.client_record = record
        else:
            repository.look_for_rollback(unit, record, carried)
        if record.renewed_from and self._touches is not None:
            self._touches.note_presented(key_before(record), repository.grace_ms)
        repository.statistics.recalled += 1
        return True

    def reserve_id(self, unit: UnitOfWork) -> str:
        """The id that the session has, is rotated to, or will be created under, which is reserved and not stored.

        For frameworks that give the application the id before there is a session. Does not count as an access.
        """
        present = unit.pending_id or unit.id or unit.reserved_id
        if present is None:
            present = unit.reserved_id = new_session_id(self.settings.id_length)
        return present

    def owns(self, session: Session) -> bool:
        """Whether a session is one of this manager, or of one with the same sessions and the same cookie."""
        repository = repository_of(session)
        return isinstance(repository, AtomicOperations) and repository.sharing_key == self.repository.sharing_key

    # -- at its end ----------------------------------------------------------------------------------------------------

    def renewal_due(self, unit: UnitOfWork) -> bool:
        """Whether the client of this session is to be given a new id, because of the age of the present one (S-07)."""
        return unit.has_followed_move or (self.renews and self.repository.renewal.due(unit))

    def watermark_for(self, unit: UnitOfWork) -> str | None:
        """The client's next watermark, or None if the present one is sufficient (C-13)."""
        record, resolved, seal = unit.record, unit.resolved, self.startup.seal
        if record is None or seal is None:
            return None
        carried = None if resolved is None else resolved.carried
        known = carried.version if carried and carried.incarnation == record.incarnation else 0
        hopped = self._hop_check and carried is not None and carried.node != seal.node
        if record.version > known or hopped or (record.version < known and unit.is_rolled_back):
            # A client that has followed a move, and has not received the id behind it, still needs that move (C-23).
            return None if unit.has_followed_move else seal.seal(record.incarnation, record.version)
        return None

    def resolve_next(self, unit: UnitOfWork) -> ResolvedCredentials | None:
        """The derived values for the next request of this client, if it presents the same id with the watermark that
        `watermark_for` has just made.
        """
        record, resolved, seal = unit.record, unit.resolved, self.startup.seal
        if record is None or resolved is None or seal is None:
            return None
        carried = Watermark(record.incarnation, record.version, seal.node)
        return ResolvedCredentials(seal, resolved.key, carried, is_from_here=True)

    def move_for(self, unit: UnitOfWork) -> str | None:
        """The client's cookie instead of a watermark after a rotation of unknown outcome, else None (C-23)."""
        rotation, known, seal = unit.unsettled, unit.id, self.startup.seal
        if rotation is None or known is None or seal is None:
            return None
        # It leads from the id that the client has, which a renewal or another move may have replaced.
        return seal.seal_move(self.repository.key_of(known), rotation.id)

    def cookie_max_age(self, unit: UnitOfWork) -> int | None:
        """Seconds that a persistent cookie may live, never beyond the absolute deadline; None if not persistent."""
        wanted, record = unit.cookie_seconds, unit.record
        if wanted is None:
            wanted = self._cookie_max_age
        if not wanted or record is None:
            return None
        left_ms = record.deadline_ms - self.store.clock.now_ms()
        return max(0, min(wanted, left_ms // 1000))

    def cookie_renewal_due(self, unit: UnitOfWork) -> bool:
        """Whether a persistent cookie that uses extend is due to be sent again, a few times in its life (S-33).

        That takes a commit. A cookie sent with every response could undo a login in another tab (S-209).
        """
        age = self._cookie_max_age if unit.cookie_seconds is None else unit.cookie_seconds
        record, uses = unit.record, unit.is_accessed and unit.counts_access and unit.extends_cookie
        if not (age and uses) or record is None or unit.presented.carrier is not BY_COOKIE:
            return False
        if self.store.clock.now_ms() - record.version // 1000 < age * 1000 // _COOKIE_RENEWALS:
            return False
        return self.has_latest_id(unit)

    def has_latest_id(self, unit: UnitOfWork) -> bool:
        """Whether no other response has given the client a new id in place of this one, which is in its grace (S-07).

        An old id in a cookie that is sent again would take the place of the new one.
        """
        return unit.id is not None and unit.record is not None and self.repository.key_of(unit.id) == unit.record.key

    # -- accesses ------------------------------------------------------------------------------------------------------

    def record_access(self, unit: UnitOfWork) -> bool:
        """Count the request as an access, if the session was accessed; a commit has done so already (C-16).

        Returns:
            Whether that is done; otherwise `touch` is to be called.
        """
        record = unit.record
        if record is None or unit.is_committed or not (unit.is_accessed and unit.counts_access):
            return True
        return self._touches is not None and self._touches.note_use(record.key)

    def record_access_of(self, key: SessionKey) -> bool:
        """Count an access to the session with this key; returns as `record_access`."""
        return self._touches is not None and self._touches.note_use(key)

    def must_touch_now(self, unit: UnitOfWork) -> bool:
        """Whether this access must be sent to the store before the response, since later may be too late (K-09)."""
        record = unit.record
        if unit.served_from is not FROM_STORE or unit.is_committed or record is None:
            return False  # a session served from the cache is not that close to its end
        if record.expires_ms >= record.deadline_ms:
            return False
        return self.is_too_late_to_record(record.expires_ms)

    def is_too_late_to_record(self, expires_ms: int) -> bool:
        """Whether an access recorded now may reach the store only after a session with this end has expired (K-09)."""
        return expires_ms - self.store.clock.now_ms() < self._report_delay_ms

    async def touch(self, unit: UnitOfWork) -> None:
        """Record the access in the store now."""
        record = unit.record
        if record is None:
            return
        try:
            await self.store.touch([record.key], deadline=self.repository.deadline())
        except StoreUnavailable as error:
            _log.warning("touch_failed", "sessions could not be touched: %s", error)

    # -- connections that stay open ------------------------------------------------------------------------------------

    async def read_state(
        self, key: SessionKey, known: Seen, *, deadline: float
    ) -> SessionRecord | SessionChanges | None:
        """The store's state of a session with an open connection, as `Store.load`; never starts the store."""
        if self.startup.seal is None:
            raise StoreUnavailable("the manager is closed")
        return await self.store.load(key, since=known, deadline=deadline)


def _report_delay_ms(settings: SessionSettings) -> int:
    """The latest delay of a recorded access, plus the possible error of the store's time."""
    return round(((settings.touch_interval + settings.touch_step).total_seconds() + MARGIN) * 1000)
