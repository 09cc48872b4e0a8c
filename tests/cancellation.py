"""Cancels a piece of work at each of its suspension points, one run for each (R-36).

Nothing here waits for time: the work is cancelled in the turn of the event loop after the one in which it was
suspended, before anything that it waits for can have happened.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from enum import Enum
from typing import Any

import anyio


class By(Enum):
    """Who cancels."""

    TASK = "task"
    """`asyncio.Task.cancel`: once, and the work may clean up in peace."""
    SCOPE = "scope"
    """An anyio cancel scope, as under Starlette's middleware: again at every further suspension."""


async def cancel_everywhere(
    work: Callable[[], Coroutine[Any, Any, Any]], check: Callable[[], Awaitable[None]], by: By
) -> int:
    """Run ``work()`` again and again, cancelled one suspension later each time, until it ends before it is cancelled.

    Args:
        work: starts a run.
        check: awaited after each run.
        by: who cancels.

    Returns:
        The number of runs that were cancelled.
    """
    runs = 0
    while await _cancelled_at(work(), runs + 1, by):
        await check()
        runs += 1
    await check()
    return runs


async def _cancelled_at(work: Coroutine[Any, Any, Any], suspension: int, by: By) -> bool:
    """Whether ``work`` was cancelled; it is at its n-th suspension, if it has so many."""
    if by is By.SCOPE:
        with anyio.CancelScope() as scope:
            await _watched(work, suspension, scope.cancel)
        return scope.cancelled_caught
    task = asyncio.ensure_future(_in_task(work, suspension))
    await asyncio.wait({task})
    if task.cancelled():
        return True
    task.result()
    return False


async def _in_task(work: Coroutine[Any, Any, Any], suspension: int) -> None:
    task = asyncio.current_task()
    assert task is not None
    await _watched(work, suspension, task.cancel)


@types.coroutine
def _watched(work: Coroutine[Any, Any, Any], suspension: int, cancel: Callable[[], object]) -> Generator[Any, Any, Any]:
    """Drive ``work`` and count how often it suspends."""
    suspensions, resume, given = 0, work.send, None
    while True:
        try:
            awaited = resume(given)
        except StopIteration as stop:
            return stop.value
        suspensions += 1
        if suspensions == suspension:
            asyncio.get_running_loop().call_soon(cancel)
        try:
            resume, given = work.send, (yield awaited)
        except BaseException as error:  # noqa: BLE001 - it belongs to the work
            resume, given = work.throw, error
