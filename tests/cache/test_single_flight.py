"""One read for all who want the same session at once, and nobody is left behind (F-22)."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.cancellation import By, cancel_everywhere
from wsgessions.cache.single_flight import SingleFlight
from wsgessions.errors import NonStopTimeout, StoreUnavailable

KEY = b"one"


class Reads:
    """Reads that end when they are told to; the answer of each is its number, from 1."""

    def __init__(self) -> None:
        self.flights: SingleFlight[int] = SingleFlight()
        self.begun = 0
        self._gates: list[asyncio.Future[None]] = []

    async def read(self) -> int:
        self.begun += 1
        number = self.begun
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        await gate
        return number

    def ask(self, *, deadline: float = float("inf")) -> asyncio.Task[int]:
        return asyncio.ensure_future(self.flights.run(KEY, self.read, deadline=deadline))

    async def end(self, error: Exception | None = None) -> None:
        """End the read that is under way."""
        gate = self._gates.pop(0)
        if error is None:
            gate.set_result(None)
        else:
            gate.set_exception(error)
        await turns()

    @property
    def idle(self) -> bool:
        return not self.flights._flights


async def turns() -> None:
    """Let everybody go on who can."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def reads() -> Reads:
    return Reads()


async def test_who_comes_while_a_read_is_under_way_gets_the_answer_of_the_next(reads: Reads) -> None:
    """The answer of the first may be older than their own last write."""
    first = reads.ask()
    await turns()
    others = [reads.ask() for _ in range(5)]
    await turns()
    assert reads.begun == 1
    await reads.end()
    assert reads.begun == 2
    await reads.end()
    assert [await first, *[await other for other in others]] == [1, 2, 2, 2, 2, 2]
    assert reads.flights.joined == 4
    assert reads.idle


async def test_five_hundred_at_once_are_two_reads(reads: Reads) -> None:
    tasks = [reads.ask() for _ in range(500)]
    await turns()
    await reads.end()
    await reads.end()
    assert {task.result() for task in tasks} == {1, 2}
    assert reads.begun == 2


async def test_different_keys_do_not_wait_for_each_other(reads: Reads) -> None:
    first = asyncio.ensure_future(reads.flights.run(b"one", reads.read))
    other = asyncio.ensure_future(reads.flights.run(b"other", reads.read))
    await turns()
    assert reads.begun == 2
    await reads.end()
    await reads.end()
    assert (await first, await other) == (1, 2)


async def test_an_error_is_for_the_one_who_read_and_the_next_tries_again(reads: Reads) -> None:
    first = reads.ask()
    await turns()
    others = [reads.ask() for _ in range(3)]
    await turns()
    await reads.end(StoreUnavailable("away"))
    with pytest.raises(StoreUnavailable, match="away"):
        await first
    await reads.end(StoreUnavailable("still away"))
    await reads.end()
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, int)] == [3, 3]
    assert reads.idle


async def test_the_reader_is_cancelled_and_the_next_reads(reads: Reads) -> None:
    first = reads.ask()
    await turns()
    second, third = reads.ask(), reads.ask()
    await turns()
    first.cancel()
    await turns()
    assert reads.begun == 2
    reads._gates.pop(0)
    await reads.end()
    assert (await second, await third) == (2, 2)
    assert reads.idle


async def test_the_next_reader_is_cancelled_in_the_turn_in_which_it_is_told(reads: Reads) -> None:
    gate = asyncio.Event()

    async def read() -> int:
        await gate.wait()
        asyncio.get_running_loop().call_soon(second.cancel)
        return 0

    first = asyncio.ensure_future(reads.flights.run(KEY, read))
    await turns()
    second, third = reads.ask(), reads.ask()
    await turns()
    gate.set()
    assert await first == 0
    await turns()
    assert second.cancelled()
    await reads.end()
    assert await third == 1
    assert reads.idle


async def test_a_deadline_that_passes_while_another_reads_is_an_error_of_its_own(reads: Reads) -> None:
    first = reads.ask()
    await turns()
    hasty, patient = reads.ask(deadline=time.monotonic() - 1), reads.ask()
    with pytest.raises(NonStopTimeout, match="being read for another request"):
        await hasty
    await reads.end()
    await reads.end()
    assert (await first, await patient) == (1, 2)
    assert reads.idle


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize("place", ["leader", "follower"])
async def test_whoever_is_cancelled_wherever_the_others_get_their_answers(by: By, place: str) -> None:
    reads = Reads()
    companions: list[asyncio.Task[int]] = []

    async def short_read() -> int:
        await asyncio.sleep(0)
        return 0

    def join() -> None:
        companions.append(asyncio.ensure_future(reads.flights.run(KEY, short_read)))

    async def run() -> None:
        if place == "follower":
            join()
            await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(join)
        await reads.flights.run(KEY, short_read)

    async def check() -> None:
        async with asyncio.timeout(20):
            await asyncio.gather(*companions)
        await turns()
        assert reads.idle

    assert await cancel_everywhere(run, check, by) >= 1


async def test_a_follower_that_has_left_is_passed_over(reads: Reads) -> None:
    first = reads.ask()
    await turns()
    others = [reads.ask() for _ in range(4)]
    await turns()
    others[0].cancel()
    others[2].cancel()
    await reads.end()
    await reads.end()
    assert await first == 1
    assert [await others[1], await others[3]] == [2, 2]
    assert reads.idle
