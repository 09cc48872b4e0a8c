"""Log lines at a limited rate: one per kind and interval, with the number of suppressed ones (S-11).

While the store is lost, lines about errors of the store have the level DEBUG, see `outage`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from ..errors import StoreUnavailable
from . import real_time as time
from .outage import OUTAGE

__all__ = ["LogThrottle"]

_MOST_SOURCES: Final = 64
_OTHERS: Final = "others"


class LogThrottle:
    """Writes at most one line per event name, source and interval.

    Args:
        logger: where the lines go.
        interval: seconds between two lines of one event and source; default 60.
    """

    def __init__(
        self, logger: logging.Logger, *, interval: float = 60.0, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._interval = interval
        self._monotonic = monotonic
        self._lines: dict[str, dict[str, tuple[float, int]]] = {}

    def warning(self, event: str, message: str, *args: object, source: str = "") -> None:
        """Log ``message % args`` as a warning, unless this event was logged less than an interval ago.

        Args:
            event: the kind of line.
            message: its text.
            args: for the text.
            source: the subject of the line, such as a class of peers. The first 64 sources of an interval have separate
                limits; all further ones share one.
        """
        self._log(logging.WARNING, event, source, message, *args)

    def info(self, event: str, message: str, *args: object, source: str = "") -> None:
        """As `warning`, at the level INFO."""
        self._log(logging.INFO, event, source, message, *args)

    def error(self, event: str, message: str, *args: object) -> None:
        """As `warning`, at the level ERROR."""
        self._log(logging.ERROR, event, "", message, *args)

    def _log(self, level: int, event: str, source: str, message: str, *args: object) -> None:
        if OUTAGE.is_told and any(isinstance(arg, StoreUnavailable) for arg in args):
            self._logger.debug(message, *args, extra={"event": event})
            return
        now = self._monotonic()
        lines = self._lines.setdefault(event, {})
        if source not in lines and len(lines) >= _MOST_SOURCES:
            source = self._room(lines, source, now)
        logged_at, left_out = lines.get(source, (-self._interval, 0))
        if now - logged_at < self._interval:
            lines[source] = (logged_at, left_out + 1)
            return
        lines[source] = (now, 0)
        if left_out:
            message, args = f"{message} [and %d more since the last such line]", (*args, left_out)
        self._logger.log(level, message, *args, extra={"event": event})

    def _room(self, lines: dict[str, tuple[float, int]], source: str, now: float) -> str:
        """The source to count as, after dropping the sources without a line for an interval."""
        for other in [other for other, (logged_at, _) in lines.items() if now - logged_at >= self._interval]:
            del lines[other]
        return source if len(lines) < _MOST_SOURCES else _OTHERS
