"""A session outside a request: opened, used and committed by an ``async with``."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from ..credentials.identity import is_well_formed
from ..credentials.presented import PresentedCredentials
from ..credentials.session_id import AnyId, bare
from ..session import Session

if TYPE_CHECKING:
    from .manager import SessionManager

__all__ = ["OpenedSession", "presented_by"]


class OpenedSession:
    """``async with manager.open(...) as session``."""

    __slots__ = ("_manager", "_presented", "_session")

    def __init__(self, manager: SessionManager, presented: PresentedCredentials) -> None:
        self._manager = manager
        self._presented = presented

    async def __aenter__(self) -> Session:
        self._session = self._manager.begin(self._presented)
        if self._presented.id is not None:
            await self._manager.load(self._session)
        return self._session

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                await self._manager.commit(self._session)
                if self._manager.ends_soon(self._session) or not self._manager.note_use(self._session):
                    await self._manager.touch(self._session)
            elif isinstance(error, Exception):
                self._session._drop_changes()
                await self._manager.owner.carry_out(self._session)
        finally:
            self._manager.retire(self._session)


def presented_by(session_id: AnyId | None, length: int) -> PresentedCredentials:
    """What is presented by code that has an id of ``length`` characters, or none; anything else is no id."""
    text = None if session_id is None else bare(session_id)
    return PresentedCredentials(text if text is not None and is_well_formed(text, length) else None)
