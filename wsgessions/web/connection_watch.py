"""Checks whether the session of an open connection still exists (C-17).

The session of a request is checked once, at its start. A WebSocket or an open-ended stream lasts longer: its session
may be ended or expire meanwhile. So its state is checked again, with every message and at least once in a lease. If the
near cache has a provably fresh copy that costs no round trip; otherwise it is one conditional read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..errors import StoreUnavailable
from ..internal import real_time as time
from ..internal.log_throttle import LogThrottle
from ..record import Seen, SessionChanges
from ..session import UnitOfWork

if TYPE_CHECKING:
    from ..manager.request_sessions import RequestSessions
    from ..record import SessionRecord

__all__ = ["ConnectionWatch"]

_log = LogThrottle(logging.getLogger("wsgessions.connections"))

_WITHOUT_LEASE: Final = 1.5
"""Seconds between two checks if copies are never served, so that there is no lease."""
_READ_PACE: Final = 0.1
"""Seconds between two reads for messages of the server: a stream may have thousands of parts a second."""


class ConnectionWatch:
    """Checks the session of one connection, after the application has accessed it.

    It never changes what the application sees: for the present state there is `Session.refresh`. It keeps its own
    watermark, so that no copy that is older than this watermark is used. **An unknown state does not count as an end**
    (F-00a): while the store does not answer, the connection stays open.

    Args:
        requests: the operations on sessions of requests.
        unit: the state of the connection's session.
        on_gone: called once, if the end of the session is detected between messages.
    """

    __slots__ = (
        "_armed",
        "_asked_at",
        "_asking",
        "_base",
        "_begun",
        "_expires_ms",
        "_interval",
        "_known_at",
        "_mark",
        "_on_gone",
        "_out_of_reach",
        "_requests",
        "_timer",
        "_unit",
        "_use_due",
        "gone",
    )

    def __init__(self, requests: RequestSessions, unit: UnitOfWork, on_gone: Callable[[], None]) -> None:
        self.gone: bool = False
        """Whether the session was ended elsewhere, was given another id, or has expired."""
        self._requests = requests
        self._unit = unit
        self._on_gone = on_gone
        self._interval = requests.settings.lease.total_seconds() or _WITHOUT_LEASE
        self._armed = self._begun = False
        self._base: SessionRecord | None = None
        self._mark = Seen(0, 0)
        self._expires_ms = 0
        self._known_at = self._asked_at = self._use_due = 0.0
        self._out_of_reach = False
        self._timer: asyncio.TimerHandle | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def begun(self) -> bool:
        """Whether accesses to the session are counted as they occur, so that the connection's end is none (C-16)."""
        return self._begun

    async def begin(self) -> None:
        """Start the checks, if there is a session. The application's first access to it counts as one access."""
        record = self._unit.record
        if self._begun or record is None:
            return
        if not self._armed:
            self._armed = True
            self._schedule()
        if self._unit.is_accessed:
            self._begun = True
            self._follow(record)
            if not self._unit.is_committed:
                await self._note_use()

    async def allows(self, *, from_client: bool) -> bool:
        """Whether a message may pass, that is, whether the session still exists as far as known.

        Args:
            from_client: whether the client sent it. That is an access to the session, recorded once in
                `touch_interval`; a message of the server is none.
        """
        await self.begin()
        if not self._begun or self.gone:
            return not self.gone
        # Each message of the client is checked like a request; those of the server often enough.
        asks = not self._out_of_reach and (from_client or time.monotonic() - self._asked_at >= _READ_PACE)
        if not self._lookup() and asks and not await self._ask():
            return False
        if from_client and time.monotonic() >= self._use_due:
            await self._note_use()
        return True

    def stop(self) -> None:
        """Stop the checks."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            self._asking.cancel()

    # -- checks --------------------------------------------------------------------------------------------------------

    def _follow(self, record: SessionRecord) -> None:
        """Raise the watermark to what this connection has committed or refreshed."""
        if record is not self._base:
            older = self._mark.incarnation == record.incarnation and record.version < self._mark.version
            self._base, self._expires_ms = record, max(self._expires_ms, record.expires_ms)
            self._mark = self._mark if older else record.seen

    def _lookup(self) -> bool:
        """Whether the near cache confirms the session; true also of one that this connection has ended itself."""
        record = self._unit.record
        if record is None:
            return True
        self._follow(record)
        found = self._requests.repository.lookup_state(record.key, self._mark)
        if found is None:
            return False
        self._mark, self._expires_ms, self._known_at = found.seen, found.expires_ms, time.monotonic()
        return True

    async def _ask(self) -> bool:
        """Read the session from the store. False if it is gone."""
        record = self._unit.record
        if record is None:
            return True
        self._asked_at = now = time.monotonic()
        deadline = now + min(self._interval, self._requests.budget)
        try:
            found = await self._requests.read_state(record.key, self._mark, deadline=deadline)
        except StoreUnavailable as error:
            # Messages must not wait for each other's deadlines: from here on only the timer reads.
            self._out_of_reach = True
            _log.info("unwatched", "connections stay open while their sessions cannot be checked: %s", error)
            return True
        self._out_of_reach, self._known_at = False, time.monotonic()
        if found is None:
            self.gone = True
        elif isinstance(found, SessionChanges):
            self._mark, self._expires_ms = Seen(self._mark.incarnation, found.version), found.expires_ms
        elif found.key != record.key:
            self._expires_ms = found.expires_ms  # its id was renewed, and the old one is still valid (S-07)
        else:
            # Within one incarnation it is a lost history, which the connection accepts (C-12).
            self.gone = found.incarnation != self._mark.incarnation
            self._mark, self._expires_ms = found.seen, found.expires_ms
        return not self.gone

    async def _note_use(self) -> None:
        record = self._unit.record
        if record is None:
            return
        self._use_due = time.monotonic() + self._requests.settings.touch_interval.total_seconds()
        if self._requests.is_too_late_to_record(self._expires_ms) or not self._requests.record_access_of(record.key):
            await self._requests.touch(self._unit)

    # -- without messages ----------------------------------------------------------------------------------------------

    def _schedule(self) -> None:
        left = self._known_at + self._interval - time.monotonic()
        self._timer = asyncio.get_running_loop().call_later(left if left > 0 else self._interval, self._look)

    def _look(self) -> None:
        """Check the session, unless the check of a message was later than this timer's start, so that none is due
        yet.
        """
        if self.gone or self._unit.record is None:
            return
        if self._begun:
            is_confirmed = time.monotonic() - self._known_at < self._interval or self._lookup()
        else:
            is_confirmed = not self._unit.is_accessed
        if is_confirmed:
            self._schedule()
        else:
            self._asking = asyncio.get_running_loop().create_task(self._look_up(), name="wsgessions session watch")

    async def _look_up(self) -> None:
        try:
            await self.begin()
            lives = await self._ask()
        finally:
            self._asking = None
        if lives:
            self._schedule()
        else:
            self._on_gone()
