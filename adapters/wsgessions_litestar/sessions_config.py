"""The part of a configuration that its backend and its middleware use."""

from __future__ import annotations

from abc import abstractmethod

from litestar.handlers import BaseRouteHandler
from litestar.middleware.session.server_side import ServerSideSessionConfig

from wsgessions import SessionManager, SessionMiddleware
from wsgessions.web import ASGIApp

__all__ = ["SessionsConfig"]


class SessionsConfig(ServerSideSessionConfig):
    """A configuration of Litestar with a manager of sessions; `WsgessionsSessionConfig` is the one that there is."""

    @property
    @abstractmethod
    def session_manager(self) -> SessionManager:
        """The manager of these sessions; all objects made from this configuration share it."""

    @property
    @abstractmethod
    def core(self) -> SessionMiddleware:
        """The core's middleware around no application, to be copied. A new one after each change."""

    @abstractmethod
    def core_around(self, app: ASGIApp) -> SessionMiddleware:
        """The core's middleware around an application."""

    @abstractmethod
    def check_route(self, handler: BaseRouteHandler) -> None:
        """Look for another session middleware around a handler.

        Raises:
            ConfigError: there is one.
        """
