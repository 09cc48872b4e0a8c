"""The adapter for Starlette, and for frameworks based on it."""

from __future__ import annotations

import logging
from typing import ClassVar, TypeVar, Unpack

try:
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.types import ASGIApp
except ModuleNotFoundError as _missing:
    raise ImportError('wsgessions_starlette needs Starlette: pip install "wsgessions[starlette]"') from _missing

from wsgessions import SessionManager, SessionMiddleware, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.framework_versions import FrameworkVersions, check_framework
from wsgessions.manager import StoreOrClient, manager_for
from wsgessions.settings import SettingOverrides, shielded
from wsgessions.web.inner_middleware import InnerSessionMiddleware

__all__ = ["StarletteAdapter"]

AppT = TypeVar("AppT", bound=Starlette)

_logger = logging.getLogger("wsgessions.adapter")


class StarletteAdapter:
    """Gives a Starlette application sessions, as ``request.session`` and ``websocket.session``.

    ``request.session`` is a `wsgessions.Session`, a dict as before; using it counts as an access, so that the response
    carries ``Vary: Cookie`` (S-40). Arguments are those of `wsgessions.adapter.Adapter`.
    """

    framework: ClassVar[FrameworkVersions | None] = FrameworkVersions("starlette", "1.0", tested="1.10", before="2")
    """The versions that it supports."""

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
        self.manager: SessionManager = manager_for(manager, settings, given, store)

    @classmethod
    def fits(cls, app: object) -> bool:
        """Whether ``app`` is a Starlette application."""
        return isinstance(app, Starlette)

    def install(self, app: AppT) -> AppT:
        """Install the middleware outside of all that the application adds, before or after this call.

        Only Starlette's own handling of server errors stays outside of it. The application's middleware sees the
        headers of the session; that of single routes and mounts does not. ``app.state.wsgessions`` is the manager.

        Raises:
            ConfigError: the application has started already, or has another session middleware; the framework's version
                is not supported.
        """
        check_framework(self)
        if hasattr(app.state, "wsgessions"):
            _logger.warning("sessions are installed already; the first ones stay", extra={"event": "installed_twice"})
            return app
        if app.middleware_stack is not None:
            raise ConfigError(
                "the application has started already", setting="adapter", hint="install the sessions before its start"
            )
        app.state.wsgessions = self.manager
        _put_outermost(app, Middleware(SessionMiddleware, manager=self.manager))
        return app


def _put_outermost(app: Starlette, ours: Middleware) -> None:
    build, innermost = app.build_middleware_stack, Middleware(InnerSessionMiddleware)

    def build_middleware_stack() -> ASGIApp:
        others = [entry for entry in app.user_middleware if entry is not ours and entry is not innermost]
        # The layers between, caches above all, see the headers of the session in the response (S-40).
        app.user_middleware[:] = [ours, *others, innermost] if others else [ours]
        return build()

    # Starlette builds the stack when it starts. Middleware added by add_middleware until then would be outside.
    app.build_middleware_stack = build_middleware_stack  # type: ignore[method-assign]
