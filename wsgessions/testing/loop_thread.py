"""An event loop in a thread of its own, for what must work alike in tests with and without a loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["LoopThread"]

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for synchronous callers. The thread is started by the first of them."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for the result. Callable from any thread, also from one in which another loop runs."""
        return asyncio.run_coroutine_threadsafe(work, self._running()).result()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                begun = threading.Event()
                self._thread = threading.Thread(target=self._live, args=[begun], name="wsgessions tests", daemon=True)
                self._thread.start()
                begun.wait()
            assert self._loop is not None
            return self._loop

    def _live(self, begun: threading.Event) -> None:
        with asyncio.Runner() as runner:
            runner.run(self._stay(begun))

    async def _stay(self, begun: threading.Event) -> None:
        self._loop, self._leave = asyncio.get_running_loop(), asyncio.Event()
        begun.set()
        await self._leave.wait()

    def close(self) -> None:
        """End the loop, and what still runs in it."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is not None and self._thread is not None:
            loop.call_soon_threadsafe(self._leave.set)
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
