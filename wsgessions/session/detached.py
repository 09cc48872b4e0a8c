"""Sessions without a manager, such as ``Session({...})``: there is no store, so all calls take effect at once."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

from ..codec import check_name, no_further_types, plain_data
from ..errors import CodecError
from ..record import SessionKey
from .mapping import SessionMapping, unit_of
from .values import CommitReport

__all__ = ["DETACHED", "add_numbers"]

_EXACT: Final = 2**53
"""The bound below which a store's script, which computes in doubles, represents every integer exactly (C-10)."""
_NUMBERS: Final = frozenset({int, float})


def add_numbers(name: str, value: object, by: float) -> float:
    """``value + by`` by the rules of an increment in the store.

    Raises:
        CodecError: ``value`` or ``by`` is no number, or one of the three is not exact in a double.
    """
    check_name(name)
    first, second = (_plain(name, number) for number in (value, by))
    if _is_exact(first) and _is_exact(second):
        total = first + second
        if _is_exact(total):
            return total
    raise CodecError("the result would not be finite or would leave the range of 2**53", path=name)


def _plain(name: str, number: Any) -> float:
    """The number as an int or float, if it is of a subclass such as an `enum.IntEnum`."""
    plain = number if type(number) in _NUMBERS else plain_data(number, name=name, to_plain=no_further_types)
    if type(plain) in _NUMBERS:
        exact: float = plain
        return exact
    raise CodecError(f"a {type(number).__name__} cannot be incremented or added", path=name)


def _is_exact(number: Any) -> bool:
    return math.isfinite(number) if isinstance(number, float) else abs(number) < _EXACT


class DetachedRepository:
    """The `SessionRepository` of all sessions without a manager."""

    async def load(self, session: SessionMapping) -> None:
        """Do nothing: there is no store to load from."""

    async def commit(self, session: SessionMapping) -> None:
        """Write typed values back; there is no store to send to."""
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
