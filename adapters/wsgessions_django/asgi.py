"""Sessions around an ASGI application that contains Django: lifespan, WebSockets, and the end of a call's tasks."""

from __future__ import annotations

import logging
from typing import Final, Unpack

from asgiref.sync import sync_to_async
from django.conf import settings as django_settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from wsgessions import SessionManager, SessionMiddleware, SessionSettings
from wsgessions.errors import ConfigError
from wsgessions.manager import StoreOrClient, manager_for, with_store
from wsgessions.settings import SettingOverrides, shielded
from wsgessions.web import ASGIApp, Message, Receive, Scope, Send
from wsgessions.web.call_tasks import CallTasks

from .channels import has_channels, with_methods_of_django
from .configuration import check_no_effect, current_manager, settings_of_project, use_manager
from .stock import session_middlewares

__all__ = ["CALL", "Call", "wrap"]

CALL: Final = "wsgessions.django"
"""The key of a scope under which the middleware finds the `Call`."""

_logger = logging.getLogger("wsgessions.adapter")


def wrap(
    app: ASGIApp,
    *,
    settings: SessionSettings | None = None,
    manager: SessionManager | None = None,
    store: StoreOrClient | None = None,
    **overrides: Unpack[SettingOverrides],
) -> ASGIApp:
    """Put sessions around ``get_asgi_application()``, or around an application that routes to it.

    Lifespan events, which Django does not support, are answered here: the start fails if the store cannot be reached,
    and the end closes the manager. WebSockets are passed to the application, with the session in ``scope["session"]``;
    if Channels is a part of the application, that session has Django's methods.

    Args:
        app: the application.
        settings: the settings; by default those of the project, the environment and the files.
        manager: the manager to use, if applications share one.
        store: a store to use, or the connection of an existing client: see `wsgessions.from_redis`.
        overrides: single settings by name, instead of ``settings``.

    Returns:
        The application to serve.

    Raises:
        ConfigError: a setting is wrong, both a manager and settings are given, or the project has Django's own session
            middleware.
    """
    given = shielded(SessionSettings, overrides)
    del overrides
    given, ready_made = with_store(given, store)
    if isinstance(app, SessionMiddleware) and isinstance(app.app, _Inside):
        _logger.warning("sessions are installed already; the first ones stay", extra={"event": "installed_twice"})
        return app
    if django_settings.SESSION_ENGINE == "wsgessions_django" and (stock := session_middlewares()[0]):
        raise ConfigError(
            f"MIDDLEWARE has Django's own session middleware, or one derived from it, {stock[0]}, which would commit a "
            "second time",
            setting="adapter",
            hint='put "wsgessions_django.SessionMiddleware" in its place',
        )
    if manager is not None:
        check_no_effect(manager_for(manager, settings, given, ready_made))
    elif settings is None and ready_made is None and not given:
        manager = current_manager()
    else:
        manager = SessionManager(settings_of_project(settings, given), store=ready_made)
    use_manager(manager)
    return SessionMiddleware(_Inside(app, manager), manager=manager)


class Call:
    """The objects that Django leaves behind when a call of the application fails or is cancelled, as a cut stream is.

    Up to 6.0 these are its tasks (S-54) and the request's body; in all versions the response, which is not closed.

    Args:
        manager: the manager of the sessions around the application.
    """

    __slots__ = ("manager", "request", "response", "tasks")

    def __init__(self, manager: SessionManager) -> None:
        self.manager: SessionManager = manager
        self.request: HttpRequest | None = None
        self.response: HttpResponseBase | None = None
        self.tasks: CallTasks = CallTasks()

    async def tidy(self) -> None:
        """End the tasks of the call, except the calling one, and close what is open."""
        await self.tasks.cancel()
        open_thing = self.response or self.request
        if open_thing is not None and not (self.response is not None and self.response.closed):
            await sync_to_async(open_thing.close)()


class _Inside:
    """The application, as the session middleware of the core calls it."""

    def __init__(self, app: ASGIApp, manager: SessionManager) -> None:
        self.app = app
        self._manager = manager
        self._has_channels = has_channels(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request, WebSocket or lifespan of the application."""
        if scope["type"] == "lifespan":
            await _run_lifespan(self.app, scope, receive, send)
            return
        if self._has_channels:
            scope = with_methods_of_django(scope, self._manager)
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        else:
            scope[CALL] = call = Call(self._manager)

            async def receive_in_call() -> Message:
                call.tasks.enter()
                return await receive()

            async def send_in_call(message: Message) -> None:
                call.tasks.enter()
                await send(message)

            try:
                await self.app(scope, receive_in_call, send_in_call)
            except BaseException:
                await call.tidy()
                raise


async def _run_lifespan(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application's lifespan. One that raises before its first `receive`, as Django does, has none."""
    asked = False

    async def receive_noting() -> Message:
        nonlocal asked
        asked = True
        return await receive()

    try:
        await app(scope, receive_noting, send)
    except Exception:
        if asked:
            raise
        await _answer_lifespan(receive, send)


async def _answer_lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
