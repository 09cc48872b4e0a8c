"""Sends requests, repeats them where possible, and reports their outcome if no answer comes (C-9, C-20, F-26)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from ...errors import NonStopTimeout, StoreRefused, StoreUnavailable
from ...record.clock import StoreClock
from .client.commands import Argument, ScriptCall
from .client.link import Link
from .client.replies import LinkLost, Reply
from .diagnostics import StoreDiagnostics
from .format.metadata import is_too_late

__all__ = ["Sender"]

_SENDINGS: Final = 3
"""The largest number of sendings of a request, the first included (F-00b)."""
_UNKNOWN: Final = "the store has not confirmed the request, which may or may not have been carried out"


class Sender:
    """Sends the requests of one store object to its server.

    Args:
        link: the connection.
        clock: the store's time.
        trouble: counts repeated requests.
    """

    def __init__(self, link: Link, clock: StoreClock, trouble: StoreDiagnostics) -> None:
        self._link = link
        self._clock = clock
        self._trouble = trouble

    async def answers(self, commands: Sequence[Sequence[Argument] | ScriptCall], deadline: float) -> list[Reply]:
        """The replies to several commands; raises the first error among them."""
        replies: list[Reply] = await self.send(lambda _: self._link.pipeline(commands, deadline=deadline))
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        return replies

    async def send(self, send: Callable[[bool], Awaitable[Reply]]) -> Reply:
        """Send a request, and send it again, marked as a resend, when the link is lost before the reply (C-9, F-26).

        Raises:
            NonStopTimeout: the deadline has passed, or the request was sent and no reply can come any more; see its
                `unknown`.
        """
        try:
            return await send(False)
        except LinkLost as error:
            return await self._send_again(send, error)

    async def _send_again(self, send: Callable[[bool], Awaitable[Reply]], lost: LinkLost) -> Reply:
        """The first sending was lost, before or after it had left."""
        if not lost.sent:
            raise StoreUnavailable("the store is closed", hint="start it again") from lost
        for _ in range(_SENDINGS - 1):
            self._trouble.resent += 1
            try:
                return await send(True)
            except NonStopTimeout:
                raise
            except StoreUnavailable as error:
                if not (isinstance(error, LinkLost) and error.sent):
                    raise NonStopTimeout(f"{_UNKNOWN}: the link was lost, then {error}", unknown=True) from error
        self._trouble.resent += 1
        raise NonStopTimeout(f"{_UNKNOWN}: the link was lost {_SENDINGS} times", unknown=True)

    async def change(
        self, send: Callable[[bool, int], Awaitable[Reply]], deadline: float, doubt: Callable[[], None] | None = None
    ) -> Reply:
        """Send a change of the store, which is applied before the deadline or not at all (C-20).

        A change that came too late by the store's clock is sent again while there is time: the estimate of the clock
        was wrong. An unknown outcome is reported at the deadline, when the change cannot be applied any more: the error
        response of the application is then correct from that moment on.

        Args:
            send: called with whether this is a resend, and the store's time after which the script must change nothing.
            deadline: see `Store`.
            doubt: called if the outcome stays unknown, to drop the cached copy: otherwise the next read could return
                it, and would not show the outcome of the change.

        Raises:
            NonStopTimeout: the change was not applied, or may have been; see its `unknown`.
        """
        clock = self._clock
        for _ in range(_SENDINGS):
            sent_at = time.monotonic()
            try:
                try:
                    reply = await send(False, clock.not_after(deadline))
                except LinkLost as lost:
                    reply = await self._send_again(lambda resend: send(resend, clock.not_after(deadline)), lost)
            except NonStopTimeout as error:
                if error.unknown:
                    await self.outlast(deadline)
                    if doubt is not None:
                        doubt()
                raise
            if type(reply) is bytes or not is_too_late(reply):
                return reply
            clock.observe(reply[1], sent_at=sent_at)
            if time.monotonic() >= deadline:
                break
        raise NonStopTimeout("the store came to a change too late; nothing was changed")

    async def outlast(self, deadline: float) -> None:
        """Wait until a change that was sent with this deadline cannot be applied any more (C-20)."""
        await asyncio.sleep(self._clock.patience(deadline))
