"""Decides which touches may wait: a session that was touched a moment ago needs no other touch yet (S-63)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, NamedTuple

from ..record import SessionKey

__all__ = ["MAX_KNOWN", "SHARE", "TouchInterval"]

SHARE: Final = 20
"""A step is at most the twentieth part of the session's idle timeout, so 5 %."""
MAX_KNOWN: Final = 65_536
"""The largest number of remembered sessions, a few megabytes; forgotten ones are touched as if there were no step."""


class _Known(NamedTuple):
    step_ms: int
    touched_ms: int
    """The latest start of the idle time, as far as is known here."""


class TouchInterval:
    """Knows when sessions were last touched, from replies of the store and from touches sent since.

    Args:
        step: seconds between two touches of one session, 0 for no such limit.
        now_ms: the store's time.
    """

    def __init__(self, step: float, now_ms: Callable[[], int]) -> None:
        self._step_ms = round(step * 1000)
        self.counts: Final = self._step_ms > 0
        """Whether times are to be remembered; without a step no touch waits."""
        self._now_ms = now_ms
        self._known: OrderedDict[SessionKey, _Known] = OrderedDict()

    def learn(self, key: SessionKey, *, interval_ms: int, expires_ms: int) -> None:
        """Record a session's times, as a reply of the store has them."""
        if not self.counts:
            return
        before = self._known.pop(key, None)
        # It was touched then, or later if the deadline is nearer than the idle timeout; of 0, the end says nothing.
        touched_ms = expires_ms - interval_ms if interval_ms else 0
        if before is not None:
            touched_ms = max(touched_ms, before.touched_ms)
        self._known[key] = _Known(self._step_of(interval_ms), touched_ms)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def forget(self, key: SessionKey) -> None:
        """Forget a session's times: a change has made them invalid."""
        self._known.pop(key, None)

    def note_touched(self, keys: set[SessionKey]) -> None:
        """The store has accepted touches of these sessions."""
        now = self._now_ms()
        for key in keys & self._known.keys():
            self._known[key] = self._known[key]._replace(touched_ms=now)

    def due(self, keys: set[SessionKey]) -> set[SessionKey]:
        """The sessions that are to be touched now. Those that exceed the memory do not wait."""
        if not self._known or len(keys) > MAX_KNOWN:
            return keys
        now = self._now_ms()
        return {key for key in keys if not self._may_wait(key, now)}

    def _may_wait(self, key: SessionKey, now: int) -> bool:
        known = self._known.get(key)
        # A touch in the future means that the store's clock was set back, so that nothing is known.
        return known is not None and known.touched_ms <= now < known.touched_ms + known.step_ms

    def _step_of(self, interval_ms: int) -> int:
        return min(self._step_ms, interval_ms // SHARE) if interval_ms else self._step_ms
