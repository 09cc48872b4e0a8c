"""Connects a link again: when to try, the back-off after failures, and the errors for waiting callers."""

from __future__ import annotations

import asyncio
import logging
import math
import ssl
from collections.abc import Awaitable, Callable
from typing import Final

from ....errors import ConfigError, StoreRefused, StoreUnavailable, WsgessionsError
from ....internal import real_time as time
from ....internal.jitter import chance
from ....internal.outage import OUTAGE
from ....internal.own_context import begin_task
from ....store.address import Address, Locate
from .connection import Connection

__all__ = ["Reconnector"]

_log = logging.getLogger("wsgessions.link")

_FIRST_BACKOFF: Final = 0.05
_MAX_BACKOFF: Final = 1.0
_REFUSED_BACKOFF: Final = 2.0
"""Seconds between attempts if the server rejects the credentials, which rarely changes quickly (F-23)."""
_STEADY: Final = 1.0
"""Seconds that a connection must live so that its loss does not count as one more failure in a row."""

_NOT_LET_IN: Final = frozenset({"NOAUTH", "WRONGPASS", "NOPERM", "NOPROTO", "DENIED", "ERR"})


class Reconnector:
    """Connects while a connection is needed, and is idle otherwise.

    Args:
        locate: called for the address before every attempt.
        connect: one attempt.
        wanted: whether a request waits for a connection.
        adopt: called with the new connection.
        refuse: called with a function that makes the error for each waiting caller, when a retry is useless.
        timeout: seconds for one attempt; `locate` has its own limits.
    """

    def __init__(
        self,
        *,
        locate: Locate,
        connect: Callable[[Address], Awaitable[Connection]],
        wanted: Callable[[], bool],
        adopt: Callable[[Connection], None],
        refuse: Callable[[Callable[[], StoreUnavailable]], None],
        timeout: float,
    ) -> None:
        self.address: Address | None = None
        """The server that was tried last."""
        self.trouble: str = "not yet tried to connect"
        """Why there is no connection, without credentials."""
        self._locate = locate
        self._connect = connect
        self._wanted = wanted
        self._adopt = adopt
        self._refuse = refuse
        self._timeout = timeout
        self._task: asyncio.Task[None] | None = None
        self._failures = 0
        self._failure = ""
        self._not_before = -math.inf
        self._lost_at: float | None = None
        """Since when the log says that there is no link."""
        self._told = ""

    def want(self) -> None:
        """Start connecting, if a connection is needed."""
        if self._task is None and self._wanted():
            self._task = begin_task(self._work(), name="wsgessions link")

    def lost(self, connection: Connection) -> None:
        """Record why a connection was lost, and whether it was short-lived."""
        self.trouble = f"{self.address}: {connection.lost}"
        now = time.monotonic()
        self._failures = 0 if now - connection.since >= _STEADY else self._failures + 1
        if self._failures > 1:
            self._rest(_FIRST_BACKOFF)
        self._tell_lost(self.trouble)

    def _tell_lost(self, why: str) -> None:
        self._lost_at = time.monotonic()
        OUTAGE.begin(self)
        _log.warning("store lost (%s)", why, extra={"event": "store_lost"})

    async def stop(self) -> None:
        OUTAGE.end(self)
        self._lost_at = None
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _work(self) -> None:
        try:
            while self._wanted():
                await asyncio.sleep(max(0.0, self._not_before - time.monotonic()))
                connection = await self._attempt()
                if connection is not None and connection.lost is None:
                    return self._made(connection)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    def _made(self, connection: Connection) -> None:
        self.trouble = self._failure = self._told = ""
        if self._lost_at is None:
            _log.info("linked to the store at %s", self.address, extra={"event": "link_made"})
        else:
            seconds, self._lost_at = time.monotonic() - self._lost_at, None
            text = "store back after %.0f s, %d requests answered 503 (%s)"
            _log.warning(text, seconds, OUTAGE.end(self), self.address, extra={"event": "store_back"})
        # The task counts as ended from here on: if the connection is lost at once, another task must be started.
        self._task = None
        self._adopt(connection)

    async def _attempt(self) -> Connection | None:
        # A caller that gives up during an attempt gets the error of the previous attempt.
        self.trouble = self._failure or "still connecting"
        try:
            self.address = await self._locate()
            self.trouble = self._failure or f"{self.address}: still connecting{self._tls_doubt()}"
            async with asyncio.timeout(self._timeout):
                return await self._connect(self.address)
        except Exception as error:  # noqa: BLE001 - each kind is told to a caller below
            self._failures += 1
            self._fail(error)
        return None

    def _fail(self, error: Exception) -> None:
        lasting = _lasting(error)
        if lasting is not None:
            self._rest(_REFUSED_BACKOFF)
            self._refuse(lambda: _told(lasting, self.address))
        else:
            self._rest(_FIRST_BACKOFF)
        late = f"no answer within {self._timeout:g} s{self._tls_doubt()}"
        reason = late if isinstance(error, TimeoutError) else lasting or error
        self.trouble = self._failure = f"{self.address}: {reason}"
        if self._lost_at is None:
            self._tell_lost(self.trouble)
        elif lasting is not None and self.trouble != self._told:
            _log.warning("the store is there, but cannot be used: %s", self.trouble, extra={"event": "store_unusable"})
        else:
            _log.debug("no link to the store: %s", self.trouble, extra={"event": "link_failed"})
        self._told = self.trouble

    def _tls_doubt(self) -> str:
        """A server without TLS treats our greeting as the beginning of a command, and waits for the rest of it."""
        return "; does it speak TLS at this port?" if self.address is not None and self.address.tls is not None else ""

    def _rest(self, first: float) -> None:
        """Wait before the next attempt: longer after more failures in a row, with jitter between processes."""
        longest = max(first, min(_MAX_BACKOFF, first * 2.0 ** min(self._failures - 1, 10)))
        self._not_before = time.monotonic() + longest * chance.uniform(0.5, 1.0)


def _lasting(error: Exception) -> WsgessionsError | None:
    """The error text if the error is permanent; None if a retry makes sense."""
    match error:
        case ssl.SSLCertVerificationError():
            return StoreUnavailable(
                f"the server's certificate is refused: {error.verify_message}",
                hint="check host, ca and server_name in store_url, and the certificate's dates",
            )
        case ssl.SSLError() if not isinstance(error, ssl.SSLEOFError):
            return StoreUnavailable(f"TLS failed: {error.reason}", hint="is this the server's TLS port?")
        case ConfigError():
            return error
        case StoreRefused():
            return error if error.server_code in _NOT_LET_IN and "max number of clients" not in str(error) else None
        case OSError() | StoreUnavailable():
            return None
        case _:
            _log.error("the attempt to connect failed", exc_info=error, extra={"event": "link_failed"})
            return StoreUnavailable(f"the attempt to connect failed with {type(error).__name__}", hint="see the log")


def _told(lasting: WsgessionsError, address: Address | None) -> StoreUnavailable:
    """The error for one caller; each gets an exception of its own, since raising one adds to it."""
    message, where = str(lasting.args[0]), f"{address}: " if address else ""
    if isinstance(lasting, StoreRefused):
        return StoreRefused(where + message, server_code=lasting.server_code, hint=lasting.hint)
    told = StoreUnavailable(where + message, hint=lasting.hint)
    told.__cause__ = lasting
    return told
