"""A child process of the supervisor: its start, readiness, end, and output."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

__all__ = ["Child", "StartFailed"]

_START_SECONDS: Final = 30.0
_END_SECONDS: Final = 2.0
_LAST_WORDS_SECONDS: Final = 0.5
_LINE_BYTES: Final = 1 << 20


class StartFailed(Exception):
    """A child did not start; the text names it and how it ended. Its own output gives the reason."""


class Child:
    """One child process, over all its lives, in a session of its own, so that Ctrl-C reaches the supervisor alone.

    Args:
        name: for messages.
        arguments: of `wsgessions_cart.child`.
        environment: its whole environment.
        hear: called with each line of its standard output; sets `ready` at the right one.
        complain: called with each line of its standard error.
    """

    def __init__(
        self,
        name: str,
        arguments: list[str],
        environment: Mapping[str, str],
        *,
        hear: Callable[[Child, str], None],
        complain: Callable[[str], None],
    ) -> None:
        self.ready = asyncio.Event()
        self._name = name
        self._arguments = arguments
        self._environment = environment
        self._hear = hear
        self._complain = complain
        self._process: Process | None = None
        self._listening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, or start it again, and wait until it is ready.

        Raises:
            StartFailed: it ended instead, or was not ready in time and was killed.
        """
        await self.launch()
        await self.until_ready()

    async def launch(self) -> None:
        """Start the process, without waiting for anything."""
        self.ready.clear()
        # -P: a file in the current directory must not replace a module of ours.
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "wsgessions_cart.child", *self._arguments),
            env=self._environment,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
        self._listening = asyncio.create_task(self._listen(self._process))

    async def until_ready(self) -> None:
        """See `start`."""
        ending = asyncio.create_task(self.ended())
        becoming_ready = asyncio.create_task(self.ready.wait())
        try:
            await asyncio.wait({ending, becoming_ready}, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if not self.ready.is_set():
                how = ending.result() if ending.done() else f"not ready after {_START_SECONDS:.0f} s"
                self.kill()
                raise StartFailed(f"{self._name} did not start: {how}")
        finally:
            ending.cancel()
            becoming_ready.cancel()

    async def ended(self) -> str:
        """Wait for its end.

        Returns:
            How it ended: ``"killed by SIGKILL"`` or ``"ended with code 3"``.
        """
        if self._process is None or self._listening is None:
            return "was never started"
        code = await self._process.wait()
        # Its own children may hold the pipes a little longer.
        await asyncio.wait({self._listening}, timeout=_LAST_WORDS_SECONDS)
        self._listening.cancel()
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"

    async def has_ended(self) -> bool:
        """Whether it has ended, or is about to."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                await self.ended()
                return True
        return False

    def kill(self) -> None:
        """Kill it and its process group."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def stop(self, seconds: float) -> None:
        """Ask it to stop, and kill it after ``seconds``."""
        if self._process is None or self._process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(seconds):
                await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()

    async def _listen(self, process: Process) -> None:
        await asyncio.gather(_each_line(process.stdout, self._take), _each_line(process.stderr, self._complain))

    def _take(self, line: str) -> None:
        self._hear(self, line)


async def _each_line(stream: asyncio.StreamReader | None, take: Callable[[str], None]) -> None:
    if stream is None:
        return
    async for line in stream:
        take(line.decode(errors="replace").rstrip())
