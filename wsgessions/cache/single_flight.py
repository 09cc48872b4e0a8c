"""One read for all callers that need the same session at the same time (C-2, F-22)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from ..errors import NonStopTimeout
from ..internal import real_time as time
from ..store.contract import NEVER

__all__ = ["SingleFlight"]

T = TypeVar("T")
_YOUR_TURN: Final = object()


class _Flight(Generic[T]):
    """A read that is under way or about to begin."""

    __slots__ = ("boarded", "late")

    def __init__(self, boarded: list[asyncio.Future[object]]) -> None:
        self.boarded = boarded
        """The callers that came before it began, which share its answer."""
        self.late: list[asyncio.Future[object]] = []
        """The callers that came later, which wait for the next one."""


class SingleFlight(Generic[T]):
    """Runs at most one read for each key at a time, and returns its answer to all callers that came before it began.

    A caller that comes while a read is under way cannot use its answer: the store may have given it before the caller's
    last write. Such callers wait for its end, and one of them reads again for all. So 500 first reads at once are two.
    """

    def __init__(self) -> None:
        self.joined: int = 0
        """The number of callers that were served by the read of another."""
        self._flights: dict[bytes, _Flight[T]] = {}

    async def run(self, key: bytes, read: Callable[[], Awaitable[T]], *, deadline: float = NEVER) -> T:
        """The answer of a ``read`` that begins after this call, made by this caller or by another.

        Raises:
            NonStopTimeout: the deadline passed while the read of another was under way.
        """
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight([])
        else:
            answer = await self._wait(key, flight, deadline)
            if answer is not _YOUR_TURN:
                self.joined += 1
                return answer  # type: ignore[return-value]  # what `_fly` has put in
            flight = self._flights[key]
        return await self._fly(key, flight, read)

    async def _fly(self, key: bytes, flight: _Flight[T], read: Callable[[], Awaitable[T]]) -> T:
        try:
            answer = await read()
        except BaseException:
            flight.late[:0] = flight.boarded  # each may have another deadline, so the next one tries
            raise
        else:
            for passenger in flight.boarded:
                if not passenger.done():
                    passenger.set_result(answer)
            return answer
        finally:
            self._land(key, flight)

    def _land(self, key: bytes, flight: _Flight[T]) -> None:
        waiting = [future for future in flight.late if not future.done()]
        if not waiting:
            del self._flights[key]
            return
        self._flights[key] = _Flight(waiting[1:])
        waiting[0].set_result(_YOUR_TURN)

    async def _wait(self, key: bytes, flight: _Flight[T], deadline: float) -> object:
        place: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        flight.late.append(place)
        try:
            async with asyncio.timeout(None if deadline == NEVER else deadline - time.monotonic()):
                return await place
        except BaseException as error:
            if place.done() and not place.cancelled() and place.result() is _YOUR_TURN:
                self._land(key, self._pass_on(key))
            if isinstance(error, TimeoutError):
                raise NonStopTimeout("the same session was being read for another request for too long") from None
            raise

    def _pass_on(self, key: bytes) -> _Flight[T]:
        """Pass the turn on: the caller that had it has just left, so the next waiting one takes it."""
        flight = self._flights[key]
        flight.late[:0] = flight.boarded
        return flight
