"""A live session as a page shows it: without its id, and without text that could break the page."""

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
    """The user agent at the login; empty if it was not stored."""
    bound_at: datetime | None
    last_accessed_at: datetime
    expires_at: datetime
    current: bool
    """Whether it is the session of the current request."""


def rows_of(sessions: Iterable[LiveSession], current: Session) -> list[Row]:
    """The rows for these sessions in a page of the current session."""
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
