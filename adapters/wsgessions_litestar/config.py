"""The configuration: Litestar's own for server-side sessions, filled from the settings of wsgessions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from litestar import Litestar
from litestar.exceptions import ImproperlyConfiguredException
from litestar.handlers import BaseRouteHandler
from litestar.middleware.base import DefineMiddleware

from wsgessions import SessionManager, SessionMiddleware, SessionSettings
from wsgessions.errors import ConfigError, WsgessionsError
from wsgessions.settings.framework_words import cookie_of, lifetimes_for
from wsgessions.web import ASGIApp, Receive, Scope, Send
from wsgessions.web.lifespan import start_manager

from .backend import WsgessionsSessionBackend
from .documents import SessionDocuments
from .foreign_middleware import refuse_foreign_middleware, refuse_foreign_middleware_of_routes
from .middleware import WsgessionsSessionMiddleware
from .sessions_config import SessionsConfig

__all__ = ["WsgessionsSessionConfig"]

_OF_SETTINGS: Final[Any] = object()
"""Stands for the value of the settings until the configuration is made."""
_COOKIE: Final = {"key": "name", "path": "path", "domain": "domain", "httponly": "httponly", "samesite": "samesite"}
"""Fields, and the settings of the cookie with the same meaning."""
_SHAPING: Final = frozenset({*_COOKIE, "max_age", "secure", "session_id_bytes"})
_BITS_PER_CHARACTER: Final = 6
"""Of an id."""


@dataclass
class WsgessionsSessionConfig(SessionsConfig):
    """Litestar's configuration of sessions, for sessions of wsgessions.

    Fields may be changed later, too; those of the cookie take effect from the next request on. An unchanged field has
    the value of the settings, so that servers of other frameworks, with the same settings, share the cookie; a value
    that the application sets wins. ``secure=False`` means ``cookie.insecure``, for plain http on loopback. ``store``
    and ``renew_on_access`` have no effect: the settings name the store, and each access extends a session.

    Raises:
        ImproperlyConfiguredException: a field is wrong, or contradicts another.
    """

    _backend_class = WsgessionsSessionBackend  # type: ignore[assignment]  # bound to this class

    key: str = field(default=_OF_SETTINGS)
    """The name of the id cookie, 1 to 100 characters; `__Host-sid` unless the settings say otherwise."""
    max_age: int = field(default=_OF_SETTINGS)
    """Seconds. If set, the browser keeps the cookie that long, and a session may be idle that long; beyond 24 hours an
    `absolute_timeout` that is not set becomes 400 days. If unchanged, it shows the idle timeout."""
    path: str = field(default=_OF_SETTINGS)
    """The path below which the browser sends the cookie."""
    domain: str | None = field(default=_OF_SETTINGS)
    """The domain whose hosts all receive the cookie."""
    secure: bool = field(default=_OF_SETTINGS)
    """Whether the browser sends the cookie over TLS only."""
    httponly: bool = field(default=_OF_SETTINGS)
    """Whether scripts in the page are kept from reading the cookie."""
    samesite: Literal["lax", "strict", "none", "off"] = field(default=_OF_SETTINGS)  # type: ignore[assignment]
    """Whether requests that come from other sites carry the cookie; ``"off"`` or False leaves that to the browser."""
    session_id_bytes: int = field(default=_OF_SETTINGS)
    """Random bytes of an id, 18 to 64; 32 unless the settings say otherwise."""
    settings: SessionSettings | None = field(default=None, repr=False)
    """The settings; by default those of the environment and the files."""
    manager: SessionManager | None = field(default=None, repr=False)
    """A manager to share with other applications. Its settings apply, and fields that contradict them are errors."""

    def __post_init__(self) -> None:
        given = {name for name in _SHAPING if getattr(self, name) is not _OF_SETTINGS}
        self._base = _changed(self.settings, {}) if self.manager is None else self.manager.settings
        self._shown = _shown(self._base)
        for name in _SHAPING - given:
            setattr(self, name, self._shown[name])
        super().__post_init__()
        self._made = self.manager
        self._shape()

    def __setattr__(self, name: str, value: Any) -> None:
        if "_core" not in self.__dict__ or name.startswith("_"):  # while it is being made
            super().__setattr__(name, value)
            return
        if name in {"settings", "manager"}:
            raise ImproperlyConfiguredException(f"{name} can be set only when the configuration is made")
        before = dict(self.__dict__)
        super().__setattr__(name, value)
        try:
            super().__post_init__()
            self._shape()
        except ImproperlyConfiguredException:
            for changed, old in before.items():
                super().__setattr__(changed, old)
            raise

    def _shape(self) -> None:
        """Bring the settings in line with the changed fields, and the unchanged fields in line with the settings."""
        changed = {name: getattr(self, name) for name in _SHAPING if getattr(self, name) != self._shown[name]}
        if changed and self.manager is not None:
            raise ImproperlyConfiguredException(f"a manager is given, which has its own {', '.join(sorted(changed))}")
        self._effective = _changed(self._base, _overrides(changed, self._base))
        self._core: SessionMiddleware | None = None
        for name, value in _shown(self._effective).items():
            if name not in changed:
                super().__setattr__(name, value)
                self._shown[name] = value

    # -- for the other parts of the adapter ----------------------------------------------------------------------------

    @property
    def middleware(self) -> DefineMiddleware:
        """For the ``middleware`` of an application, router, controller or handler. `LitestarAdapter` adds it."""
        return DefineMiddleware(WsgessionsSessionMiddleware, backend=self._backend_class(config=self))

    @property
    def session_manager(self) -> SessionManager:
        """The manager of these sessions; all objects made from this configuration share it."""
        if self._made is None:
            self._made = SessionManager(self._effective)
        elif self.manager is None and self._made.settings is not self._effective:
            self._made = SessionManager(self._effective, store=self._made.store)
        return self._made

    @property
    def core(self) -> SessionMiddleware:
        """The core's middleware around no application, to be copied. A new one after each change."""
        if self._core is None:
            self._core = SessionMiddleware(_nothing, manager=self.session_manager)
        return self._core

    def core_around(self, app: ASGIApp) -> SessionMiddleware:
        """The core's middleware around an application."""
        core = copy(self.core)
        core.app = app
        return core

    def check_route(self, handler: BaseRouteHandler) -> None:
        """Look for another session middleware around a handler, also where no lifespan has done so.

        Raises:
            ConfigError: there is one.
        """
        refuse_foreign_middleware(handler.resolve_middleware())

    def get_store_from_app(self, app: Litestar) -> SessionDocuments:
        """The sessions as a store of Litestar, whatever ``store`` names: the settings name the store."""
        return SessionDocuments(self.session_manager)

    @asynccontextmanager
    async def lifespan(self, app: Litestar) -> AsyncGenerator[None]:
        """For the ``lifespan`` of an application: connects first, disconnects last. `LitestarAdapter` adds it.

        Raises:
            StoreUnavailable: the store cannot be reached.
            ConfigError: the store must not be used as configured, or a route has another session middleware too.
        """
        try:
            await self._start(app)
            yield
        finally:
            await self.session_manager.close()

    async def _start(self, app: Litestar) -> None:
        try:
            refuse_foreign_middleware_of_routes(app)
            await start_manager(self.session_manager)
        except WsgessionsError as error:
            error.add_note(f"wsgessions could not start: {error}")  # Litestar passes the whole traceback to the server
            raise


