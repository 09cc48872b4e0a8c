"""Log lines that cannot flood: one per kind and interval, with the number of those left out (S-11)."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

__all__ = ["LogThrottle"]


class LogThrottle:
    """Writes at most one line per event name and interval.

    Args:
        logger: where the lines go.
        interval: seconds between two lines of one event; default 60.
    """

    def __init__(
        self, logger: logging.Logger, *, interval: float = 60.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._interval = interval
        self._monotonic = monotonic
        self._lines: dict[str, tuple[float, int]] = {}

    def warning(self, event: str, message: str, *args: object) -> None:
        """Log ``message % args`` as a warning, unless this event was logged less than an interval ago."""
        self._log(logging.WARNING, event, message, *args)

    def info(self, event: str, message: str, *args: object) -> None:
        """As `warning`, as an information."""
        self._log(logging.INFO, event, message, *args)

    def error(self, event: str, message: str, *args: object) -> None:
        """As `warning`, as an error."""
        self._log(logging.ERROR, event, message, *args)

    def _log(self, level: int, event: str, message: str, *args: object) -> None:
        now = self._monotonic()
        logged_at, left_out = self._lines.get(event, (-self._interval, 0))
        if now - logged_at < self._interval:
            self._lines[event] = (logged_at, left_out + 1)
            return
        self._lines[event] = (now, 0)
        if left_out:
            message, args = f"{message} [and %d more since the last such line]", (*args, left_out)
        self._logger.log(level, message, *args, extra={"event": event})
