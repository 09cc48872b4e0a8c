"""A session outside a request: opened, used and committed by an ``async with``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from ..credentials.identity import is_well_formed
from ..credentials.presented import PresentedCredentials
from ..credentials.session_id import AnyId, bare
from ..session import Session, unit_of

if TYPE_CHECKING:
    from .request_sessions import RequestSessions

__all__ = ["OpenedSession", "presented_by"]


class OpenedSession:
    """``async with manager.open(...) as session``."""

    __slots__ = ("_presented", "_requests", "_session")

    def __init__(self, requests: RequestSessions, presented: PresentedCredentials) -> None:
        self._requests = requests
        self._presented = presented

    async def __aenter__(self) -> Session:
        self._session = self._requests.begin(self._presented)
        if self._presented.id is not None:
            await self._requests.repository.load(self._session)
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, unit, requests = self._session, unit_of(self._session), self._requests
        try:
            if error is None:
                await requests.repository.commit(session)
                if requests.must_touch_now(unit) or not requests.record_access(unit):
                    await requests.touch(unit)
            elif isinstance(error, Exception):
                unit.rollback(session)
                await requests.repository.carry_out(session)
        finally:
            unit.finish()


def presented_by(session_id: AnyId | None, length: int) -> PresentedCredentials:
    """The credentials of code that opens a session by its id, of ``length`` characters; another value is no id."""
    text = None if session_id is None else bare(session_id)
    return PresentedCredentials(text if text is not None and is_well_formed(text, length) else None)
