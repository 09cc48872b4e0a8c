"""Which of the product's functions a request runs: ``python -m tests.architecture.request_path`` shows them in order.

Three events, each after others of its kind, so that nothing happens for the first time: a *hot read*, which the near
cache answers; a *write*, which changes one attribute and waits for the server; and the *push* by which a server's copy
is outdated when another one writes. Middleware and server are real, the application is the barest that ASGI allows.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from tests.architecture.frames import Trace
from tests.asgi_driver import Browser, respond
from tests.stores.valkey.links import until
from tests.stores.valkey.raw_server import RawServer
from tests.two_managers import manager_at, valkey_of
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.web import Receive, Scope, Send

Event = Callable[[Trace], Awaitable[None]]

_WARM = 3
_TRIES = 50


def traces() -> dict[str, Trace]:
    """What each of the events runs, at a server that is started for it."""
    with tempfile.TemporaryDirectory(prefix="wsg") as directory:
        server = RawServer(Path(directory))
        server.start()
        try:
            return asyncio.run(_traces_at(server.url))
        finally:
            server.kill()


async def _traces_at(url: str) -> dict[str, Trace]:
    async with AsyncExitStack() as stack:
        manager = _manager(url)
        await manager.start()
        stack.push_async_callback(manager.close)
        cache = valkey_of(manager).tracking.cache
        assert cache is not None
        reading, writing = (SessionMiddleware(app, manager=manager) for app in (_reading, _writing))
        browser = Browser()
        elsewhere = stack.enter_context(_loop_elsewhere())
        other = _manager(url)
        await _run_in(elsewhere, other.start())
        stack.push_async_callback(_close_in, elsewhere, other)
        writing_there = SessionMiddleware(_writing, manager=other)

        async def read(trace: Trace) -> None:
            with trace.recording():
                await browser.request(reading)

        async def write(trace: Trace) -> None:
            with trace.recording():
                await browser.request(writing)

        async def push(trace: Trace) -> None:
            await browser.request(reading)  # so that there is a copy
            known = cache.statistics.invalidations
            with trace.recording():
                await _run_in(elsewhere, browser.copy().request(writing_there))
                await until(lambda: cache.statistics.invalidations > known)

        await browser.request(writing)
        return {name: await _settled(event) for name, event in (("hot read", read), ("write", write), ("push", push))}


async def _settled(event: Event) -> Trace:
    """The shortest trace, which two events have had: a heartbeat, or a sweep, in between makes another one longer."""
    for _ in range(_WARM):
        await event(Trace())
    shortest = Trace()
    for attempt in range(_TRIES):
        trace = Trace()
        await event(trace)
        if trace.frames == shortest.frames:
            return trace
        if attempt == 0 or len(trace.frames) < len(shortest.frames):
            shortest = trace
    raise AssertionError(f"no two events have run the same functions:\n{shortest}")


def _manager(url: str) -> SessionManager:
    return manager_at(url, "path", heartbeat="1500ms", lease="5s")


# -- another server, in another thread, which is not traced ------------------------------------------------------------


@contextmanager
def _loop_elsewhere() -> Generator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield loop
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _run_in(loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, object]) -> None:
    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, loop))


async def _close_in(loop: asyncio.AbstractEventLoop, manager: SessionManager) -> None:
    await _run_in(loop, manager.close())


# -- the application ---------------------------------------------------------------------------------------------------


async def _reading(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(send, b"%d" % scope["session"]["visits"])


async def _writing(scope: Scope, receive: Receive, send: Send) -> None:
    session = scope["session"]
    session["visits"] = session.get("visits", 0) + 1
    await respond(send)


if __name__ == "__main__":
    for name, trace in traces().items():
        print(f"== {name}: {', '.join(f'{count} {what}' for what, count in trace.figures.items())}\n\n{trace}\n")
