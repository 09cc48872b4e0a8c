"""Objects that applications put in place of the session: ``clear_session()`` and ``set_session(...)`` of Litestar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from litestar.middleware.session.base import BaseSessionBackend
from litestar.types import Empty, Scope
from litestar.utils.scope.state import ScopeState

from wsgessions import Session

__all__ = ["Replacement", "refill"]


class Replacement:
    """Applies the object in ``scope["session"]`` to the session of this connection.

    `Empty`, which `clear_session` puts there, ends the session. Anything else becomes the session's content; after a
    `clear_session`, that of a new session with a new id.

    Args:
        scope: the scope of the connection, with the session in it.
        session: that session.
    """

    __slots__ = ("_scope", "_seen", "_session")

    def __init__(self, scope: Any, session: Session) -> None:
        self._scope = scope
        self._session = session
        self._seen: object = session

    def take_over(self) -> None:
        """Apply the object that is in the scope now.

        Raises:
            CodecError: the replacement contains a value that cannot be stored.
            SessionClosed: the response has started, and the client holds no id.
        """
        value: Any = self._scope.get("session")
        if value is self._seen:
            return
        if value is Empty or value is None:
            self._seen = value
            self._session.invalidate()
            return
        if self._seen is not Empty and ScopeState.from_scope(self._scope).session_id is Empty:
            self._session.invalidate()
        refill(self._session, value, self._scope)
        self._scope["session"] = self._seen = self._session


def refill(session: Session, value: Any, scope: Scope) -> None:
    """Give a session this content. Unchanged attributes are not sent to the store.

    Args:
        session: the session.
        value: a mapping, or an instance of a model class that the application can encode.
        scope: the scope with the ``type_encoders`` to use.

    Raises:
        TypeError: the value is neither a mapping nor a model with fields.
        CodecError: a value in it cannot be stored.
    """
    if isinstance(value, Mapping):
        content = dict(value)
    else:
        content = BaseSessionBackend.deserialize_data(BaseSessionBackend.serialize_data(value, scope))
        if not isinstance(content, dict):  # pyright: ignore[reportUnnecessaryIsInstance]  # declared, not checked
            raise TypeError(f"a session is a mapping or a model with fields, not a {type(value).__name__}")
    for name in [name for name in session if name not in content]:
        del session[name]
    session.update(content)
