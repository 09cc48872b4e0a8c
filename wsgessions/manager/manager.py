"""The manager: opens a session for what a client presented, and commits what became of it.

One per application and process. It knows ids, deadlines and the store; it knows nothing of HTTP.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Coroutine, Mapping
from datetime import timedelta
from typing import Any, ClassVar, Unpack

from ..cache.near_cache import MARGIN
from ..credentials.identity import Identity
from ..credentials.presented import ABSENT, PresentedCredentials
from ..credentials.session_id import AnyId
from ..credentials.watermark import WatermarkSeal
from ..errors import ConfigError, SessionClosed, SessionNotLoaded, StoreUnavailable
from ..internal.log_throttle import LogThrottle
from ..record import Seen, SessionChanges, SessionKey, SessionRecord
from ..session import Session
from ..session.owner import FROM_STORE
from ..settings import SessionSettings, SettingOverrides, shielded
from ..store.contract import SecretKeeping, Store, TouchBuffer, find_capability
from .all_sessions import AllSessions
from .atomic import AtomicOperations
from .opened_session import OpenedSession, presented_by
from .rejected_ids import OnSuspicious, RejectedId, RejectedIdMonitor
from .statistics import SessionStatistics
from .store_factory import StoreOrClient, open_store, with_store

__all__ = ["SessionManager", "manager_for"]

_log = LogThrottle(logging.getLogger("wsgessions.manager"))


class SessionManager(AllSessions):
    """Owns the life of the sessions of one application.

    Args:
        settings: the settings; by default those of the environment and the files, see `SessionSettings`.
        store: a store to use instead of the one that ``settings.store_url`` names; or the connection of a client that
            the application has already, see `wsgessions.from_redis`.
        on_suspicious: a plain function, told of each malformed, conflicting, oversized or unknown id as a `RejectedId`
            and the peer's address, for throttling (S-11). What it raises is logged.
        overrides: single settings by name, in place of ``settings``.

    Raises:
        ConfigError: a setting is wrong.
    """

    session_class: ClassVar[type[Session]] = Session
    """What `begin` makes; a subclass for applications that expect more of their sessions names another."""

    def __init__(
        self,
        settings: SessionSettings | None = None,
        *,
        store: StoreOrClient | None = None,
        on_suspicious: OnSuspicious | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None:
        given = shielded(SessionSettings, overrides)
        del overrides  # before anything can fail: no frame shows a secret (S-79)
        given, ready_made = with_store(given, store)
        if settings is None or given:
            settings = SessionSettings.load(settings, given)
        self.settings: SessionSettings = settings
        self.budget: float = settings.nonstop_seconds
        """Seconds that one request may wait for the store, all in all (F-00b)."""
        self.takes_late_changes: bool = settings.late_commit != "refuse"
        """Whether a session may be changed after its response has started (C-13)."""
        self.statistics: SessionStatistics = SessionStatistics()
        self.store: Store = open_store(self.settings) if ready_made is None else ready_made
        identity = _identity_of(self.settings)
        self._suspicions = RejectedIdMonitor(self.statistics, on_suspicious)
        self.owner: AtomicOperations = AtomicOperations(
            self.store, self._ready, identity, self.settings, self._suspicions
        )
        self._report_delay_ms = _report_delay_ms(settings)
        self._noting = find_capability(self.store, TouchBuffer)
        self.renews: bool = settings.renew_interval is not None
        """Whether ids are replaced when they have served for long enough (S-07)."""
        self._hop_check = settings.hop_check
        self._cookie_max_age = settings.cookie.max_age
        self._seal: WatermarkSeal | None = None
        # A store of the factory starts itself at its first use, and finds itself a home that outlives this event loop.
        self._must_start = ready_made is not None

    # -- life ----------------------------------------------------------------------------------------------------------

    async def start(self, *, deadline: float | None = None) -> None:
        """Connect to the store. Not needed: the first request that needs the store does it.

        Raises:
            StoreUnavailable: the store cannot be reached.
            ConfigError: the store must not be used as configured.
        """
        await self._ready(deadline or self.owner.deadline(), start_store=True)

    async def _ready(self, deadline: float, *, start_store: bool = False) -> WatermarkSeal:
        if start_store or self._must_start:
            await self.store.start(deadline=deadline)
            self._must_start = False
        if self._seal is None:
            self._seal = self._sealed_with(await self._watermark_keys(deadline))
        return self._seal

    def _sealed_with(self, keys: list[bytes]) -> WatermarkSeal:
        return WatermarkSeal(keys, remembered=self.settings.clients_remembered)

    async def _watermark_keys(self, deadline: float) -> list[bytes]:
        if self.settings.secrets:
            return [secret.get_secret_value().encode() for secret in self.settings.secrets]
        proposal = secrets.token_bytes(32)
        keeper = find_capability(self.store, SecretKeeping)
        if keeper is None:
            return [proposal]
        secret = await keeper.shared_secret(proposal, deadline=deadline)
        keeper.follow_secret(secret, self._learn_secret)
        return [secret]

    def _learn_secret(self, secret: bytes) -> None:
        """The nodes have agreed on another secret, since the store was emptied (C-25)."""
        if self._seal is not None:
            self._seal = self._sealed_with([secret])

    async def close(self) -> None:
        """Leave the store. The manager may be started again, and starts itself where a request needs it."""
        self._seal, self._must_start = None, True
        await self.store.close()

    # -- sessions ------------------------------------------------------------------------------------------------------

    def open(self, session_id: AnyId | None = None) -> OpenedSession:
        """A session outside a request: in a job, a test, a WebSocket of another framework.

        Use it with ``async with``. Leaving the block commits; leaving it by an exception drops the changed attributes
        and carries out what was invalidated or rotated.

        Args:
            session_id: as `Session.id` or as text; None, or one that was never issued, for a new session.
        """
        return OpenedSession(self, presented_by(session_id, self.settings.id_length))

    def begin(self, presented: PresentedCredentials, *, peer: str | None = None) -> Session:
        """The session for what a client presented, not loaded yet.

        Args:
            presented: what its cookies say.
            peer: its address, for `on_suspicious`.
        """
        session = self.session_class._of(self.owner, presented, peer)
        if presented.id is None and presented.finding is not ABSENT:
            self._suspicions.note(RejectedId(presented.finding.value), peer)
            session._doubt()
        return session

    def recall(self, session: Session) -> bool:
        """Serve a session that was begun with an id from memory: at once, or not at all (C-11)."""
        return self._seal is not None and self.owner.recall(session, self._seal)

    async def load(self, session: Session, *, deadline: float | None = None) -> None:
        """Load a session that was begun with an id.

        Raises:
            StoreUnavailable: the store did not answer. The session raises it again whenever it is touched.
        """
        await self.owner.load(session, deadline=deadline)

    async def read_state(
        self, key: SessionKey, known: Seen, *, deadline: float
    ) -> SessionRecord | SessionChanges | None:
        """What the store has of a session whose connection is open, as `Store.load`; never starts the store."""
        if self._seal is None:
            raise StoreUnavailable("the manager is closed")
        return await self.store.load(key, since=known, deadline=deadline)

    def leave_unloaded(self, session: Session) -> None:
        """Make the session ask for ``await session.load()`` before its first use (R-30)."""
        session._shut(_not_loaded)

    def owns(self, session: Session) -> bool:
        """Whether a session comes from this manager, or from one that keeps the same sessions under the same cookie."""
        return isinstance(session._owner, AtomicOperations) and session._owner.realm == self.owner.realm

    def commit(
        self, session: Session, *, deadline: float | None = None, create: bool = True, renew: bool = False
    ) -> Coroutine[Any, Any, None]:
        """Send what has changed; errors as for `Session.commit`.

        Args:
            session: the session.
            deadline: when to give up; by default the nonstop timeout from now.
            create: whether a new session with something in it may be created.
            renew: whether its id, having served long enough, is replaced (S-07).
        """
        return self.owner.commit(session, deadline=deadline, create=create, renew=renew)

    def renewal_due(self, session: Session) -> bool:
        """Whether the client of this session is to be given a new id, because of the age of the present one (S-07)."""
        return session._followed or self.owner.renewal.due(session)

    def watermark_of(self, session: Session) -> str | None:
        """The watermark that the client should carry from now on, or None if the one it has will do (C-13)."""
        record, carried = session._record, session._carried
        if record is None or self._seal is None:
            return None
        known = carried.version if carried and carried.incarnation == record.incarnation else 0
        hopped = self._hop_check and carried is not None and carried.node != self._seal.node
        if record.version > known or hopped or (record.version < known and session._rolled_back):
            # A client that has followed a move, and got no id for where it led, still needs that move (C-23).
            return None if session._followed else self._seal.seal(record.incarnation, record.version)
        return None

    def move_of(self, session: Session) -> str | None:
        """What the client carries instead of a watermark after a rotation of unknown outcome, else None (C-23)."""
        rotation, known = session._unsettled, session._id
        if rotation is None or known is None or self._seal is None:
            return None
        # It leads on from the id that the client has, which a renewal or another move may have left behind.
        return self._seal.seal_move(self.owner.key_of(known), rotation.id)

    def note_use(self, session: Session) -> bool:
        """Count the request as an access, if the session was looked at; a commit has done so already (C-16).

        Returns:
            Whether that is done; else it is left to `touch`.
        """
        record = session._record
        if record is None or session._committed or not session._accessed:
            return True
        return self._noting is not None and self._noting.note_use(record.key)

    def ends_soon(self, session: Session) -> bool:
        """Whether this use must be told to the store before the response; later, it might be too late (K-09)."""
        record = session._record
        if session._served_from is not FROM_STORE or session._committed or record is None:
            return False  # what comes from memory is not that near its end
        if record.expires_ms >= record.deadline_ms:
            return False
        return self.too_late_to_note(record.expires_ms)

    def too_late_to_note(self, expires_ms: int) -> bool:
        """Whether a use that is noted now may reach the store after a session that ends then (K-09)."""
        return expires_ms - self.store.clock.now_ms() < self._report_delay_ms

    def note_key(self, key: SessionKey) -> bool:
        """Count a use of this session. Returns whether that is done, as `note_use`."""
        return self._noting is not None and self._noting.note_use(key)

    async def touch(self, session: Session) -> None:
        """Count the request as an access at once."""
        record = session._record
        if record is None:
            return
        try:
            await self.store.touch([record.key], deadline=self.owner.deadline())
        except StoreUnavailable as error:
            _log.warning("touch_failed", "sessions could not be touched: %s", error)

    def retire(self, session: Session) -> None:
        """The request is over: the object may not be used any more (R-39)."""
        session._close(_over)

    def discard(self, session: Session) -> None:
        """Forget what was changed and not committed, but for what takes privilege away (R-31)."""
        session._drop_changes()

    def keep_cookie(self, session: Session, lifetime: timedelta | None) -> None:
        """Say how long the cookie of this session lives, where the setting ``cookie.max_age`` says otherwise.

        For this request: frameworks that know such sessions keep the wish among the attributes.

        Args:
            session: the session.
            lifetime: how long; None for as long as the browser runs, which it is told with the next commit.
        """
        session._cookie_seconds = 0 if lifetime is None else max(1, int(lifetime.total_seconds()))

    def cookie_max_age(self, session: Session) -> int | None:
        """Seconds that a persistent cookie may live, never beyond the absolute deadline; None if not persistent."""
        wanted, record = session._cookie_seconds, session._record
        if wanted is None:
            wanted = self._cookie_max_age
        if not wanted or record is None:
            return None
        left_ms = record.deadline_ms - self.store.clock.now_ms()
        return max(0, min(wanted, left_ms // 1000))


def manager_for(
    manager: SessionManager | None,
    settings: SessionSettings | None,
    overrides: Mapping[str, Any],
    store: StoreOrClient | None = None,
) -> SessionManager:
    """The given manager, or a new one of these settings and of this store.

    Raises:
        ConfigError: a setting is wrong, or a manager is given too, so that all else would be without effect (R-07).
    """
    if manager is None:
        return SessionManager(settings, store=store, **overrides)
    if settings is not None or overrides or store is not None:
        setting = next(iter(overrides), "settings" if store is None else "store")
        raise ConfigError("a manager is given, which has its own", setting=setting, hint="give one of the two")
    return manager


def _report_delay_ms(settings: SessionSettings) -> int:
    """How late a use may be reported, and by how much the store's time may be off."""
    return round(((settings.touch_interval + settings.touch_step).total_seconds() + MARGIN) * 1000)


def _identity_of(settings: SessionSettings) -> Identity:
    pepper = None if settings.pepper is None else settings.pepper.get_secret_value().encode("utf-8", "surrogatepass")
    remembered = settings.clients_remembered
    return Identity(settings.namespace, settings.context_path, pepper=pepper, remembered=remembered)


def _not_loaded() -> SessionNotLoaded:
    return SessionNotLoaded("this path is excluded from loading sessions", hint="await session.load() before using it")


def _over() -> SessionClosed:
    return SessionClosed("the request of this session is over", hint="SessionManager.open opens a session by its id")
