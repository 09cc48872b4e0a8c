"""The adapter for Quart."""

from __future__ import annotations

import logging
from typing import ClassVar, TypeVar, Unpack

try:
    from quart import Quart
    from quart.sessions import SecureCookieSessionInterface, SessionInterface
except ModuleNotFoundError as _missing:
    raise ImportError('wsgessions_quart needs Quart: pip install "wsgessions[quart]"') from _missing

from wsgessions import SessionManager, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.framework_versions import FrameworkVersions, check_framework
from wsgessions.manager import StoreOrClient
from wsgessions.settings import SettingOverrides, shielded

from .interface import EXTENSION, WsgessionsSessionInterface

__all__ = ["QuartAdapter"]

AppT = TypeVar("AppT", bound=Quart)

_logger = logging.getLogger("wsgessions.adapter")


class QuartAdapter:
    """Gives a Quart application sessions, as ``quart.session``.

    The session is a `QuartSession`, a dict as before. Each of Quart's ``SESSION_COOKIE_*`` that the project has changed
    applies; the others keep the values of the settings. Arguments are those of `wsgessions.adapter.Adapter`.
    """

    framework: ClassVar[FrameworkVersions | None] = FrameworkVersions("quart", "0.22", tested="0.23")

    def __init__(
        self,
        settings: SessionSettings | None = None,
        *,
        manager: SessionManager | None = None,
        store: StoreOrClient | None = None,
        **overrides: Unpack[SettingOverrides],
    ) -> None:
        given = shielded(SessionSettings, overrides)
        del overrides
        self.interface: WsgessionsSessionInterface = WsgessionsSessionInterface(
            settings, manager=manager, store=store, **given
        )

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is a Quart application."""
        return isinstance(app, Quart)

    def install(self, app: AppT) -> AppT:
        """Put the sessions around the application, and around the middleware that wraps ``app.asgi_app`` already.

        ``app.extensions["wsgessions"]`` is the manager. The application's configuration should be complete.

        Raises:
            ConfigError: a setting is wrong, Quart is too old, the application has a session interface of another kind,
                or a manager is given whose cookie contradicts the application's configuration.
        """
        check_framework(self)
        present: SessionInterface = app.session_interface
        if EXTENSION in app.extensions or isinstance(present, WsgessionsSessionInterface):
            _logger.warning("sessions are installed already; the first ones stay", extra={"event": "installed_twice"})
            return app
        if type(present) is not SecureCookieSessionInterface:
            name = f"{type(present).__module__}.{type(present).__qualname__}"
            raise ConfigError(f"the application has a {name}", setting="adapter", hint="remove it")
        self.interface.join(app)
        app.session_interface = self.interface  # type: ignore[assignment]  # Quart declares its own class there
        return app
