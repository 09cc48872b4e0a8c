"""The reports of a server to the supervisor: one JSON object a line on its standard output."""

from __future__ import annotations

import json
import sys
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from wsgessions import Session

__all__ = ["CommitWatch", "report"]

_REMEMBERED: Final = 64

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


def report(event: str, **facts: Any) -> None:
    """Report an event to the supervisor."""
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class CommitWatch:
    """Reports every commit that a request made. Inside the session's own middleware, so that there is a session.

    It reads no part of the session that would count as an access: a request that leaves the session alone stays one.
    """

    def __init__(self, app: App, *, supervised: bool) -> None:
        self.app = app
        self.supervised = supervised
        self._reported: deque[int] = deque(maxlen=_REMEMBERED)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        session = scope.get("session")
        if not self.supervised or not isinstance(session, Session):
            await self.app(scope, receive, send)
            return
        before = session.last_commit
        try:
            await self.app(scope, receive, send)
        finally:
            if session.last_commit != before:
                self._report(session)

    def _report(self, session: Session) -> None:
        last = session.last_commit
        # Requests of one session that overlap see each other's commits.
        if last is None or last.version in self._reported:
            return
        self._reported.append(last.version)
        report(
            "commit",
            session=session.ref,
            changed=last.changed,
            removed=last.removed,
            bytes_sent=last.bytes_sent,
            bytes_whole=last.bytes_whole,
        )
