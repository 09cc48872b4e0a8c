"""The outage of the store as one story in the log: its beginning, its end, and how many requests were refused.

The link says both in the log. Lines about errors of the store in between say nothing new, so their level is DEBUG.
"""

from __future__ import annotations

from typing import Final
from weakref import WeakSet

from . import real_time as time

__all__ = ["OUTAGE", "Outage"]

_SAME_INCIDENT: Final = 10.0
"""Seconds between two refused requests of one incident at most: some are refused before the link to a store that hangs
is given up."""


class Outage:
    """The outages of all links of this process."""

    def __init__(self) -> None:
        self._lost: WeakSet[object] = WeakSet()
        self._refused = 0
        self._refused_at = 0.0

    @property
    def is_told(self) -> bool:
        """Whether a link is lost at present, and the log says so."""
        return bool(self._lost)

    def begin(self, link: object) -> None:
        """The log says that this link is lost."""
        self._forget_older()
        self._lost.add(link)

    def end(self, link: object) -> int:
        """The link is there again, or closed; returns the number of requests that were answered 503 meanwhile."""
        self._lost.discard(link)
        refused, self._refused = self._refused, 0
        return refused

    def note_refused(self) -> None:
        """A request is answered 503."""
        self._forget_older()
        self._refused, self._refused_at = self._refused + 1, time.monotonic()

    def _forget_older(self) -> None:
        if not self._lost and time.monotonic() - self._refused_at > _SAME_INCIDENT:
            self._refused = 0


OUTAGE: Final = Outage()
