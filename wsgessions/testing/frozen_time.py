"""A store's time, moved by the test: sessions expire without waiting."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from ..clock import StoreClock
from ..errors import ConfigError
from ..stores.memory import MemoryStore
from .session_access import find_manager

__all__ = ["FrozenTime", "FreezeSessions"]


class FrozenTime:
    """The time of one memory store, which stands still until it is moved.

    Args:
        clock: the store's, which everybody who uses the store looks at.
    """

    def __init__(self, clock: StoreClock) -> None:
        self._clock = clock
        self._running: Callable[[], float] = clock._monotonic
        self._at = self._running()
        # The clock itself is kept: other parts have taken hold of it.
        clock._monotonic = lambda: self._at

    def move(self, by: timedelta) -> None:
        """Let time pass at once.

        Args:
            by: how much.

        Raises:
            ValueError: it is negative; a store's time never goes back.
        """
        if by < timedelta(0):
            raise ValueError("the store's time never goes back")
        self._at += by.total_seconds()

    def thaw(self) -> None:
        """Let it run again, as that of the machine."""
        self._clock._monotonic = self._running


class FreezeSessions:
    """The fixture `freeze_sessions`."""

    def __init__(self) -> None:
        self._frozen: dict[int, FrozenTime] = {}

    def __call__(self, app: object) -> FrozenTime:
        """Stop the time of the application's sessions, until the test is over.

        Args:
            app: the application or its manager. Its store is `memory:`; a server's time is not ours to move.

        Raises:
            ConfigError: the store is another one, or no manager is found.
        """
        store = find_manager(app).store
        if not isinstance(store, MemoryStore):
            raise ConfigError(
                "the time of a server cannot be moved by a test",
                setting="store_url",
                hint='use store_url="memory:" for tests of expiry, or a short max_inactive_interval',
            )
        if id(store) not in self._frozen:
            self._frozen[id(store)] = FrozenTime(store.clock)
        return self._frozen[id(store)]

    def thaw(self) -> None:
        """Let all times run again."""
        for frozen in self._frozen.values():
            frozen.thaw()
        self._frozen.clear()
