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

    The project has ``SESSION_ENGINE = "wsgessions_django"``, and ``"wsgessions_django.SessionMiddleware"`` where
    Django's own stood in ``MIDDLEWARE``. Arguments are those of `wsgessions.adapter.Adapter`; what they leave open the
    project's settings say, see `wsgessions_django.configuration`.
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
            manager_for(manager, settings, given, store)  # refuses settings that would be without effect
        self._settings = settings
        self._manager = manager
        self._store = store
        self._overrides = given

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is what ``get_asgi_application()`` makes."""
        return isinstance(app, ASGIHandler)

    def install(self, app: ASGIApp) -> ASGIApp:
        """Put the sessions around an application; see `wsgessions_django.asgi.wrap`.

        Raises:
            ConfigError: as `wrap` says; Django is too old; or the application is one of WSGI.
        """
        check_framework(self)
        if isinstance(app, WSGIHandler):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every project checks types
            raise ConfigError(
                "an application of WSGI cannot be wrapped",
                setting="adapter",
                hint="give get_asgi_application(); under WSGI the middleware in MIDDLEWARE does all there is to do",
            )
        return wrap(app, settings=self._settings, manager=self._manager, store=self._store, **self._overrides)
