"""A session that reports accesses and changes as Starlette's own does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import wsgessions
from wsgessions.internal.masked import forgetful

__all__ = ["Session"]

_MISSING: Final = object()


class Session(wsgessions.Session):
    """A `wsgessions.Session` whose `accessed` and `modified` can be set, as those of Starlette's session.

    `modified` is true after every call that changes a dict, even if the value stays the same; and after a change inside
    a value, which Starlette's does not detect.
    """

    __slots__ = ()

    @property
    def accessed(self) -> bool:
        """Whether the session was accessed during this request."""
        return self._unit.is_accessed

    @accessed.setter
    def accessed(self, value: bool) -> None:
        self._unit.is_accessed = value

    @property
    def modified(self) -> bool:
        """Whether the session was changed, or marked as changed, during this request."""
        return self._unit.is_marked or (self._unit.record is not None and super().modified)

    @modified.setter
    def modified(self, value: bool) -> None:
        self._unit.is_marked = value

    @property
    def marked_modified(self) -> bool:
        """Whether a call has changed the session; costs nothing, and does not detect changes inside values."""
        return self._unit.is_marked

    def mark_modified(self) -> None:
        """Make the response renew the cookie, with or without a change."""
        self._unit.is_accessed = self._unit.is_marked = True

    @forgetful
    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        self.mark_modified()

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.mark_modified()

    def clear(self) -> None:
        """Remove all attributes. A session that is empty when its response starts is ended, and its cookie removed."""
        super().clear()
        self.mark_modified()

    def pop(self, name: str, default: Any = _MISSING) -> Any:
        is_there = name in self
        value = super().pop(name) if default is _MISSING else super().pop(name, default)
        if is_there:
            self.mark_modified()
        return value

    @forgetful
    def setdefault(self, name: str, default: Any = None) -> Any:
        is_there = name in self
        value = super().setdefault(name, default)
        if not is_there:
            self.mark_modified()
        return value

    @forgetful
    def update(self, first: Any = (), fn: Callable[[Any], Any] | None = None, /, **more: Any) -> Awaitable[Any] | None:  # type: ignore[override]
        """As `wsgessions.Session.update`."""
        if fn is not None:
            return super().update(first, fn)
        super().update(first, **more)
        self.mark_modified()
        return None
