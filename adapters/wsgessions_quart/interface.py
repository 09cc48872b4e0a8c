"""Quart's session interface over wsgessions."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, ClassVar, Final, Unpack, cast

from quart import Quart, has_request_context, has_websocket_context, request, websocket
from quart.sessions import SessionInterface, SessionMixin
from quart.signals import appcontext_pushed
from quart.wrappers import Response
from quart.wrappers.base import BaseRequestWebsocket
from werkzeug.wrappers import Response as WerkzeugResponse

from wsgessions import Session, SessionManager, SessionMiddleware, SessionSettings
from wsgessions.errors import StoreUnavailable, WsgessionsError
from wsgessions.manager import StoreOrClient, manager_for, with_store
from wsgessions.session import unit_of
from wsgessions.settings import SettingOverrides, shielded
from wsgessions.settings.framework_words import refuse_cookie_beside
from wsgessions.settings.sources import Sourced
from wsgessions.web import Scope
from wsgessions.web.current_session import follow
from wsgessions.web.foreign_middleware import two_kinds_of_sessions
from wsgessions.web.id_resolver import SessionIdResolver

from .configuration import manager_of, said_of_cookie
from .connections import Inside, ending_with_its_call
from .detached import save_apart
from .session import PERMANENT, QuartSession

__all__ = ["EXTENSION", "WsgessionsSessionInterface"]

EXTENSION: Final = "wsgessions"
"""The key of the manager in ``app.extensions``."""

_logger = logging.getLogger("wsgessions.adapter")


class WsgessionsSessionInterface(SessionInterface):
    """Sessions shared by all servers, behind ``quart.session``.

    ``app.session_interface = WsgessionsSessionInterface()`` is enough: it puts the session middleware around the
    application when the server starts it. `QuartAdapter` does so at once, rejects unsuitable applications, and lets the
    start fail if the store cannot be reached.

    Args:
        settings: the settings; by default those of the environment and the files.
        manager: the manager to use, if applications share one; by default one made from the settings and from the
            application's configuration of the cookie.
        overrides: single settings by name, instead of ``settings``.

    Raises:
        ConfigError: a setting is wrong, or both a manager and settings are given.
    """

    pickle_based: ClassVar[bool] = False  # type: ignore[misc]  # Quart expects a class attribute

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
        given, self._store = with_store(given, store)
        if manager is not None:
            manager_for(manager, settings, given, self._store)  # rejects settings that would have no effect
        elif given:
            settings = SessionSettings.load(settings, given)
        self._settings = settings
        self._overrides = given
        self._given = manager
        appcontext_pushed.connect(self._notice)

    # -- joining an application ----------------------------------------------------------------------------------------

    def join(self, app: Quart) -> SessionManager:
        """Put the session middleware around an application. A second call for the same application does nothing.

        Returns:
            The application's manager, which ``app.extensions["wsgessions"]`` is too.

        Raises:
            ConfigError: a setting is wrong.
        """
        present = app.extensions.get(EXTENSION)
        if isinstance(present, SessionManager):
            return present
        if self._given is not None:
            configured = {
                setting: Sourced(value, "Quart's configuration") for setting, value in said_of_cookie(app).items()
            }
            refuse_cookie_beside(self._given.settings, configured)
        manager = self._given or manager_of(app, self._settings, self._overrides, self._store)
        app.extensions[EXTENSION] = manager
        if "asgi_app" in vars(app):
            follow("wsgessions_quart")  # for the middleware around the application
        app.asgi_http_class = ending_with_its_call(app.asgi_http_class)
        app.asgi_websocket_class = ending_with_its_call(app.asgi_websocket_class)
        check = partial(_refuse_foreign_interface, app)

        async def check_at_start() -> None:
            check()

        app.before_serving_funcs.insert(0, check_at_start)
        inside = Inside(app.asgi_app, app, before=check)  # type: ignore[arg-type]  # Quart's types of ASGI are hypercorn's
        app.asgi_app = SessionMiddleware(inside, manager=manager)  # type: ignore[method-assign,assignment]
        return manager

    async def _notice(self, app: Quart, **_: Any) -> None:
        """An application begins something; the latest occasion is its start by the server."""
        if cast("object", app.session_interface) is self and EXTENSION not in app.extensions:
            manager = self.join(app)
            app.after_serving_funcs.append(manager.close)

    # -- called by Quart -----------------------------------------------------------------------------------------------

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SessionMixin:
        """The session of a request or WebSocket; the middleware has loaded it, if the client has one (R-30)."""
        session = cast("Scope", request.scope).get("session")
        if not isinstance(session, Session):
            session = await _open_apart(self.join(app), request)
        if not isinstance(session, QuartSession):
            session.__class__ = QuartSession  # the same object for all its users, with more methods
        if (to_plain := getattr(app.json, "default", None)) is not None:  # as Quart's own sessions, which are JSON
            unit_of(session).store_too(to_plain)
        return cast("SessionMixin", session)

    async def save_session(
        self, app: Quart, session: SessionMixin, response: Response | WerkzeugResponse | None
    ) -> None:
        """Called by Quart when the handler is done.

        The middleware commits the session when the response is sent, and later changes as well (C-13). Without a
        connection, as in ``session_transaction()`` of the test client, it is committed here.
        """
        if not isinstance(session, QuartSession):
            return
        manager = self.join(app)
        _keep_permanent(app, manager, session)
        scope = _present_scope()
        if scope.get("session") is not session:
            await save_apart(manager, scope, session, response)


def _refuse_foreign_interface(app: Quart) -> None:
    """Look for another session interface, which was put in the place of ours after it had joined (R-50).

    Raises:
        ConfigError: there is one.
    """
    present: object = app.session_interface
    if not isinstance(present, WsgessionsSessionInterface):
        name = f"{type(present).__module__}.{type(present).__qualname__}"
        raise two_kinds_of_sessions(name, hint="do not set app.session_interface after the installation of ours")


def _present_scope() -> Scope:
    """The scope of the connection; outside of one, where only code of tests and scripts saves sessions, a plain one."""
    if has_request_context():
        return cast("Scope", request.scope)
    if has_websocket_context():
        return cast("Scope", websocket.scope)
    return {"type": "http", "method": "GET", "path": "/"}


async def _open_apart(manager: SessionManager, connection: BaseRequestWebsocket) -> Session:
    scope = cast("Scope", connection.scope)
    _, presented = SessionIdResolver(manager.settings).choose(scope.get("headers", ()), scope.get("scheme"))
    session = manager.requests.begin(presented)
    unit = unit_of(session)
    if unit.id is not None and not manager.requests.lookup(session, unit):
        try:
            await manager.requests.repository.load(session)
        except StoreUnavailable as error:
            # There is no error until an access to the session; the session keeps it.
            _logger.warning("a session could not be loaded: %s", error, extra={"event": "load_failed"})
    return session


def _keep_permanent(app: Quart, manager: SessionManager, session: QuartSession) -> None:
    """Give a permanent session its lifetime, in the store and in the browser, if the session was accessed."""
    if not session.accessed:
        return
    try:
        if session.get(PERMANENT):
            lifetime = app.permanent_session_lifetime
            each_request: bool = app.config["SESSION_REFRESH_EACH_REQUEST"]
            unit_of(session).keep_cookie(lifetime, extend=each_request)
            if session.max_inactive_interval != lifetime:
                session.max_inactive_interval = lifetime
        elif PERMANENT in session and session.max_inactive_interval == app.permanent_session_lifetime:
            session.max_inactive_interval = manager.settings.max_inactive_interval or None
    except WsgessionsError as error:
        # The session cannot be used; the access to it raised, and the response will tell the client.
        _logger.debug("a session was left unchanged: %s", error)
