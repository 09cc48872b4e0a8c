"""The store loop: the event loop that a store belongs to, and the calls to it from other loops."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import CancelledError, wait
from typing import Any, Final, TypeVar

from ...errors import ConfigError, NonStopTimeout, StoreUnavailable
from ...internal import real_time as time
from ...internal.log_throttle import LogThrottle
from ...internal.unpatched import require_unpatched
from ...store.contract import NEVER, Store

__all__ = ["Ask", "StoreLoop"]

T = TypeVar("T")
Ask = Callable[[Store], Coroutine[Any, Any, T]]
"""A call with the store as its argument."""

_log: Final = LogThrottle(logging.getLogger("wsgessions.link"))

_WATCH: Final = 1.0
"""Seconds between two checks that a store loop still exists, while a caller waits for its answer."""
_SLACK: Final = 0.25
"""Seconds after the deadline that a store loop has to report the timeout, before it counts as stuck."""
_FAREWELL: Final = 2.0
"""Seconds that the end of the interpreter waits for connections to be closed."""


class StoreLoop:
    """One store and its event loop; must be made in that loop."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.loop: asyncio.AbstractEventLoop = asyncio.get_running_loop()
        self.ready: bool = False
        """Whether the store is started, so that calls from this loop are passed directly."""
        self.over: bool = False
        self.thread: threading.Thread | None = None
        self._starting = asyncio.Lock()
        self._leave = asyncio.Event()
        self._stay: AsyncGenerator[None, None] | None = None

    @classmethod
    def in_running_loop(cls, store: Store) -> StoreLoop:
        """The running event loop; one in a thread if its timers stand still, as in a test with a frozen date."""
        return cls(store) if time.is_in_real_time(asyncio.get_running_loop()) else cls.in_thread(store)

    @classmethod
    def in_thread(cls, store: Store) -> StoreLoop:
        """A store loop in a daemon thread of its own.

        Raises:
            ConfigError: a library has replaced threads since the store was made, as a worker does after a fork.
            StoreUnavailable: the system could not create a thread or an event loop.
        """
        try:
            require_unpatched()
        except ConfigError as error:  # in the log too: a server that is up may show no more than a 500
            _log.error("patched", "%s", error)
            raise
        homes: list[StoreLoop] = []
        begun = threading.Event()

        async def live() -> None:
            home = cls(store)
            homes.append(home)
            begun.set()
            await home._leave.wait()
            await home.close()

        def run() -> None:
            try:
                with asyncio.Runner(loop_factory=time.new_event_loop) as runner:
                    runner.run(live())
            finally:
                begun.set()

        thread = threading.Thread(target=run, name="wsgessions home", daemon=True)
        thread.start()
        begun.wait()
        if not homes:
            raise StoreUnavailable("no event loop could be made for the link to the store", hint="see standard error")
        homes[0].thread = thread
        return homes[0]

    @property
    def is_running_here(self) -> bool:
        """Whether the caller is in this loop."""
        try:
            return self.loop is asyncio.get_running_loop()
        except RuntimeError:  # in no loop: the coroutine is made here and run later
            return False

    @property
    def alive(self) -> bool:
        return not self.over and self.loop.is_running()

    def leave(self) -> None:
        """End the thread, if it is one, and wait for it, but not for long."""
        if self.thread is not None and self.thread is not threading.current_thread() and self.alive:
            self.loop.call_soon_threadsafe(self._leave.set)
            self.thread.join(_FAREWELL)

    def leave_if_in(self, process: int) -> None:
        """Called when the store is collected, or the interpreter ends. A forked child inherits this call, but not the
        thread.
        """
        if process == os.getpid():
            self.leave()

    # In the home

    async def serve(self, ask: Ask[T], deadline: float) -> T:
        if not self.ready:
            await self.make_ready(deadline)
        if time.monotonic() >= deadline:  # a call from another loop may have waited for its turn in this loop (C-20)
            raise NonStopTimeout("the time for the store was over before it could be asked")
        return await ask(self.store)

    async def make_ready(self, deadline: float) -> None:
        """Start the store: once, for the first caller."""
        try:
            async with asyncio.timeout(None if deadline == NEVER else _left(deadline)):
                await self._starting.acquire()
        except TimeoutError:
            raise NonStopTimeout("the store was still being started") from None
        try:
            if not self.ready and not self.over:
                await self.store.start(deadline=deadline)
                # A loop that ends shuts its async generators down, and with this one the store.
                self._stay = self._closing_with_loop()
                await anext(self._stay)
                self.ready = True
        finally:
            self._starting.release()

    async def close(self) -> None:
        if self._stay is not None:
            await self._stay.aclose()
        else:
            await self._close()

    async def _closing_with_loop(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            await self._close()

    async def _close(self) -> None:
        self.ready, self.over = False, True
        await self.store.close()

    # From elsewhere

    async def call(self, ask: Ask[T], deadline: float) -> T:
        """Answer a call from another event loop."""
        serving = self.serve(ask, deadline)
        try:
            answer = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(serving, self.loop))
        except RuntimeError:
            serving.close()
            raise StoreUnavailable("the event loop that held the link to the store has just ended") from None
        try:
            await self._await(answer, deadline)
        except BaseException:
            if self.alive:
                answer.cancel()
            raise
        if answer.cancelled():
            raise StoreUnavailable("the event loop that held the link to the store is ending", unknown=True)
        return answer.result()

    def run_blocking(self, work: Callable[[], Coroutine[Any, Any, T]], deadline: float) -> T:
        """Run a coroutine here, while the calling thread waits."""
        coroutine = work()
        try:
            answer = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        except RuntimeError:
            coroutine.close()
            raise StoreUnavailable("the event loop that held the link to the store has just ended") from None
        try:
            while not wait([answer], timeout=min(_WATCH, _left(deadline) + _SLACK)).done:
                self._check_answers(deadline)
            return answer.result()
        except CancelledError:
            raise StoreUnavailable("the event loop that held the link to the store is ending", unknown=True) from None
        except BaseException:
            answer.cancel()
            raise

    async def _await(self, answer: asyncio.Future[Any], deadline: float) -> None:
        """Wait for an answer, and detect that the store loop has ended abruptly, or hangs."""
        while not (await asyncio.wait([answer], timeout=min(_WATCH, _left(deadline) + _SLACK)))[0]:
            self._check_answers(deadline)

    def _check_answers(self, deadline: float) -> None:
        if not self.alive:
            raise StoreUnavailable("the event loop that held the link to the store has ended", unknown=True)
        if time.monotonic() > deadline + _SLACK:  # before that, the answer of the store's own deadline is on its way
            raise NonStopTimeout("the event loop that holds the link to the store is stuck", unknown=True)


def _left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
