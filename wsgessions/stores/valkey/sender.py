"""Sends requests, repeats them where possible, and reports their outcome if no answer comes (C-9, C-20, F-26).

All requests about sessions pass through here, and what sends them knows no server: several primaries, and a failover to
another one, are a matter of this module and of the links behind it. Only what belongs to one server uses its link
directly: tracking, the heartbeat, the watch for another store, the acknowledgements of replicas, and the passes of the
upkeep, which come again by themselves.

```
request -> submit -> the link's queue -> its future: nearly always the answer
           settle:   lost link, missing script, busy server, too late   the same request, sent again
```
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, ClassVar, Final

from ...errors import NonStopTimeout, StoreRefused, StoreUnavailable
from ...internal import real_time as time
from ...record import SessionKey
from ...record.clock import StoreClock
from .agreement import Agreement
from .client.commands import Requests
from .client.link import Link
from .client.replies import LinkLost, Reply
from .client.requests import (
    Argument,
    OnReply,
    Packer,
    PendingRequest,
    ScriptCall,
)
from .client.script import Script
from .diagnostics import StoreDiagnostics
from .format.metadata import is_too_late
from .format.segments import Segment, Segments

__all__ = ["ChangeRequest", "ScriptChange", "Sender"]

_SENDINGS: Final = 3
"""The largest number of sendings of a request, the first included (F-00b)."""
_UNKNOWN: Final = "the store has not confirmed the change, which may or may not have been carried out"
_UNREAD: Final = "the store has not answered"


class ChangeRequest(PendingRequest, kw_only=True, eq=False):
    """A change, which the store makes before its caller's deadline or not at all (C-20)."""

    unanswered: ClassVar[str] = "the store has not answered in time; the write may or may not have happened"
    clock: StoreClock

    def doubt(self) -> None:
        """Called if the outcome stays unknown, to drop the cached copy: otherwise the next read could return it, and
        would not show the outcome of the change.
        """


class ScriptChange(ChangeRequest, kw_only=True, eq=False):
    """A change by one script."""

    script: Script
    keys: Sequence[bytes]

    def arguments(self, *, resend: bool, not_after: int) -> Sequence[Argument]:
        """The arguments of the script.

        Args:
            resend: whether an earlier sending may have been carried out.
            not_after: the store's time after which the script must change nothing.
        """
        return (not_after,)

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        arguments = self.arguments(resend=resend, not_after=self.clock.not_after(self.deadline))
        return packer.pack_script(self.script, self.keys, arguments, whole=whole)


class _Change(ScriptChange, kw_only=True, eq=False):
    """Any change that needs no class of its own."""

    make_arguments: Callable[[bool, int], Sequence[Argument]]
    on_doubt: Callable[[], None] | None = None

    def arguments(self, *, resend: bool, not_after: int) -> Sequence[Argument]:
        """See `ScriptChange.arguments`."""
        return self.make_arguments(resend, not_after)

    def doubt(self) -> None:
        """See `ChangeRequest.doubt`."""
        if self.on_doubt is not None:
            self.on_doubt()


