"""WebSockets of Django Channels: their session has Django's methods, as Channels expects of ``scope["session"]``."""

from __future__ import annotations

from typing import Any, Final

from wsgessions import Session, SessionManager
from wsgessions.session import unit_of
from wsgessions.session.changes import BEFORE_RESPONSE, OPEN, READ_ONLY, RESPONSE_STARTED
from wsgessions.web import ASGIApp

from .engine import SessionStore
from .login import USER, bind_on_login

__all__ = ["SocketSession", "routes_sockets_of_channels"]

_INWARD: Final = ("app", "application", "inner")
"""The names under which middleware around a router keeps it."""
_MOST_LAYERS: Final = 100


class SocketSession(SessionStore):
    """The session of a WebSocket, as `SessionStore` has it in a request.

    Once the WebSocket is accepted, its client cannot be told of another id. So from then on `cycle_key`, `flush` and
    `create` take effect at the store at once, as outside of a request: the id of a login is a new one (S-06), which is
    that of this connection only.
    """

    _has_left = False
    """Whether the session goes on without its client."""

    @classmethod
    def of_socket(cls, manager: SessionManager, session: Session) -> SocketSession:
        """The session of a WebSocket that the session middleware has begun.

        Args:
            manager: the manager of the session.
            session: the session.
        """
        return cls.of_request(manager, session, left_out=unit_of(session).record is None)

    @property
    def is_in_request(self) -> bool:
        """Whether the middleware carries out its end and its new id, which it does when the WebSocket is accepted."""
        return super().is_in_request and not self._has_left

    def _get_session(self, no_load: bool = False) -> Session:
        self._leave_client()
        return super()._get_session(no_load)

    async def _aget_session(self, no_load: bool = False) -> Session:
        self._leave_client()
        return await super()._aget_session(no_load)

    _session = property(_get_session)

    def _leave_client(self) -> None:
        unit = unit_of(self.core)
        if unit.phase is RESPONSE_STARTED:
            unit.phase, self._has_left = BEFORE_RESPONSE, True
            unit.is_client_told = False
            if unit.access is READ_ONLY:
                unit.access = OPEN

    def _heed_user(self, changed: str) -> None:
        super()._heed_user(changed)
        if changed == USER:
            bind_on_login(self.core)


def routes_sockets_of_channels(app: ASGIApp) -> bool:
    """Whether an application, or what it is a middleware of, is the router of Channels with WebSockets."""
    at: object = app
    for _ in range(_MOST_LAYERS):
        inside: dict[str, Any] = getattr(at, "__dict__", {})
        if (type(at).__module__, type(at).__name__) == ("channels.routing", "ProtocolTypeRouter"):
            return "websocket" in inside["application_mapping"]
        at = next((inside[name] for name in _INWARD if name in inside), None)
    return False
