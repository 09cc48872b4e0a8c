"""Requests to a server: the bytes to send, the caller that waits, and what the replies mean.

A request is one object from its first sending to its answer. It packs its bytes anew for each sending, since the server
may lack a script, or a change may carry the time until which it may be applied.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import ClassVar, Protocol, TypeAlias, cast

from ....errors import StoreRefused
from ....internal.masked import masked, shows_as
from ....record.struct import Struct
from .replies import PASSING, Reply
from .script import Script

__all__ = [
    "Argument",
    "CommandRequest",
    "OnReply",
    "Packer",
    "PendingRequest",
    "PipelineRequest",
    "ScriptCall",
    "ScriptRequest",
    "Words",
]

Argument: TypeAlias = bytes | str | int | float
"""One argument of a command; text is sent as UTF-8, numbers in decimal form."""

OnReply = Callable[[Reply], None]
"""Called by the parser with every reply to a request, errors included, in stream order with the pushes (C-2)."""


@shows_as(lambda words: f"<{len(words)} words>")
class Words(tuple[Argument, ...]):
    """One command."""

    __slots__ = ()


@masked
class ScriptCall(Struct, frozen=True):
    """A script with its keys and arguments, as part of a pipeline."""

    script: Script
    keys: Sequence[Argument]
    args: Sequence[Argument] = ()


class Packer(Protocol):
    """Packs commands for one server. It is sent the digest of a script instead of the text if it probably has that."""

    def pack_command(self, words: Sequence[Argument]) -> bytes:
        """One command in the wire format."""
        ...

    def pack_script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument], *, whole: bool = False
    ) -> bytes:
        """The call of a script; ``whole``: by its text, since the server lacks it."""
        ...


@shows_as(lambda request: f"<{type(request).__name__}>")
class PendingRequest(Struct, kw_only=True, eq=False):
    """A request in the queue of a link. Once its future is resolved it is in no queue, and may be sent again.

    Nothing shows its content: it waits in frames that errors are shown with (S-79, S-80).
    """

    unanswered: ClassVar[str] = "the store has not answered in time"
    """The text of the error if there is no reply until then."""
    deadline: float
    """The instant of `time.monotonic` after which the caller no longer waits."""
    on_reply: OnReply | None = None
    wire: bytes = b""
    """The bytes to send."""
    sent_at: float = 0.0
    """When they were written to the connection, by the same clock."""
    future: asyncio.Future[Reply] = cast("asyncio.Future[Reply]", None)
    """Of the caller; made when the request is queued."""

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """The bytes of the next sending, see `wire`.

        Args:
            packer: of the server.
            whole: whether it lacks a script of this request.
            resend: whether an earlier sending may have been carried out.
        """
        return self.wire

    def take(self, reply: Reply) -> bool:
        """Called by the parser with each reply to this request; returns whether it was the last one."""
        if self.on_reply is not None:
            self.on_reply(reply)
        self.answer(reply)
        return True

    def refusal(self, answer: Reply) -> StoreRefused | None:
        """The error by which the server has refused the request as a whole, if that is the answer."""
        return answer if type(answer) is StoreRefused else None

    def answer(self, reply: Reply) -> None:
        """Resolve the future of the caller, if it still waits."""
        if not self.future.done():
            self.future.set_result(reply)

    def fail(self, error: Exception) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class CommandRequest(PendingRequest, kw_only=True, eq=False):
    """One command."""

    words: Words

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        return packer.pack_command(self.words)


class ScriptRequest(PendingRequest, kw_only=True, eq=False):
    """One script."""

    call: ScriptCall

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        call = self.call
        return packer.pack_script(call.script, call.keys, call.args, whole=whole)


class PipelineRequest(PendingRequest, kw_only=True, eq=False):
    """Several commands as one unit: no other caller's commands come between them.

    The answer is the list of the replies; an error reply is a `StoreRefused` in its place.
    """

    commands: Sequence[Sequence[Argument] | ScriptCall]
    replies: list[Reply] = []  # noqa: RUF012 - a struct makes a new one for each object
    is_whole: bool = False
    """Whether the texts of its scripts were sent."""

    def pack(self, packer: Packer, *, whole: bool = False, resend: bool = False) -> bytes:
        """See `PendingRequest.pack`."""
        self.replies, self.is_whole = [], whole
        return b"".join(
            [
                packer.pack_script(each.script, each.keys, each.args, whole=whole)
                if isinstance(each, ScriptCall)
                else packer.pack_command(each)
                for each in self.commands
            ]
        )

    def take(self, reply: Reply) -> bool:
        """See `PendingRequest.take`."""
        if self.on_reply is not None:
            self.on_reply(reply)
        self.replies.append(reply)
        if len(self.replies) != len(self.commands):
            return False
        self.answer(self.replies)
        return True

    def refusal(self, answer: Reply) -> StoreRefused | None:
        """Only if the whole unit is to be sent again; other errors stay in their places."""
        refused = [each for each in self.replies if type(each) is StoreRefused]
        for each in refused:
            if each.server_code in PASSING:
                return each
        for each in refused:
            if each.server_code == "NOSCRIPT" and not self.is_whole:
                return each
        return None
