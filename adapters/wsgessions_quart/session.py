"""The session with Quart's methods for sessions."""

from __future__ import annotations

from abc import ABCMeta
from typing import Any, Final, cast

from flask.sessions import SessionMixin
from markupsafe import Markup
from quart import session as current_session

from wsgessions import Session
from wsgessions.errors import ConfigError
from wsgessions.internal.masked import forgetful

__all__ = ["MOST_FLASHES", "PERMANENT", "QuartSession", "get_session"]

PERMANENT: Final = "_permanent"
"""The attribute by which Flask and Quart remember that a session is permanent."""

MOST_FLASHES: Final = 100
"""The number of messages kept for a visitor until they are shown; older ones are dropped."""

_FLASHES: Final = "_flashes"
_REQUIRED: Final = object()
_SAFE: Final = "safe HTML"
"""Marks a message that is safe HTML, behind its category and text. A flashed message is always a pair, so that no
category and no message of a visitor can be the mark."""


class QuartSession(Session):
    """A `wsgessions.Session` that Quart's helpers, extensions and tests can use as they use Quart's own.

    ``new`` is `Session.is_new`. ``modified`` and ``accessed`` report the actual state and may be assigned to without
    effect: changes are found without being announced, nested ones too, and only an access by the application counts;
    Quart itself touches the session at every response (S-40).
    """

    __slots__ = ()

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser, by Quart's ``PERMANENT_SESSION_LIFETIME``. Settable."""
        return bool(self.get(PERMANENT, False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if self.get(PERMANENT) is not bool(value):
            self[PERMANENT] = bool(value)

    @property
    def new(self) -> bool:
        """Whether the session is not in the store yet."""
        return self.is_new

    @property
    def modified(self) -> bool:
        """See `Session.modified`."""
        return self._unit.has_changes(self)

    @modified.setter
    def modified(self, value: bool) -> None:
        """Flask's way to announce a nested change; not needed here."""

    @property
    def accessed(self) -> bool:
        """See `Session.accessed`."""
        return self._unit.is_accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        """Quart's contexts set it for every request."""

    # -- flash() reads a list, appends, and puts it back; get_flashed_messages() pops it -------------------------------

    @forgetful
    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, _marked(value) if name == _FLASHES and isinstance(value, list) else value)

    def get(self, name: str, default: Any = None) -> Any:
        """As `dict.get`."""
        value = super().get(name, default)
        return _unmarked(value) if name == _FLASHES and isinstance(value, list) else value

    def pop(self, name: str, default: Any = _REQUIRED) -> Any:
        """As `dict.pop`."""
        given = () if default is _REQUIRED else (default,)
        if name != _FLASHES:
            return super().pop(name, *given)
        if given and name not in self:
            return default  # a page that shows no message changes nothing
        return _unmarked(super().pop(name, *given))


ABCMeta.register(cast("Any", SessionMixin), QuartSession)


def get_session() -> QuartSession:
    """The same as ``quart.session``, as the object itself and with its type: to await its methods, or to pass it on.

    Raises:
        ConfigError: no session interface of wsgessions is installed.
        RuntimeError: there is no request and no WebSocket now.
    """
    session = cast("Any", current_session)._get_current_object()
    if not isinstance(session, QuartSession):
        raise ConfigError("there is no session", setting="adapter", hint="install(app) comes before the first request")
    return session


def _marked(flashes: list[Any]) -> list[Any]:
    return [
        (flash[0], str(flash[1].__html__()), _SAFE)
        if isinstance(flash, tuple) and len(flash) == 2 and hasattr(flash[1], "__html__")
        else flash
        for flash in flashes[-MOST_FLASHES:]
    ]


def _unmarked(flashes: Any) -> Any:
    return [
        (flash[0], Markup(flash[1]))  # noqa: S704 - it was safe HTML when it was put in
        if isinstance(flash, tuple) and len(flash) == 3 and flash[2] == _SAFE
        else flash
        for flash in flashes
    ]
