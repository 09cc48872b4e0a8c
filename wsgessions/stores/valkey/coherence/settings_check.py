"""Compares the settings of this process with those of the other live processes of the application (C-27).

Each process records its settings in the store, again and again, and reads those that differ. Only a process that was
heard after the first comparison counts: the settings of one that has ended, as by a restart, are no longer in force.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from ....errors import StoreUnavailable
from ....internal.background import BackgroundTask
from ....internal.jitter import chance
from ....internal.log_throttle import LogThrottle
from ....store.alike import Comparison, Difference, OtherProcess, find_differences
from ..client.script import Script
from ..format.process_settings import pack_settings, read_settings
from ..sender import Sender

__all__ = ["SettingsCheck"]

_logger = logging.getLogger("wsgessions.coherence")
_log = LogThrottle(_logger)

COMPARE: Final = Script.load("compare", "clock")
"""Compare the settings of a process with those of the others."""
_FIRST_AFTER: Final = 3.0
"""Seconds until the settings are recorded: a short command has ended before."""
_INTERVAL: Final = 30.0
_LIFE_MS: Final = 75_000
"""The settings of a process count for so long after they were recorded: two and a half intervals."""
_MOST_LISTED: Final = 64
_PATIENCE: Final = 5.0


class SettingsCheck:
    """A background task of one store object.

    Args:
        sender: of the store.
        settings: returns the settings to compare, by name; None for none.
    """

    def __init__(self, sender: Sender, settings: Callable[[], Mapping[str, str]] | None) -> None:
        self._sender = sender
        self._read_settings = settings
        self._task = BackgroundTask("wsgessions settings", self._run)
        self._name = b""
        self._ours: Mapping[str, str] = {}
        self._heard_first: dict[str, int] | None = None
        """The processes with other settings at the first comparison, and when each was heard."""
        self._told: set[tuple[Difference, ...]] = set()

    def start(self) -> None:
        """Start; does nothing if it is started already, or there is nothing to compare."""
        if self._read_settings is not None and not self._task.running:
            self._name = f"{socket.gethostname()} (process {os.getpid()}) {secrets.token_hex(4)}".encode()
            self._heard_first = None
            self._task.start()

    async def stop(self) -> None:
        """Stop, and remove the settings of this process, if the store answers."""
        if not await self._task.stop() or self._heard_first is None:
            return
        link, segments = self._sender.link, self._sender.agreement.segments
        if link.connected and segments is not None:
            try:
                deadline = time.monotonic() + 1.0
                await link.request(b"HDEL", next(iter(segments)).settings, self._name, deadline=deadline)
            except StoreUnavailable as error:
                _log.info("settings_left", "the store keeps the settings of this process for a minute: %s", error)

    async def _run(self) -> None:
        pause = _FIRST_AFTER
        while True:
            await asyncio.sleep(pause * chance.uniform(0.9, 1.1))
            pause = _INTERVAL
            try:
                await self.look()
            except StoreUnavailable as error:
                _log.info("settings_unknown", "the settings of other processes could not be read: %s", error)
            except Exception as error:  # noqa: BLE001 - a check that died would stay silent for ever
                _log.error("settings_check_broke", "a check of settings failed: %s", type(error).__name__)

    async def look(self) -> None:
        """Record the settings of this process, compare them with the others, and log what is new.

        Raises:
            StoreUnavailable: the store did not answer.
        """
        found = await self._compare(time.monotonic() + _PATIENCE, records=True)
        if self._heard_first is None:
            self._heard_first = {each.name: each.heard_us for each in found.deviating}
            return
        first = self._heard_first
        self._tell([each for each in found.deviating if first.get(each.name) != each.heard_us])

    async def compare(self, deadline: float) -> Comparison:
        """See `SettingsComparison.compare_settings`."""
        return await self._compare(deadline, records=False)

    async def _compare(self, deadline: float, *, records: bool) -> Comparison:
        if self._read_settings is not None and not self._ours:
            self._ours = self._read_settings()
        key = next(iter(await self._sender.known_segments(deadline))).settings
        args = self._name, pack_settings(self._ours), int(records), _LIFE_MS, _MOST_LISTED
        now_us, others, *listed = await self._sender.call(COMPARE, (key,), args, deadline=deadline)
        entries = (self._entry(*listed[at : at + 3]) for at in range(0, len(listed), 3))
        return Comparison(now_us, others, [each for each in entries if each.differences])

    def _entry(self, name: bytes, heard_us: int, settings: bytes) -> OtherProcess:
        shown = name.decode("utf-8", "replace").rpartition(" ")[0]
        return OtherProcess(shown, heard_us, find_differences(self._ours, read_settings(settings)))

    def _tell(self, deviating: list[OtherProcess]) -> None:
        """Log each set of differences once, and the end of all of them."""
        names: dict[tuple[Difference, ...], list[str]] = {}
        for each in deviating:
            names.setdefault(each.differences, []).append(each.name)
        for differences in names.keys() - self._told:
            first, *more = names[differences]
            _logger.warning(
                "another process of this application has other settings: %s (there: %s%s). Set the same everywhere; "
                "while servers are restarted with new settings one after the other, this is expected",
                ", ".join(map(str, differences)),
                first,
                f" and {len(more)} more" if more else "",
                extra={"event": "settings_differ"},
            )
        if self._told and not names:
            _logger.info(
                "all processes of this application have the same settings again", extra={"event": "settings_agree"}
            )
        self._told = set(names)
