"""The middleware: puts a session into the scope of every request. Install it outermost.

The layers: `SessionRequest` (this request) -> `SessionManager` (this application) -> `Session` -> `Store`.
"""

from __future__ import annotations

import logging
import math
from asyncio import current_task
from typing import Final, Unpack

from .errors import ConfigError
from .internal.log_throttle import LogThrottle
from .manager import SessionManager, StoreOrClient, manager_for
from .session import Session, unit_of
from .session.changes import UNTOUCHED
from .settings import SessionSettings, SettingOverrides, shielded
from .web import AnyASGIApp, ASGIApp, Receive, Scope, Send
from .web.current_session import followers, running
from .web.exchange import Exchange
from .web.foreign_middleware import refuse_foreign_middleware
from .web.id_resolver import PLAIN_SCHEMES, SessionIdResolver
from .web.lifespan import run_lifespan
from .web.path_prefixes import PathPrefixes
from .web.session_request import SessionRequest

__all__ = ["SessionMiddleware"]

_WITH_SESSIONS: Final = frozenset({"http", "websocket"})
_UNKNOWN: Final = (None,)

_logger = logging.getLogger("wsgessions.middleware")
_log = LogThrottle(_logger)
_log_once = LogThrottle(_logger, interval=math.inf)


class SessionMiddleware:
    """Gives an ASGI application clustered sessions, as ``scope["session"]``.

    Args:
        app: the application.
        manager: the manager to use; by default one made from the settings.
        settings: the settings; by default those of the environment and the files.
        store: a store to use, or the connection of an existing client: see `wsgessions.from_redis`.
        overrides: single settings by name: ``SessionMiddleware(app, store_url="valkey://localhost")``.

    Raises:
        ConfigError: a setting is wrong, or both a manager and settings are given.
    """

    def __init__(
        self,
        app: AnyASGIApp,
        /,
        *,
        manager: SessionManager | None = None,
        settings: SessionSettings | None = None,
        store: StoreOrClient | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None:
        given = shielded(SessionSettings, overrides)
        del overrides  # before any possible error, so that no frame shows a secret (S-79)
        self.app: ASGIApp = app
        self.manager: SessionManager = manager_for(manager, settings, given, store)
        self.resolver: SessionIdResolver = SessionIdResolver(self.manager.settings)
        self._requests = self.manager.requests
        self._excluded = PathPrefixes(self.manager.settings.exclude)
        self._unstored = PathPrefixes(self.manager.settings.no_store)
        self._looks_at_scope = True
        """Whether a request needs more than its headers: the first one, or each, if there are rules for paths."""
        self._are_layers_known = False
        if self.manager.settings.cookie.insecure:
            _log_once.warning(
                "insecure_cookie",
                "cookie.insecure is set, so an attacker on the network can take over sessions: for plain http "
                "on loopback only",
            )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application.

        No variable has the headers, which error reports would show (S-80).
        """
        kind = scope["type"]
        if kind not in _WITH_SESSIONS or ("session" in scope and self._is_provided(scope)):
            return await self._pass(scope, receive, send)
        requests, resolver, scheme = self._requests, self.resolver, scope.get("scheme")
        method = None if kind == "websocket" else scope.get("method", "")
        if resolver.plain is not None and scheme in PLAIN_SCHEMES:
            resolver, presented = resolver.choose(scope.get("headers", ()), scheme)
        else:
            presented = resolver.read(scope.get("headers", ()))
        address = (scope.get("client") or _UNKNOWN)[0]
        session = requests.begin(presented, address, is_client_told=True, counts_access=method != "OPTIONS")
        unit = unit_of(session)
        if self._looks_at_scope:
            self._look_at_scope(scope, session)
        request = SessionRequest(requests, resolver, presented, session, unit, method, scope, requests.budget)
        if unit.id is not None and unit.access is UNTOUCHED and not requests.lookup(session, unit):
            await request.load()
        scope["session"] = session
        exchange = Exchange(request, scope, send, current_task())
        if followers:
            running.set(exchange)
        receive = exchange.receiving(receive) if method is None else receive
        try:
            await self.app(scope, receive, exchange.send)
        except BaseException as error:  # noqa: BLE001 - it is raised again, or turned into an error response
            await exchange.conclude(error)
        else:
            if not exchange.finish():
                await exchange.conclude(None)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run what needs no session of its own."""
        if scope["type"] == "lifespan":
            await run_lifespan(self.manager, self.app, scope, receive, send, before=lambda: self._check_layers(scope))
        else:
            await self.app(scope, receive, send)

    def _check_layers(self, scope: Scope) -> None:
        """R-50: all layers are there when the lifespan or the first request begins."""
        refuse_foreign_middleware(scope.get("app"), self.app, host=getattr(self.app, "__self__", None))
        self._are_layers_known = True
        self._looks_at_scope = bool(self.manager.settings.exclude or self.manager.settings.no_store)

    def _look_at_scope(self, scope: Scope, session: Session) -> None:
        """Check the layers, if this is the first request, and apply the settings ``exclude`` and ``no_store``."""
        if not self._are_layers_known:
            self._check_layers(scope)
        unit, path = unit_of(session), (scope["path"], scope.get("root_path", ""))
        unit.is_uncacheable = self._unstored.hold(*path)
        if unit.id is not None and self._excluded.hold(*path):
            unit.defer_load(session)

    def _is_provided(self, scope: Scope) -> bool:
        """Whether an outer middleware has put the same session into the scope already (R-49, R-50)."""
        present = scope.get("session")
        if present is None:
            return False
        if not isinstance(present, Session):
            raise ConfigError(
                f'scope["session"] is taken by a {type(present).__module__}.{type(present).__qualname__}',
                setting="adapter",
                hint="remove the other session middleware",
            )
        shared = self._requests.owns(present)
        if shared:
            _log.warning("installed_twice", "the session middleware is installed twice; only the outer one acts")
        return shared
