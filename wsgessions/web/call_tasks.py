"""The tasks that a framework runs for one call of the application, so that they can end with it.

A server cancels the call if the client has disconnected, and this package cancels it if the session of a stream has
ended (S-54). A framework that runs the handler in its own tasks may leave them running.
"""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["CallTasks"]


class CallTasks:
    """The tasks of one call."""

    __slots__ = ("_cancelled", "_tasks")

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._cancelled = False

    def enter(self) -> None:
        """Record the running task as one of this call.

        Raises:
            asyncio.CancelledError: the call was cancelled.
        """
        if self._cancelled:
            raise asyncio.CancelledError
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)

    async def cancel(self) -> None:
        """Cancel the tasks, except the calling one, and wait until they have ended. No other can begin any more."""
        self._cancelled = True
        others = self._tasks - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
