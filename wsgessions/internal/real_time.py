"""The machine's clocks for deadlines, under the names of `time`: ``from ..internal import real_time as time``.

Libraries of tests, such as freezegun, replace functions of `time` in all modules while they freeze the date. A deadline
on a clock that stands still never ends, and the store's server lives in real time. The functions here are those of a
copy of the module `time`, which such libraries do not know, whether or not the date was frozen when it was made.
"""

from __future__ import annotations

import asyncio
import importlib.util
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from types import ModuleType
from typing import TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

__all__ = ["Cancellable", "call_later", "is_in_real_time", "monotonic", "new_event_loop", "sleep", "time"]

_MOST_SECONDS: Final = 60.0
"""A frozen clock is years away; the cached time of a loop lags by no more than its longest callback."""


def _copy_of_time() -> ModuleType:
    spec = cast("ModuleSpec", importlib.util.find_spec("time"))
    copy = importlib.util.module_from_spec(spec)
    cast("Loader", spec.loader).exec_module(copy)
    return copy


_copy = _copy_of_time()
monotonic: Final[Callable[[], float]] = _copy.monotonic
"""As `time.monotonic`."""
time: Final[Callable[[], float]] = _copy.time
"""As `time.time`. time-machine, which replaces the code of the function itself, still changes this one."""
sleep: Final[Callable[[float], None]] = _copy.sleep
"""As `time.sleep`."""


class Cancellable(Protocol):
    """A call to come."""

    def cancel(self) -> None:
        """Do not make the call."""
        ...


def new_event_loop() -> asyncio.AbstractEventLoop:
    """As `asyncio.new_event_loop`, with timers in real time."""
    loop = asyncio.new_event_loop()
    if isinstance(loop, asyncio.BaseEventLoop):  # those of other libraries read the machine's clock themselves
        loop.time = monotonic  # type: ignore[method-assign]
    return loop


def is_in_real_time(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the timers of a loop go by the machine's clock."""
    return abs(loop.time() - monotonic()) < _MOST_SECONDS


def call_later(seconds: float, callback: Callable[[], None], *, context: Context) -> Cancellable:
    """As ``call_later`` of the running event loop. If its timers stand still, a thread counts the seconds."""
    loop = asyncio.get_running_loop()
    if is_in_real_time(loop):
        return loop.call_later(seconds, callback, context=context)

    def call_back() -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(callback, context=context)

    timer = threading.Timer(seconds, call_back)
    timer.daemon = True
    timer.start()
    return timer
