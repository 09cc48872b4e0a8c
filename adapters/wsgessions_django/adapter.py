"""The adapter for Django."""

from __future__ import annotations

from typing import ClassVar, Unpack

try:
    from django.core.handlers.asgi import ASGIHandler
    from django.core.handlers.wsgi import WSGIHandler
except ModuleNotFoundError as _missing:
    raise ImportError('wsgessions_django needs Django: pip install "wsgessions[django]"') from _missing

from wsgessions import SessionManager, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.framework_versions import FrameworkVersions, check_framework
from wsgessions.manager import StoreOrClient, manager_for
from wsgessions.settings import SettingOverrides, shielded
from wsgessions.web import ASGIApp

from .asgi import wrap

__all__ = ["DjangoAdapter"]


class DjangoAdapter:
    """Gives a Django project sessions, as ``request.session``, when it is served by ASGI.

    The project sets ``SESSION_ENGINE = "wsgessions_django"``, and has ``"wsgessions_django.SessionMiddleware"`` in
    ``MIDDLEWARE`` in place of Django's own. Arguments are those of `wsgessions.adapter.Adapter`; settings that they do
    not give come from the project's settings, see `wsgessions_django.configuration`.
    """

    framework: ClassVar[FrameworkVersions | None] = FrameworkVersions("django", "5.2", tested="6.1")

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
        if manager is not None:
            manager_for(manager, settings, given, store)  # rejects settings that would have no effect
        self._settings = settings
        self._manager = manager
        self._store = store
        self._overrides = given

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is an application made by ``get_asgi_application()``."""
        return isinstance(app, ASGIHandler)

    def install(self, app: ASGIApp) -> ASGIApp:
        """Put the sessions around an application; see `wsgessions_django.asgi.wrap`.

        Raises:
            ConfigError: as for `wrap`; Django is too old; or the application is a WSGI application.
        """
        check_framework(self)
        if isinstance(app, WSGIHandler):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every project checks types
            raise ConfigError(
                "a WSGI application cannot be wrapped",
                setting="adapter",
                hint="pass get_asgi_application(); under WSGI the middleware in MIDDLEWARE is enough",
            )
        return wrap(app, settings=self._settings, manager=self._manager, store=self._store, **self._overrides)
