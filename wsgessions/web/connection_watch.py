"""Watches whether the session of an open connection still lives (C-17).

A request is judged once, at its start. A WebSocket or an open-ended stream outlives that judgement: its session may be
logged out or expire meanwhile. So its state is looked at again, with every message and at least once in a lease. Where
the near cache can vouch for it that costs no round trip; else it is one conditional read.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..errors import StoreUnavailable
from ..internal.log_throttle import LogThrottle
from ..record import Seen, SessionChanges
from ..session import UnitOfWork

if TYPE_CHECKING:
    from ..manager.request_sessions import RequestSessions
    from ..record import SessionRecord

__all__ = ["ConnectionWatch"]

_log = LogThrottle(logging.getLogger("wsgessions.connections"))

_WITHOUT_LEASE: Final = 1.5
"""Seconds between two looks where copies are never served, so that there is no lease."""
_READ_PACE: Final = 0.1
"""Seconds between two reads on account of what the server sends: a stream may have thousands of parts a second."""


class ConnectionWatch:
    """Looks after the session of one connection, once the application has looked into it.

    It never changes what the application sees: for the present state there is `Session.refresh`. It keeps a watermark
    of its own, so that nothing older than what the connection knows can vouch for the session. **Not to know is not to
    be gone** (F-00a): while the store cannot be asked, the connection lives on.

    Args:
        requests: the sessions of the manager's requests.
        unit: what the connection knows of its session.
        on_gone: called once, when the session turns out to be gone without a message asking.
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
        """Whether it has counted the uses of the session, so that the connection's end is none (C-16)."""
        return self._begun

    async def begin(self) -> None:
        """Watch from now on, if there is a session. That the application looks into it counts as one use."""
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
        """Whether a message may pass: whether the session still lives, as far as that can be known.

        Args:
            from_client: whether the client sent it. That is a use of the session, noted once in `touch_interval`;
                what the server sends is none.
        """
        await self.begin()
        if not self._begun or self.gone:
            return not self.gone
        # Whatever the client does is judged like a request; what the server sends, often enough.
        asks = not self._out_of_reach and (from_client or time.monotonic() - self._asked_at >= _READ_PACE)
        if not self._lookup() and asks and not await self._ask():
            return False
        if from_client and time.monotonic() >= self._use_due:
            await self._note_use()
        return True

    def stop(self) -> None:
        """Watch no longer."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._asking is not None:
            self._asking.cancel()

    # -- looking -------------------------------------------------------------------------------------------------------

    def _follow(self, record: SessionRecord) -> None:
        """What this connection has committed, or refreshed, raises its watermark."""
        if record is not self._base:
            older = self._mark.incarnation == record.incarnation and record.version < self._mark.version
            self._base, self._expires_ms = record, max(self._expires_ms, record.expires_ms)
            self._mark = self._mark if older else record.seen

    def _lookup(self) -> bool:
        """Whether memory vouches for the session; true also of one that this connection has ended by itself."""
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
        """Ask the store. False if the session is gone."""
        record = self._unit.record
        if record is None:
            return True
        self._asked_at = now = time.monotonic()
        deadline = now + min(self._interval, self._requests.budget)
        try:
            found = await self._requests.read_state(record.key, self._mark, deadline=deadline)
        except StoreUnavailable as error:
            # Messages must not wait for each other's deadlines: from here on only the timer asks.
            self._out_of_reach = True
            _log.info("unwatched", "connections stay open while their sessions cannot be looked at: %s", error)
            return True
        self._out_of_reach, self._known_at = False, time.monotonic()
        if found is None:
            self.gone = True
        elif isinstance(found, SessionChanges):
            self._mark, self._expires_ms = Seen(self._mark.incarnation, found.version), found.expires_ms
        elif found.key != record.key:
            self._expires_ms = found.expires_ms  # its id was renewed, and the old one still counts (S-07)
        else:
            # Of the same incarnation, it is a lost history, which the connection takes as it is (C-12).
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
        """A lease has passed since it was last known; or only since a message asked, and then it is not due yet."""
        if self.gone or self._unit.record is None:
            return
        if self._begun:
            vouched = time.monotonic() - self._known_at < self._interval or self._lookup()
        else:
            vouched = not self._unit.is_accessed
        if vouched:
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
