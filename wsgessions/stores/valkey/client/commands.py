"""What can be asked over a link: one command, one script, or several of them in one piece.

Errors of every method here:

* `NonStopTimeout`: the deadline has passed; a write may or may not have happened.
* `LinkLost`: the link died when the command may have been sent; the caller knows whether it bears repetition (C-9).
* `StoreRefused`: the server said no; ``server_code`` is the first word of its answer.
* `StoreUnavailable`: there was no connection until the deadline; nothing was sent.

A command that was never sent is not lost with a connection: it goes out on the next one, within its deadline.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NamedTuple, TypeAlias, cast

import hiredis

from ....errors import StoreRefused
from ....internal.jitter import chance
from ....internal.masked import masked, shows_as
from ....store.contract import NEVER
from .connection import OnReply, PendingRequest
from .replies import PASSING, Reply
from .script import Script

__all__ = ["Argument", "Commands", "ScriptCall"]

Argument: TypeAlias = bytes | str | int | float
"""One argument of a command; text travels as UTF-8, numbers as their decimal form."""

_pack: Final = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)  # its stub has a slip

_PAUSE: Final = 0.05
"""Seconds, on average, before a command that met LOADING or BUSY is sent again."""


@masked
class ScriptCall(NamedTuple):
    """A script with its keys and arguments, as part of a pipeline."""

    script: Script
    keys: Sequence[Argument]
    args: Sequence[Argument] = ()


@shows_as(lambda words: f"<{len(words)} words>")
class _Words(tuple[Argument, ...]):
    """One command."""

    __slots__ = ()


class Commands(ABC):
    """Requests to one server. Replies come as `Reply` describes; keyword arguments are the same throughout:

    * ``deadline``: the instant of `time.monotonic` after which the caller no longer waits.
    * ``on_reply``: see `OnReply`.
    """

    def __init__(self) -> None:
        # Only a guess, which saves sending the text again: the server may forget a script, and says so (NOSCRIPT).
        self._known_scripts: set[str] = set()

    @abstractmethod
    def bytes_before(self, content: bytes) -> int | None:
        """See `Connection.bytes_before`; for an `OnReply` that is being told of this reply."""

    @abstractmethod
    def _submit(self, ticket: PendingRequest) -> asyncio.Future[Reply]:
        """Put the ticket in line and give it its future."""

    # No frame that waits for a reply holds arguments by themselves: they are values, or the password (S-79, S-80).

    def request(
        self, *args: Argument, deadline: float = NEVER, on_reply: OnReply | None = None
    ) -> Coroutine[Any, Any, Reply]:
        """Send one command: ``await link.request(b"HGETALL", key)``."""
        return self._repeat(_Words(args), deadline, on_reply)

    async def _repeat(self, words: _Words, deadline: float, on_reply: OnReply | None) -> Reply:
        reply = await self._submit(PendingRequest(_pack(words), deadline, on_reply))
        while type(reply) is StoreRefused:
            await _wait_out(reply, deadline)
            reply = await self._submit(PendingRequest(_pack(words), deadline, on_reply))
        return reply

    def call(
        self,
        script: Script,
        keys: Sequence[Argument],
        args: Sequence[Argument] = (),
        *,
        deadline: float = NEVER,
        on_reply: OnReply | None = None,
    ) -> Coroutine[Any, Any, Reply]:
        """Run a script, by its digest where the server is thought to know it, otherwise by its text."""
        call = ScriptCall(script, keys, args)
        return self.run(call, lambda wire: PendingRequest(wire, deadline, on_reply), deadline=deadline)

    async def run(self, call: ScriptCall, ticket_for: Callable[[bytes], PendingRequest], *, deadline: float) -> Reply:
        """Run a script on a ticket of one's own making; ``ticket_for`` is asked for another each time it is sent."""
        reply = await self._submit(ticket_for(self._pack_script(*call)))
        whole = False
        while type(reply) is StoreRefused:
            if reply.server_code == "NOSCRIPT" and not whole:
                whole = True
            else:
                await _wait_out(reply, deadline)
            reply = await self._submit(ticket_for(self._pack_script(*call, whole=whole)))
        return reply

    async def pipeline(
        self,
        commands: Sequence[Sequence[Argument] | ScriptCall],
        *,
        deadline: float = NEVER,
        on_reply: OnReply | None = None,
    ) -> list[Reply]:
        """Send several commands in one piece: no other caller's commands come between them.

        ``on_reply`` is called for each reply in turn. If the server lacks a script, or is loading or busy, the whole is
        sent again, so everything in it must bear repetition.

        Returns:
            The reply to each command; that of a refused one is its `StoreRefused`, for the caller to raise or handle.
        """
        if not commands:
            return []
        whole = False
        while True:
            wire = b"".join([self._pack_command(command, whole=whole) for command in commands])
            replies = await self._submit(PendingRequest(wire, deadline, on_reply, len(commands)))
            refused = [reply for reply in replies if type(reply) is StoreRefused]
            passing = [each for each in refused if each.server_code in PASSING]
            missing = not whole and any(each.server_code == "NOSCRIPT" for each in refused)
            if passing:
                await _wait_out(passing[0], deadline)
            elif not missing:
                return list(replies)
            whole = whole or missing

    def _pack_command(self, command: Sequence[Argument] | ScriptCall, *, whole: bool) -> bytes:
        if isinstance(command, ScriptCall):
            return self._pack_script(*command, whole=whole)
        return _pack(tuple(command))

    def _pack_script(
        self, script: Script, keys: Sequence[Argument], args: Sequence[Argument], *, whole: bool = False
    ) -> bytes:
        arguments = (b"%d" % len(keys), *keys, *args)
        if script.sha1 in self._known_scripts and not whole:
            return _pack_by_name(script, arguments)
        self._known_scripts.add(script.sha1)
        return _pack((b"EVAL", script.source, *arguments))


def _pack_by_name(script: Script, arguments: Sequence[Argument]) -> bytes:
    """As hiredis would, at two thirds of the cost, because nearly all arguments are bytes already, and short."""
    wire = [b"*%d" % (2 + len(arguments)), script.by_name]
    add = wire.append
    for each in arguments:
        octets = each if type(each) is bytes else str(each).encode()
        size = len(octets)
        add(_LENGTHS[size] if size < _SHORT else _length(size))
        add(octets)
    add(b"\r\n")
    return b"".join(wire)


def _length(size: int) -> bytes:
    """What stands between two arguments, of which the second has so many bytes."""
    return b"\r\n$%d\r\n" % size


_SHORT: Final = 1024
_LENGTHS: Final = tuple(map(_length, range(_SHORT)))


async def _wait_out(refused: StoreRefused, deadline: float) -> None:
    """Pause where the refusal passes by itself, within the deadline; raise it otherwise.

    The refusal is also what is told if the pause took too long: it says, other than a timeout, that nothing was done.
    """
    pause = _PAUSE * chance.uniform(0.5, 1.5)  # spreads callers, hides nothing
    if refused.server_code not in PASSING or time.monotonic() + pause >= deadline:
        raise refused
    await asyncio.sleep(pause)
    if time.monotonic() >= deadline:
        raise refused
