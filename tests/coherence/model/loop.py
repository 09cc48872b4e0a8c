"""An event loop that runs only when it is told to, on a clock that moves only when it is told to."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any

from wsgessions.cache import single_flight
from wsgessions.stores.valkey import sender
from wsgessions.stores.valkey.client import commands
from wsgessions.stores.valkey.coherence import barrier, heartbeat, pace

__all__ = ["ModelLoop"]


_TIMED = [vars(module) for module in (barrier, commands, heartbeat, pace, sender, single_flight)]
"""The names of modules that ask for the time themselves, to compare it with deadlines."""


class ModelLoop(asyncio.AbstractEventLoop):
    """The loop of one node. What became ready runs in the order in which it became ready, as in every loop."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.ready: deque[asyncio.Handle] = deque()
        self.timers: list[asyncio.TimerHandle] = []
        self.errors: list[dict[str, Any]] = []
        """What nobody caught."""
        self.monotonic = self._now = now

    def due(self) -> bool:
        """Whether there is something to run."""
        if self.ready:
            return True
        now = self._now()
        return any(each.when() <= now and not each.cancelled() for each in self.timers)

    def run(self) -> None:
        """Run until nothing is left to do at this instant."""
        if self.due():
            self.within(self._run_what_is_due)

    def within(self, function: Callable[[], Any]) -> Any:
        """Call a function as if from a callback of this loop. Meanwhile the time is the model's, also for what does not
        ask the loop.
        """
        asyncio._set_running_loop(self)
        for names in _TIMED:
            names["time"] = self
        try:
            return function()
        finally:
            for names in _TIMED:
                names["time"] = time
            asyncio._set_running_loop(None)

    def _run_what_is_due(self) -> None:
        while self.due():
            self._fire()
            while self.ready:
                handle = self.ready.popleft()
                if not handle.cancelled():
                    handle._run()

    def _fire(self) -> None:
        now = self._now()
        timers = [each for each in self.timers if not each.cancelled()]
        due = sorted((each for each in timers if each.when() <= now), key=lambda each: each.when())
        self.timers = [each for each in timers if each not in due]
        self.ready.extend(due)

    # What asyncio calls

    def time(self) -> float:
        return self._now()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self.ready.append(handle)
        return handle

    call_soon_threadsafe = call_soon  # type: ignore[assignment]

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self.timers.append(timer)
        return timer

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now() + delay, callback, *args, context=context)

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, **_: Any) -> asyncio.Task[Any]:  # type: ignore[override]
        return asyncio.Task(coro, loop=self, name=name)

    def get_debug(self) -> bool:
        return False

    def is_closed(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        self.errors.append(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It is passed over when its time comes."""