class Sender(Requests):
    """Sends the requests of one store object.

    Args:
        link: the connection to the primary.
        agreement: knows the segments.
        clock: the store's time.
        diagnostics: counts repeated requests.
    """

    def __init__(self, link: Link, agreement: Agreement, clock: StoreClock, diagnostics: StoreDiagnostics) -> None:
        self.link: Final = link
        self.agreement: Final = agreement
        self.clock: Final = clock
        self._diagnostics = diagnostics

    # Where

    async def known_segments(self, deadline: float) -> Segments:
        """The segments; connects if they are not known yet."""
        if self.agreement.segments is None:
            await self.link.start(deadline=deadline)
        assert self.agreement.segments is not None  # noqa: S101 - for type checkers: every connection has agreed
        return self.agreement.segments

    async def segment(self, key: SessionKey, deadline: float) -> Segment:
        """The segment of a session."""
        segments = self.agreement.segments
        return (await self.known_segments(deadline) if segments is None else segments).of(key)

    # Requests that may be repeated: reads, and changes that do the same again

    async def answers(self, commands: Sequence[Sequence[Argument] | ScriptCall], *, deadline: float) -> list[Reply]:
        """The replies to several commands; raises the first error among them."""
        replies = await self.pipeline(commands, deadline=deadline)
        for reply in replies:
            if isinstance(reply, StoreRefused):
                raise reply
        return replies

    async def ask(self, request: PendingRequest) -> Reply:
        """Send a request, and send it again when the link is lost before the answer (F-26).

        Raises:
            NonStopTimeout: the deadline has passed, or the request was sent and no reply can come any more; see its
                `unknown`.
        """
        try:
            return await self.link.ask(request)
        except LinkLost as lost:
            return await self._until_answered(request, lost)

    # Changes

    def change(
        self,
        script: Script,
        keys: Sequence[bytes],
        arguments: Callable[[bool, int], Sequence[Argument]],
        *,
        deadline: float,
        on_reply: OnReply | None = None,
        doubt: Callable[[], None] | None = None,
    ) -> Coroutine[Any, Any, Reply]:
        """Run a script that changes something, see `carry_out`.

        Args:
            script: its last step may be to change nothing, since it is too late.
            keys: its keys.
            arguments: see `ScriptChange.arguments`.
            deadline: see `Store`.
            on_reply: see `OnReply`.
            doubt: see `ChangeRequest.doubt`.
        """
        request = _Change(
            deadline=deadline,
            clock=self.clock,
            script=script,
            keys=keys,
            make_arguments=arguments,
            on_reply=on_reply,
            on_doubt=doubt,
        )
        return self.carry_out(request)

    async def carry_out(self, request: ChangeRequest) -> Reply:
        """Send a change of the store, which is applied before the deadline or not at all (C-20).

        Raises:
            NonStopTimeout: the change was not applied, or may have been; see its `unknown`.
        """
        request.wire = request.pack(self.link)
        try:
            answer = await self.link.submit(request)
        except StoreUnavailable as error:
            return await self.settle(request, error)
        if type(answer) is StoreRefused or is_too_late(answer):
            return await self.settle(request, answer)
        return answer

    async def settle(self, request: ChangeRequest, answer: Reply) -> Reply:
        """Go on with a change whose first sending did not get a plain answer.

        A change that came too late by the store's clock is sent again while there is time: the estimate of the clock
        was wrong. An unknown outcome is reported at the deadline, when the change cannot be applied any more: the error
        response of the application is then correct from that moment on.

        Args:
            request: the change.
            answer: the reply, or the error in its place.

        Raises:
            NonStopTimeout: see `carry_out`.
        """
        try:
            if type(answer) is StoreRefused:
                try:
                    answer = await self.link.ask_again(request, answer)
                except LinkLost as lost:
                    answer = lost
            return await self._until_answered(request, answer)
        except NonStopTimeout as error:
            if error.unknown:
                await self.outlast(request.deadline)
                request.doubt()
            raise

    async def _until_answered(self, request: PendingRequest, answer: Reply) -> Reply:
        """Send a request again as often as is allowed: after a loss of the link marked as a resend."""
        losses = latenesses = 0
        unknown = _UNKNOWN if isinstance(request, ChangeRequest) else _UNREAD
        try:
            while True:
                if isinstance(answer, LinkLost) and answer.sent:
                    losses += 1
                    self._diagnostics.resent += 1
                    if losses == _SENDINGS:
                        raise NonStopTimeout(f"{unknown}: the link was lost {_SENDINGS} times", unknown=True)
                elif isinstance(answer, StoreUnavailable):
                    if losses and not isinstance(answer, NonStopTimeout):
                        raise NonStopTimeout(f"{unknown}: the link was lost, then {answer}", unknown=True) from answer
                    if isinstance(answer, LinkLost):
                        raise StoreUnavailable("the store is closed", hint="start it again") from answer
                    raise answer
                elif is_too_late(answer):
                    self.clock.observe(answer[1], sent_at=request.sent_at)
                    losses, latenesses = 0, latenesses + 1
                    if latenesses == _SENDINGS or time.monotonic() >= request.deadline:
                        raise NonStopTimeout("the store came to a change too late; nothing was changed")
                else:
                    return answer
                try:
                    answer = await self.link.ask(request, resend=losses > 0)
                except StoreUnavailable as error:
                    answer = error
        finally:
            del answer  # an error refers to this frame

    async def outlast(self, deadline: float) -> None:
        """Wait until a change that was sent with this deadline cannot be applied any more (C-20)."""
        await asyncio.sleep(self.clock.patience(deadline))
