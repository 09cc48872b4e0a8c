"""The interface of a source of old sessions."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from ..web import Scope

__all__ = ["LegacySessions"]


class LegacySessions(Protocol):
    """The sessions that another library has kept. A source never creates or changes one."""

    def read(self, presented: str, scope: Scope) -> Coroutine[Any, Any, Mapping[str, Any] | None]:
        """The content of a session.

        Args:
            presented: the value of the library's cookie, as the client sent it: any text.
            scope: the request's.

        Returns:
            The attributes by name; None if the session is not genuine, missing, expired or unreadable.

        Raises:
            StoreUnavailable: the session cannot be read.
        """
        ...

    def remove(self, presented: str) -> Coroutine[Any, Any, None]:
        """Remove a migrated session; a missing one is no error. For a signed cookie there is nothing to do.

        Raises:
            StoreUnavailable: it may still be there.
        """
        ...
