"""Waits for signals, so that the supervisor sleeps between them."""

from __future__ import annotations

import select
import signal
import socket
from types import FrameType, TracebackType
from typing import Self

__all__ = ["Wakeups"]

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Wakeups:
    """While entered, a request to stop and the death of a child end `wait`. Main thread only.

    Attributes:
        stop_requested: whether SIGTERM, SIGINT or SIGHUP has come.
    """

    def __init__(self) -> None:
        self.stop_requested: bool = False
        self._reader, self._writer = socket.socketpair()
        self._before: dict[signal.Signals, signal.Handlers | int | None] = {}

    def __enter__(self) -> Self:
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._wakeup_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        for number in (*_STOPPING, signal.SIGCHLD):
            self._before[number] = signal.signal(number, self._handle)  # type: ignore[assignment]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._wakeup_before)
        self._reader.close()
        self._writer.close()

    def wait(self, seconds: float) -> None:
        """Return after ``seconds``, or earlier at a signal."""
        if not self.stop_requested and select.select([self._reader], [], [], seconds)[0]:
            self._reader.recv(4096)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.stop_requested |= number in _STOPPING
