"""Old sessions in a dict, which can be seen, held up and made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from wsgessions.errors import StoreUnavailable
from wsgessions.web import Scope

__all__ = ["KeptSessions"]


class KeptSessions:
    """An `LegacySessions`.

    Attributes:
        sessions: what is there, by id.
        reads: the ids that were asked for.
        down: while it is set, every call fails.
        holds: while it is set, removing fails.
        after: awaited after a session was read, before it is answered.
    """

    def __init__(self, **sessions: Mapping[str, Any]) -> None:
        self.sessions = dict(sessions)
        self.reads: list[str] = []
        self.down = False
        self.holds = False
        self.after: Callable[[], Awaitable[object]] = _at_once

    async def read(self, presented: str, scope: Scope) -> Mapping[str, Any] | None:
        self.reads.append(presented)
        if self.down:
            raise StoreUnavailable("the old store is down")
        found = self.sessions.get(presented)
        await self.after()
        return found

    async def remove(self, presented: str) -> None:
        if self.down or self.holds:
            raise StoreUnavailable("the old store is down")
        self.sessions.pop(presented, None)


async def _at_once() -> None:
    await asyncio.sleep(0)
