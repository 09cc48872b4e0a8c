"""The requests over a link: one command, one script, or several of them as one unit.

Errors of every method here:

* `NonStopTimeout`: the deadline has passed; a write may or may not have happened.
* `LinkLost`: the link died when the command may have been sent; the caller decides whether it may be repeated (C-9).
* `StoreRefused`: the server sent an error; ``server_code`` is its first word.
* `StoreUnavailable`: there was no connection until the deadline; nothing was sent.

A command that was never sent is not lost with a connection: it is sent on the next one, within its deadline.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from itertools import chain
from typing import Any, Final, cast

import hiredis

from ....errors import StoreRefused
from ....internal import real_time as time
from ....internal.jitter import chance
from ....store.contract import NEVER
from .replies import PASSING, Reply
from .requests import (
    Argument,
    CommandRequest,
    OnReply,
    PendingRequest,
    PipelineRequest,
    ScriptCall,
    ScriptRequest,
    Words,
)
from .script import Script

__all__ = ["Commands", "Requests"]

_pack: Final = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)  # its stub has an error

_PAUSE: Final = 0.05
"""Seconds, on average, before a command with the answer LOADING or BUSY is sent again."""


class Requests(ABC):
    """Requests whose answer is awaited. Replies come as `Reply` describes; keyword arguments are the same throughout:

    * ``deadline``: the instant of `time.monotonic` after which the caller no longer waits.
    * ``on_reply``: see `OnReply`.
    """

    @abstractmethod
    def ask(self, request: PendingRequest) -> Coroutine[Any, Any, Reply]:
        """Send a request, which is not packed yet; returns its answer."""

    # No frame that waits for a reply keeps plain arguments: they are values, or the password (S-79, S-80).

    def request(
        self, *args: Argument, deadline: float = NEVER, on_reply: OnReply | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """Send one command: ``await link.request(b"HGETALL", key)``."""
        return self.ask(CommandRequest(words=Words(args), deadline=deadline, on_reply=on_reply))

    def call(
        self,
        script: Script,
        keys: Sequence[Argument],
        args: Sequence[Argument] = (),
        *,
        deadline: float = NEVER,
        on_reply: OnReply | None = None,
    ) -> Coroutine[Any, Any, Reply]:
        """Run a script, by its digest if the server probably has it, otherwise by its text."""
        return self.ask(ScriptRequest(call=ScriptCall(script, keys, args), deadline=deadline, on_reply=on_reply))

    async def pipeline(
        self,
        commands: Sequence[Sequence[Argument] | ScriptCall],
        *,
        deadline: float = NEVER,
        on_reply: OnReply | None = None,
    ) -> list[Reply]:
        """Send several commands as one unit: no other caller's commands come between them.

        ``on_reply`` is called for each reply in turn. If the server lacks a script, or is loading or busy, the whole
        unit is sent again, so all its commands must be repeatable.

        Returns:
            The reply to each command; an error reply is a `StoreRefused` in its place, for the caller to raise or
            handle.
        """
        if not commands:
            return []
        request = PipelineRequest(commands=commands, deadline=deadline, on_reply=on_reply)
        del commands
        replies: list[Reply] = await self.ask(request)
        return replies


class Commands(Requests):
    """Requests to one server."""

    def __init__(self) -> None:
        # Only a guess, which saves sending the text again: the server may have dropped a script, and reports that
        # (NOSCRIPT).
        self._known_scripts: set[str] = set()

    @abstractmethod
    def bytes_before(self, content: bytes) -> int | None:
        """See `Connection.bytes_before`; for an `OnReply` during its call for this reply."""

    @abstractmethod
    def submit(self, request: PendingRequest) -> asyncio.Future[Reply]:
        """Queue a packed request for one sending, and create its future."""

    async def ask(self, request: PendingRequest, *, resend: bool = False) -> Reply:
        """Send a request, and return its answer; raises it if it is a lasting error.

        Args:
            request: not packed yet.
            resend: see `PendingRequest.pack`.
        """
        request.wire = request.pack(self, resend=resend)
        answer = await self.submit(request)
        refused = request.refusal(answer)
        if refused is None:
            return answer
        del answer
        return await self.ask_again(request, refused, resend=resend)

    async def ask_again(self, request: PendingRequest, refused: StoreRefused, *, resend: bool = False) -> Reply:
        """Send a request again that the server has refused, if it has done so for now.

        Args:
            request: nothing of it was carried out.
            refused: the refusal; raised if it is a lasting one.
            resend: see `PendingRequest.pack`.
        """
        whole = False
        while True:
            if refused.server_code == "NOSCRIPT" and not whole:
                whole = True
            else:
                await _wait_out(refused, request.deadline)
            request.wire = request.pack(self, whole=whole, resend=resend)
            answer = await self.submit(request)
            again = request.refusal(answer)
            if again is None:
                return answer
            refused = again
            del answer

    def pack_command(self, words: Sequence[Argument]) -> bytes:
        """See `Packer.pack_command`."""
        return _pack(tuple(words))

    def pack_script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument], *, whole: bool = False
    ) -> bytes:
        """See `Packer.pack_script`."""
        if whole or script.sha1 not in self._known_scripts:
            self._known_scripts.add(script.sha1)
            return _pack((b"EVAL", script.source, len(keys), *keys, *args))
        words: tuple[Any, ...] = (b"%d" % len(keys), *keys, *args)
        try:  # as hiredis does, at a fraction of the cost, for arguments that are bytes already, and short
            parts = chain.from_iterable(zip(map(_SEPARATORS.__getitem__, map(len, words)), words, strict=True))
            return b"".join((b"*%d" % (2 + len(words)), script.by_name, *parts, b"\r\n"))
        except (TypeError, IndexError):
            return _pack((b"EVALSHA", script.sha1, *words))


_SEPARATORS: Final = tuple(b"\r\n$%d\r\n" % size for size in range(1024))
"""The separators of two arguments, by the length of the second one."""


async def _wait_out(refused: StoreRefused, deadline: float) -> None:
    """Pause if the error is temporary, within the deadline; raise it otherwise.

    The error is also raised if the pause took too long: unlike a timeout, it says that nothing was changed.
    """
    pause = _PAUSE * chance.uniform(0.5, 1.5)  # spreads callers; not a secret
    if refused.server_code not in PASSING or time.monotonic() + pause >= deadline:
        raise refused
    await asyncio.sleep(pause)
    if time.monotonic() >= deadline:
        raise refused
