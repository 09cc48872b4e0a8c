"""Sessions that were made by hand: there is no store, so everything is in force at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, cast

from ..codec import check_name
from ..errors import CodecError
from ..record import SessionKey
from .mapping import SessionMapping, unit_of
from .values import CommitReport

__all__ = ["DETACHED", "add_numbers"]

_EXACT: Final = 2**53
"""Below it a store's script, which computes in doubles, holds every integer exactly (C-10)."""


def add_numbers(name: str, value: object, by: float) -> float:
    """``value + by`` under the rules of an in-store increment.

    Raises:
        CodecError: ``value`` or ``by`` is no number, or one of the three is not exact in a double.
    """
    check_name(name)
    for number in (value, by):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise CodecError(f"a {type(number).__name__} cannot be incremented or added", path=name)
    if _is_exact(value) and _is_exact(by):
        total = cast("float", value) + by  # the loop has proved it
        if _is_exact(total):
            return total
    raise CodecError("incremented, it would not be finite or would leave the range of 2**53", path=name)


def _is_exact(number: Any) -> bool:
    return math.isfinite(number) if isinstance(number, float) else abs(number) < _EXACT


class DetachedRepository:
    """The `SessionRepository` of all sessions that were made by hand."""

    async def load(self, session: SessionMapping) -> None:
        """There is nothing to load."""

    async def commit(self, session: SessionMapping) -> None:
        """There is nowhere to send to; typed values are written back, as everywhere."""
        unit_of(session).collect_views(session)

    async def carry_out(self, session: SessionMapping) -> None:
        """See `commit`."""
        await self.commit(session)

    async def refresh(self, session: SessionMapping) -> None:
        """See `commit`."""
        await self.commit(session)

    async def increment(self, session: SessionMapping, name: str, by: float) -> float:
        session[name] = total = add_numbers(name, session.get(name, 0), by)
        return total

    async def update(self, session: SessionMapping, name: str, fn: Callable[[Any], Any]) -> Any:
        session[name] = value = fn(session.get(name))
        return value

    def successor(self, session_id: str) -> str:
        return session_id

    def last_commit(self, key: SessionKey) -> CommitReport | None:
        return None


DETACHED: Final = DetachedRepository()
