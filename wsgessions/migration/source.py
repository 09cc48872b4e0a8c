"""What a source of old sessions has to do."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any, Protocol

from ..web import Scope

__all__ = ["LegacySessions"]


class LegacySessions(Protocol):
    """The sessions that another library has kept. Nothing here ever makes or changes one."""

    def read(self, presented: str, scope: Scope) -> Coroutine[Any, Any, Mapping[str, Any] | None]:
        """The content of a session.

        Args:
            presented: the value of the library's cookie, as the client sent it: anything at all.
            scope: the request's.

        Returns:
            The attributes by name; None for what is not genuine, not there, expired or unreadable.

        Raises:
            StoreUnavailable: it cannot be found out.
        """
        ...

    def remove(self, presented: str) -> Coroutine[Any, Any, None]:
        """Remove a session that was taken over; what is not there is passed over. For a signed cookie nothing is to do.

        Raises:
            StoreUnavailable: it may still be there.
        """
        ...
