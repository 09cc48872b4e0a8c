"""Commits changes after the headers were sent: in a stream, in background work, by a WebSocket (C-13).

The browser has no watermark of them, so other nodes may show them a moment later; ``late_commit = "barrier"`` waits
until no server can show the previous state.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ..errors import StoreUnavailable
from ..internal.log_throttle import LogThrottle
from ..session import unit_of
from ..session.unit_of_work import too_late_to_change

if TYPE_CHECKING:
    from ..manager.request_sessions import RequestSessions
    from ..session import Session

__all__ = ["commit_late", "keep_changes"]

_log: Final = LogThrottle(logging.getLogger("wsgessions.connections"))


async def commit_late(requests: RequestSessions, session: Session, *, refuses: bool = False) -> None:
    """Commit; a session cannot be created any more.

    Args:
        requests: the operations on sessions of requests.
        session: the session.
        refuses: whether the headers were sent and ``late_commit = "refuse"`` is set.

    Raises:
        SessionClosed: it has changed, and that is not permitted.
        WsgessionsError: as `Session.commit`.
    """
    unit = unit_of(session)
    if refuses and unit.record is not None and unit.has_changes(session):
        raise too_late_to_change()
    before = unit.record
    await requests.repository.commit(session, create=False)
    if requests.settings.late_commit == "barrier" and unit.record is not before:
        await requests.repository.barrier(requests.repository.deadline())


async def keep_changes(requests: RequestSessions, session: Session) -> None:
    """Commit the changes while a WebSocket is open: before it sends, and when it asks for a message (R-42).

    While the store cannot be reached the changes are kept, and are sent with those of a later message, or at the end.

    Raises:
        WsgessionsError: as `Session.commit`, but for `StoreUnavailable`.
    """
    unit = unit_of(session)
    if not unit.is_pending:
        return
    try:
        await commit_late(requests, session, refuses=not requests.takes_late_changes)
    except StoreUnavailable as error:
        unit.store_error = None
        _log.warning("changes_not_kept", "the changes of a WebSocket will be sent again: %s", error)