def _shown(settings: SessionSettings) -> dict[str, Any]:
    """The fields with the values of these settings."""
    cookie = settings.cookie
    idle_ms = settings.interval_ms or settings.lifetime_ms
    shown = {field: getattr(cookie, setting) for field, setting in _COOKIE.items()}
    age = idle_ms // 1000 if cookie.max_age is None else cookie.max_age
    return shown | {
        "max_age": max(1, age),
        "secure": cookie.secure,
        "session_id_bytes": settings.id_length * _BITS_PER_CHARACTER // 8,
    }


def _overrides(changed: dict[str, Any], base: SessionSettings) -> dict[str, Any]:
    """The settings that the changed fields mean."""
    said = {setting: changed[field] for field, setting in _COOKIE.items() if field in changed}
    overrides: dict[str, Any] = {}
    if "secure" in changed:
        said["insecure"] = not changed["secure"]
    cookie = cookie_of(said, base, names=False)
    if "max_age" in changed:
        idle, absolute = lifetimes_for(timedelta(seconds=changed["max_age"]), base)
        overrides["max_inactive_interval"] = idle
        if absolute != base.absolute_timeout:
            overrides["absolute_timeout"] = absolute
        cookie["max_age"] = min(changed["max_age"], int(absolute.total_seconds()))
    if "session_id_bytes" in changed:
        overrides["id_length"] = -(-changed["session_id_bytes"] * 8 // _BITS_PER_CHARACTER)
    return overrides | ({"cookie": cookie} if cookie else {})


def _changed(base: SessionSettings | None, changes: dict[str, Any]) -> SessionSettings:
    if base is not None and not changes:
        return base
    try:
        return SessionSettings.load(base, changes)
    except ConfigError as error:
        raise ImproperlyConfiguredException(str(error)) from error


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """The application inside the core's middleware until it is copied."""
