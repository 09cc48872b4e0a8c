"""The machine's clock for deadlines, under the names of `time`: ``from ..internal import real_time as time``.

Libraries of tests, such as freezegun, replace functions of `time` in all modules while they freeze the date. A deadline
on a clock that stands still never ends, and the store's server lives in real time. These objects are not replaced.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

__all__ = ["is_in_real_time", "monotonic", "new_event_loop", "sleep"]

monotonic: Final[Callable[[], float]] = partial(time.monotonic)
"""As `time.monotonic`."""
sleep: Final[Callable[[float], None]] = time.sleep
"""As `time.sleep`, which such libraries leave alone."""

_MOST_SECONDS: Final = 60.0
"""A frozen clock is years away; the cached time of a loop lags by no more than its longest callback."""


def new_event_loop() -> asyncio.AbstractEventLoop:
    """As `asyncio.new_event_loop`, with timers in real time."""
    loop = asyncio.new_event_loop()
    if isinstance(loop, asyncio.BaseEventLoop):  # those of other libraries read the machine's clock themselves
        loop.time = monotonic  # type: ignore[method-assign]
    return loop


def is_in_real_time(loop: asyncio.AbstractEventLoop) -> bool:
    """Whether the timers of a loop go by the machine's clock."""
    return abs(loop.time() - monotonic()) < _MOST_SECONDS
