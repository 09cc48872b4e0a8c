"""Runs the sample: the store, then the servers, each in a process of its own, until Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final

from wsgessions.stores.embedded.connection import Connection
from wsgessions.stores.embedded.directory import StoreDirectory

from .console import Console
from .places import Place
from .plan import STORE_DIRECTORY, Plan
from .processes import Child, StartFailed

__all__ = ["Supervisor"]

_APP_STOP_SECONDS: Final = 1.5
_STORE_STOP_SECONDS: Final = 1.0
_PAUSE_SECONDS: Final = 10.0


class Supervisor:
    """Starts, watches, starts again and stops the processes of one run.

    Args:
        plan: the task; its ports are free.
        console: the output.
        when_up: called once when all processes are up.
    """

    def __init__(self, plan: Plan, console: Console, when_up: Callable[[], object]) -> None:
        self._plan = plan
        self._console = console
        self._when_up = when_up
        self._stopping = asyncio.Event()
        self._places = {place.port: place for place in plan.places}
        self._servers = {place.port: self._server(place) for place in plan.places}
        self._store = None if plan.store_port is None else self._store_child(plan.store_port)
        self._restarting: set[int] = set()
        self._pausing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run until SIGINT or SIGTERM.

        Raises:
            StartFailed: the store or a server did not come up. All others have been stopped.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # on Windows Ctrl-C cancels this task instead
                asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        try:
            await self._start_unless_stopped()
            await self._stopping.wait()
        finally:
            await self._stop()

    def _on_signal(self) -> None:
        if self._stopping.is_set():  # the second signal: stop at once
            for child in (*self._servers.values(), *filter(None, [self._store])):
                child.kill()
        self._stopping.set()

    # -- starting ------------------------------------------------------------------------------------------------------

    async def _start_unless_stopped(self) -> None:
        starting = asyncio.create_task(self._start())
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if starting.done():
            starting.result()
        else:
            starting.cancel()
            await asyncio.wait({starting})

    async def _start(self) -> None:
        self._console.say("Starting the cart sample: the store, then the servers ...")
        with self._console.holding_events():
            await self._start_all()
            self._console.say("Change the cart on one, and look at the other. Ctrl-C stops everything.\n")
        self._listen_to_keyboard()
        self._when_up()

    async def _start_all(self) -> None:
        if self._store is None:
            self._console.fact("store", self._plan.shown_store)
        else:
            await self._store.start()
            self._keep(self._watch_store(self._store))
        for server in self._servers.values():
            await server.launch()
        for port, server in self._servers.items():
            await server.until_ready()
            self._console.link(self._places[port])
            self._keep(self._watch(port))

    def _server(self, place: Place) -> Child:
        return Child(
            place.label,
            ["app", str(place.port), place.framework.application],
            self._plan.environment(place),
            hear=lambda child, line: self._hear_server(place, child, line),
            complain=lambda line: self._console.event(place, line),
        )

    def _store_child(self, port: int) -> Child:
        return Child(
            "the store",
            ["store", str(port)],
            self._plan.environment(None),
            hear=self._hear_store,
            complain=self._hear_complaint,
        )

    # -- listening -----------------------------------------------------------------------------------------------------

    def _hear_server(self, place: Place, child: Child, line: str) -> None:
        match _event(line):
            case {"event": "ready"}:
                child.ready.set()
            case {"event": "commit"} as facts:
                self._console.commit(place, facts)
            case {"event": "restart", "port": int(port)}:
                self._keep(self._restart(port))
            case {"event": "pause-store"} if self._store is not None and not self._pausing.locked():
                self._keep(self._pause_store())
            case _:
                self._console.event(place, line)

    def _hear_store(self, child: Child, line: str) -> None:
        """``wsgessions server`` prints its facts when it is ready; only the first line is used here."""
        name, _, fact = line.partition(" ")
        if name == "store" and not child.ready.is_set():
            self._console.fact(name, fact.strip())
            child.ready.set()

    def _hear_complaint(self, line: str) -> None:
        if not self._stopping.is_set():
            self._console.trouble("store", line)

    def _listen_to_keyboard(self) -> None:
        """At a terminal, a port and Enter restart the server on it."""
        if sys.stdin.isatty():
            with suppress(NotImplementedError):
                asyncio.get_running_loop().add_reader(sys.stdin, self._take_typed)

    def _take_typed(self) -> None:
        typed = sys.stdin.readline()
        if not typed:
            asyncio.get_running_loop().remove_reader(sys.stdin)
        elif typed.strip().isdecimal():
            self._keep(self._restart(int(typed)))

    # -- watching ------------------------------------------------------------------------------------------------------

    async def _watch(self, port: int) -> None:
        how = await self._servers[port].ended()
        if not self._stopping.is_set():
            remedy = f"Restart it with the button on another server's page, or type {port} and Enter."
            self._console.trouble(self._places[port].label, f"is down: {how}. The session is not. {remedy}")

    async def _restart(self, port: int) -> None:
        if port not in self._servers or port in self._restarting:
            return
        server, place = self._servers[port], self._places[port]
        self._restarting.add(port)
        try:
            if not await server.has_ended():
                return
            await server.start()
        except StartFailed as error:
            self._console.trouble(place.label, str(error))
        else:
            self._console.event(place, "is up again")
            self._keep(self._watch(port))
        finally:
            self._restarting.discard(port)

    async def _pause_store(self) -> None:
        """Let the store's process stand still for a while. It goes on in any case: at the latest when the cart ends."""
        async with self._pausing:
            connection = Connection.read(StoreDirectory(STORE_DIRECTORY))
            if connection is None:
                return  # it is down, or starting again
            os.kill(connection.server_pid, signal.SIGSTOP)
            self._console.trouble("store", f"stands still for {_PAUSE_SECONDS:.0f} s")
            try:
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                with suppress(ProcessLookupError):
                    os.kill(connection.server_pid, signal.SIGCONT)
            self._console.trouble("store", "goes on")

    async def _watch_store(self, store: Child) -> None:
        """Not started again: the servers that use the store's directory have done so already, faster than we could."""
        how = await store.ended()
        if not self._stopping.is_set():
            remedy = (
                "The servers keep the store going by themselves; only its port is gone, until you start the cart anew."
            )
            self._console.trouble("store", f"wsgessions server is down: {how}. {remedy}")

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- stopping ------------------------------------------------------------------------------------------------------

    async def _stop(self) -> None:
        """Stop the servers, then the store: it still gets the changes of the last requests."""
        self._stopping.set()
        self._console.say("\nStopping ...")
        await asyncio.gather(*(server.stop(_APP_STOP_SECONDS) for server in self._servers.values()))
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._store is not None:
            await self._store.stop(_STORE_STOP_SECONDS)
        self._console.say("Stopped.")


def _event(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None
