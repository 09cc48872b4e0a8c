"""Django Channels: its middleware and consumers expect a session with Django's methods in ``scope["session"]``."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType, ModuleType
from typing import Any, Final, cast

from wsgessions import Session, SessionManager
from wsgessions.session import unit_of
from wsgessions.session.changes import BEFORE_RESPONSE, OPEN, READ_ONLY, RESPONSE_STARTED
from wsgessions.web import Scope

from .engine import SessionStore
from .login import USER, bind_on_login

__all__ = ["has_channels", "with_methods_of_django"]

_MOST_PARTS: Final = 20_000


class ConsumerSession(SessionStore):
    """The session of an HTTP request that a consumer of Channels may answer: no middleware of Django's is around it."""

    def _heed_user(self, changed: str) -> None:
        super()._heed_user(changed)
        if changed == USER:
            bind_on_login(self.core)


class SocketSession(ConsumerSession):
    """The session of a WebSocket.

    Once the WebSocket is accepted, its client cannot be told of another id. So from then on `cycle_key`, `flush` and
    `create` take effect at the store at once, as outside of a request: the id of a login is a new one (S-06), which is
    that of this connection only.
    """

    _has_left = False
    """Whether the session goes on without its client."""

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


def with_methods_of_django(scope: Scope, manager: SessionManager) -> Scope:
    """A copy of a scope in which the session that our middleware has begun has Django's methods.

    Args:
        scope: of a request or a WebSocket.
        manager: the manager of the session.
    """
    session = scope["session"]
    kind = SocketSession if scope["type"] == "websocket" else ConsumerSession
    return {**scope, "session": kind.of_request(manager, session, left_out=unit_of(session).record is None)}


def has_channels(app: object) -> bool:
    """Whether a router, a middleware or a consumer of Channels is a part of an application.

    It is looked for, since Channels need not be installed.

    Args:
        app: the application, in any layers of middleware and routers.
    """
    if "channels" not in sys.modules:
        return False
    seen: set[int] = set()
    todo = [app]
    while todo and len(seen) < _MOST_PARTS:
        part = todo.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        kind = cast("type[object]", part) if issubclass(type(part), type) else type(part)
        packages = {base.__module__.partition(".")[0] for base in kind.__mro__}
        if "channels" in packages:
            return True
        if "django" not in packages:  # a project may have Channels without serving it
            todo += _parts_of(part)
    return False


def _parts_of(thing: Any) -> Iterable[Any]:
    """What an object keeps itself.

    No property is asked, not even for the class, as `isinstance` does: with lazy objects it would do something.
    """
    kind = type(cast("object", thing))
    if issubclass(kind, dict):
        return list(dict[Any, Any].values(thing))
    if issubclass(kind, (list, tuple)):
        return list(thing)
    if kind is MethodType:
        return (thing.__self__,)
    if issubclass(kind, partial):
        return (thing.func, *thing.args, *thing.keywords.values())
    if issubclass(kind, (type, ModuleType)):
        return ()
    kept = list(_attributes_of(thing))
    if kind is FunctionType:
        for cell in thing.__closure__ or ():
            with suppress(ValueError):  # it is empty
                kept.append(cell.cell_contents)
    return kept


def _attributes_of(thing: object) -> Iterable[Any]:
    try:
        attributes: dict[str, Any] = object.__getattribute__(thing, "__dict__")
    except AttributeError:
        return ()
    return attributes.values()
