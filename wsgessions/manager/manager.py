"""The manager: opens sessions for presented credentials, and commits them.

One per application and process. It handles ids, deadlines and the store, but no HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Unpack

from ..credentials.identity import Identity
from ..credentials.session_id import AnyId
from ..errors import ConfigError
from ..internal.last_resort import write_complete_lines
from ..session import Session
from ..settings import SessionSettings, SettingOverrides, shielded
from ..store.contract import Store
from .all_sessions import AllSessions
from .atomic import AtomicOperations
from .opened_session import OpenedSession, presented_by
from .rejected_ids import OnSuspicious, RejectedIdMonitor
from .request_sessions import RequestSessions
from .startup import StoreStartup
from .statistics import SessionStatistics
from .store_factory import StoreOrClient, open_store, with_store

__all__ = ["SessionManager", "manager_for"]


class SessionManager(AllSessions):
    """Owns the life of the sessions of one application.

    Args:
        settings: the settings; by default those of the environment and the files, see `SessionSettings`.
        store: a store to use instead of the one that ``settings.store_url`` names; or the connection of an existing
            client of the application, see `wsgessions.from_redis`.
        on_suspicious: a synchronous function, called with each malformed, conflicting, oversized or unknown id as a
            `RejectedId` and the client's address, for throttling (S-11). Its exceptions are logged.
        overrides: single settings by name, instead of ``settings``.

    Raises:
        ConfigError: a setting is wrong.
    """

    session_class: ClassVar[type[Session]] = Session
    """The class of the sessions of requests; a subclass may name a session class with further methods."""

    def __init__(
        self,
        settings: SessionSettings | None = None,
        *,
        store: StoreOrClient | None = None,
        on_suspicious: OnSuspicious | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None:
        write_complete_lines()
        given = shielded(SessionSettings, overrides)
        del overrides  # before any possible error, so that no frame shows a secret (S-79)
        given, ready_made = with_store(given, store)
        if settings is None or given:
            settings = SessionSettings.load(settings, given)
        self.settings: SessionSettings = settings
        self.statistics: SessionStatistics = SessionStatistics()
        self.store: Store = open_store(settings) if ready_made is None else ready_made
        self._startup = StoreStartup(self.store, settings, must_start=ready_made is not None)
        monitor = RejectedIdMonitor(self.statistics, on_suspicious)
        repository = AtomicOperations(self._startup, _identity_of(settings), settings, monitor)
        self.requests: RequestSessions = RequestSessions(
            settings, self._startup, repository, monitor, self.session_class
        )
        """The operations of requests on sessions, for the web part and adapters."""

    # -- lifecycle -----------------------------------------------------------------------------------------------------

    async def start(self, *, deadline: float | None = None) -> None:
        """Connect to the store. Optional: the first request that needs the store does it.

        Raises:
            StoreUnavailable: the store cannot be reached.
            ConfigError: the store must not be used as configured.
        """
        await self._startup.ready(deadline or self.requests.repository.deadline(), start_store=True)

    async def close(self) -> None:
        """Disconnect from the store. The manager may be started again, and starts itself when a request needs it."""
        await self._startup.close()

    # -- sessions ------------------------------------------------------------------------------------------------------

    def open(self, session_id: AnyId | None = None) -> OpenedSession:
        """A session outside a request: in a job, a test, a WebSocket of another framework.

        Used with ``async with``. Leaving the block commits; leaving it by an exception drops the changed attributes and
        carries out an invalidation or a rotation.

        Args:
            session_id: as `Session.id` or as text; None, or an id that was never issued, for a new session.
        """
        return OpenedSession(self.requests, presented_by(session_id, self.settings.id_length))


def manager_for(
    manager: SessionManager | None,
    settings: SessionSettings | None,
    overrides: Mapping[str, Any],
    store: StoreOrClient | None = None,
) -> SessionManager:
    """The given manager, or a new one with these settings and this store.

    Raises:
        ConfigError: a setting is wrong, or a manager is given too, so that other arguments would have no effect (R-07).
    """
    if manager is None:
        return SessionManager(settings, store=store, **overrides)
    if settings is not None or overrides or store is not None:
        setting = next(iter(overrides), "settings" if store is None else "store")
        raise ConfigError("a manager is given, which has its own", setting=setting, hint="give one of the two")
    return manager


def _identity_of(settings: SessionSettings) -> Identity:
    pepper = None if settings.pepper is None else settings.pepper.get_secret_value().encode("utf-8", "surrogatepass")
    remembered = settings.clients_remembered
    return Identity(settings.namespace, settings.context_path, pepper=pepper, remembered=remembered)
