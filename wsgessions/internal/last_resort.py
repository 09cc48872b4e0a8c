"""Complete lines of log where the application has configured no logging: with time, level and name.

Python prints warnings without all three then. A library must not configure logging, so this handler writes a line only
if no other handler would get it, and only then; whatever is configured later is in force at once.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO

__all__ = ["START_LOGGER", "write_complete_lines"]

_NAME: Final = "wsgessions"
START_LOGGER: Final = "wsgessions.start"
"""The logger of the line that says what is in force; it is written without any configuration too."""


if TYPE_CHECKING:
    _Base = logging.StreamHandler[TextIO]
else:
    _Base = logging.StreamHandler


class _LastResort(_Base):
    """Writes to the present stderr what no other handler gets."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))

    def handle(self, record: logging.LogRecord) -> bool:
        """Write a warning or worse, and the line of the start, unless another handler gets it."""
        told = record.levelno >= logging.WARNING or record.name == START_LOGGER
        if not told or self._is_handled(logging.getLogger(record.name)):
            return False
        self.stream = sys.stderr
        return bool(super().handle(record))

    def _is_handled(self, logger: logging.Logger | None) -> bool:
        while logger is not None:
            if any(handler is not self for handler in logger.handlers):
                return True
            logger = logger.parent if logger.propagate else None
        return False


def write_complete_lines() -> None:
    """Add the handler to the logger of wsgessions, once."""
    logger = logging.getLogger(_NAME)
    if not any(isinstance(handler, _LastResort) for handler in logger.handlers):
        logger.addHandler(_LastResort())
    start = logging.getLogger(START_LOGGER)
    if start.level == logging.NOTSET:
        start.setLevel(logging.INFO)
