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
"""One argument of a command; text is sent as UTF-8, numbers in decimal form."""

_pack: Final = cast("Callable[[tuple[Argument, ...]], bytes]", hiredis.pack_command)  # its stub has an error

_PAUSE: Final = 0.05
"""Seconds, on average, before a command with the answer LOADING or BUSY is sent again."""


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
        # Only a guess, which saves sending the text again: the server may have dropped a script, and reports that
        # (NOSCRIPT).
        self._known_scripts: set[str] = set()

    @abstractmethod
    def bytes_before(self, content: bytes) -> int | None:
        """See `Connection.bytes_before`; for an `OnReply` during its call for this reply."""

    @abstractmethod
    def _submit(self, ticket: PendingRequest) -> asyncio.Future[Reply]:
        """Queue the request and create its future."""

    # No frame that waits for a reply keeps plain arguments: they are values, or the password (S-79, S-80).

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
        """Run a script, by its digest if the server probably has it, otherwise by its text."""
        call = ScriptCall(script, keys, args)
        return self.run(call, lambda wire: PendingRequest(wire, deadline, on_reply), deadline=deadline)

    async def run(self, call: ScriptCall, ticket_for: Callable[[bytes], PendingRequest], *, deadline: float) -> Reply:
        """Run a script with a custom request; ``ticket_for`` makes a new one each time it is sent."""
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
        """Send several commands as one unit: no other caller's commands come between them.

        ``on_reply`` is called for each reply in turn. If the server lacks a script, or is loading or busy, the whole
        unit is sent again, so all its commands must be repeatable.

        Returns:
            The reply to each command; an error reply is a `StoreRefused` in its place, for the caller to raise or
            handle.
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
    """Packs as hiredis does, at two thirds of the cost, because nearly all arguments are bytes already, and short."""
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
    """The separator of two arguments, with the length of the second one."""
    return b"\r\n$%d\r\n" % size


_SHORT: Final = 1024
_LENGTHS: Final = tuple(map(_length, range(_SHORT)))


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
