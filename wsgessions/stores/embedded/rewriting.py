"""Schedules rewrites of the server's file, so that values of ended sessions leave the disk in a bounded time (S-82).

An append-only file keeps all writes until it is rewritten: by itself the server does so when the file has doubled
and is at least 16 MB, which a store in quiet use may never reach.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from .directory import StoreDirectory
from .engine import Engine
from .plan import Observer

__all__ = ["Rewriting"]

_RETRY_INTERVAL: Final = 60.0


class Rewriting:
    """Watches the age of one directory's file.

    Args:
        directory: the store's.
        observer: notified when the disk has no room for a second file, and when it has again.
        interval: the largest age in seconds of a file with additions.
    """

    def __init__(self, directory: StoreDirectory, observer: Observer, interval: float) -> None:
        self._directory = directory
        self._observer = observer
        self._interval = interval
        self._retry = min(interval, _RETRY_INTERVAL)
        self._not_before = 0.0
        self._has_room = True

    def look(self, engine: Engine, told: Mapping[str, str]) -> None:
        """Start a rewrite if it is due. ``told``: the server's ``INFO persistence``.

        Raises:
            OSError: the server does not answer, or is rewriting already.
        """
        if not self._is_due(told) or time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + self._retry
        if self._finds_room(int(told["aof_current_size"])):
            engine.rewrite()

    def _is_due(self, told: Mapping[str, str]) -> bool:
        # Its age is that of the file, so that it does not begin anew with each start of server or supervisor.
        is_added_to = int(told.get("aof_current_size", 0)) > int(told.get("aof_base_size", 0))
        return is_added_to and time.time() - self._written_at() >= self._interval

    def _written_at(self) -> float:
        """The time of the latest rewrite, in seconds of the system's clock; that of now if there is no file."""
        times: list[float] = []
        for file in (self._directory.data / "appendonlydir").glob("*.base.*"):
            with suppress(OSError):  # an old one that was just removed
                times.append(file.stat().st_mtime)
        return max(times, default=time.time())

    def _finds_room(self, size: int) -> bool:
        """Whether the disk has room for a file as large as the present one beside it."""
        has_room = shutil.disk_usage(self._directory.path).free > size
        if has_room is not self._has_room:
            self._has_room = has_room
            state = (
                "has room again" if has_room else "has no room for a second one: values of ended sessions stay in it"
            )
            self._observer.trouble(f"the file of {self._directory} is to be written anew, and the disk {state}")
        return has_room
