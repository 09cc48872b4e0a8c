"""A live session as a page shows it: no id, and nothing that could break the page."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from wsgessions import Session
from wsgessions.errors import CodecError
from wsgessions.manager import LiveSession

from .devices import USER_AGENT

__all__ = ["Row", "rows_of"]


class Row(NamedTuple):
    """One session."""

    ref: str
    device: str
    """What the browser called itself at the login; empty if nobody has remembered that."""
    bound_at: datetime | None
    last_accessed_at: datetime
    expires_at: datetime
    current: bool
    """Whether it is the session of whoever looks."""


def rows_of(sessions: Iterable[LiveSession], current: Session) -> list[Row]:
    """What is to be shown of these sessions to whoever has the current one."""
    return [
        Row(each.ref, _device(each), each.bound_at, each.last_accessed_at, each.expires_at, each.ref == current.ref)
        for each in sessions
    ]


def _device(session: LiveSession) -> str:
    try:
        device = session.get(USER_AGENT, "")
    except CodecError:
        return ""
    return device if isinstance(device, str) else ""
