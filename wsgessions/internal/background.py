"""A background task that runs for as long as a store is in use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from .own_context import begin_task

__all__ = ["BackgroundTask"]


class BackgroundTask:
    """One task at a time.

    Args:
        name: of the task, for debuggers.
        work: makes the coroutine; it runs until it is stopped.
    """

    def __init__(self, name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._name = name
        self._work = work
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it is running: started and not stopped."""
        return self._task is not None

    def start(self) -> None:
        """Start in the running event loop."""
        self._task = begin_task(self._work(), name=self._name)

    async def stop(self) -> bool:
        """Stop at any point of the work; returns whether it was running."""
        task, self._task = self._task, None
        if task is None:
            return False
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return True
