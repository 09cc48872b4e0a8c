"""The adapter for Litestar."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, ClassVar, Unpack

try:
    from litestar import Litestar
    from litestar.config.app import AppConfig
    from litestar.middleware.base import DefineMiddleware
    from litestar.plugins import InitPlugin
except ModuleNotFoundError as _missing:
    raise ImportError('wsgessions_litestar needs Litestar: pip install "wsgessions[litestar]"') from _missing

from wsgessions import SessionManager, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.framework_versions import FrameworkVersions, check_framework
from wsgessions.manager import StoreOrClient, manager_for
from wsgessions.settings import SettingOverrides, shielded

from .config import WsgessionsSessionConfig
from .foreign_middleware import refuse_foreign_middleware
from .middleware import WsgessionsInnerMiddleware

__all__ = ["LitestarAdapter"]

_logger = logging.getLogger("wsgessions.adapter")


class LitestarAdapter(InitPlugin):
    """Gives a Litestar application sessions, as ``request.session`` and ``socket.session``.

    It is a plugin: ``Litestar(..., plugins=[LitestarAdapter()])``. For an existing application there is `install`. Both
    put the sessions outside of all other middleware of the application's routes, of which the application's own sees
    the headers of the session; register the lifespan; and set ``app.state.wsgessions`` to the manager. Arguments are
    those of `wsgessions.adapter.Adapter`, and:

    Args:
        config: a configuration to use, instead of the other arguments.

    Raises:
        ConfigError: a setting is wrong, two arguments contradict each other, or Litestar is too old.
    """

    framework: ClassVar[FrameworkVersions | None] = FrameworkVersions("litestar", "2.19", tested="2.25", before="3")

    def __init__(
        self,
        settings: SessionSettings | None = None,
        *,
        manager: SessionManager | None = None,
        store: StoreOrClient | None = None,
        config: WsgessionsSessionConfig | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None:
        given = shielded(SessionSettings, overrides)
        del overrides
        check_framework(self)
        if config is None:
            config = WsgessionsSessionConfig(manager=manager_for(manager, settings, given, store))
        elif settings is not None or manager is not None or store is not None or given:
            raise ConfigError(
                "a configuration is given, which has its own", setting="settings", hint="give one of the two"
            )
        self.config: WsgessionsSessionConfig = config

    @property
    def manager(self) -> SessionManager:
        """The manager of the sessions."""
        return self.config.session_manager

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is a Litestar application."""
        return isinstance(app, Litestar)

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the sessions to an application that is being made. Litestar calls this.

        Raises:
            ConfigError: the application has another session middleware.
        """
        if self._is_new(app_config.state, app_config.middleware):
            app_config.state["wsgessions"] = self.manager
            _put_around(app_config.middleware, self.config.middleware)
            app_config.lifespan.insert(0, self.config.lifespan)
        return app_config

    def install(self, app: Litestar) -> Litestar:
        """Add the sessions to an existing application. It may have routes; more may be added.

        Raises:
            ConfigError: the application has another session middleware.
        """
        if self._is_new(app.state, app.middleware):
            app.state["wsgessions"] = self.manager
            _put_around(app.middleware, self.config.middleware)
            app._lifespan_managers.insert(0, self.config.lifespan)
            _route_anew(app)
        return app

    def _is_new(self, state: Any, middleware: Iterable[Any]) -> bool:
        if "wsgessions" in state:
            _logger.warning("sessions are installed already; the first ones stay", extra={"event": "installed_twice"})
            return False
        refuse_foreign_middleware(middleware)
        return True


def _put_around(entries: list[Any], ours: DefineMiddleware) -> None:
    if entries:  # they see the headers of the session on their way out (S-40)
        entries.append(DefineMiddleware(WsgessionsInnerMiddleware))
    entries.insert(0, ours)


def _route_anew(app: Litestar) -> None:
    """Rebuild the middleware stack of each route, which Litestar built when the route was registered."""
    router = app.asgi_router
    router._registered_routes.clear()
    router.handle_routing.cache_clear()
    router.construct_routing_trie()
