"""The lifespan of applications under test: started by the first client, ended after the last, as a server does."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from ...web import ASGIApp, Message, Receive, Scope, Send

__all__ = ["AppLife", "AppLives"]


class AppLife:
    """One application while it is served by one event loop. Itself the application, with its lifespan's state.

    Args:
        app: the application. One without lifespan events is served without them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.users: int = 0
        """Clients that are open."""
        self._state: dict[str, Any] = {}
        self._to_app: asyncio.Queue[Message] = asyncio.Queue()
        self._from_app: asyncio.Queue[Message] = asyncio.Queue()
        self._ready = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = self._state.copy()
        await self.app(scope, receive, send)

    async def enter(self) -> None:
        """Start the application, unless it runs.

        Raises:
            RuntimeError: the application reports that its start has failed.
        """
        async with self._ready:
            if self._task is None:
                scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": self._state}
                self._task = asyncio.create_task(self._run(scope))
                await self._tell("startup", self._task)
            self.users += 1

    async def leave(self) -> None:
        """Stop the application after its last client.

        Raises:
            RuntimeError: the application reports that its shut-down has failed.
        """
        async with self._ready:
            self.users -= 1
            if not self.users and self._task is not None:
                task, self._task = self._task, None
                await self._tell("shutdown", task)
                with suppress(Exception):  # an error of the application there has been reported, or means "unsupported"
                    await task

    async def _run(self, scope: Scope) -> None:
        await self.app(scope, self._to_app.get, self._from_app.put)

    async def _tell(self, event: str, task: asyncio.Task[None]) -> None:
        self._to_app.put_nowait({"type": f"lifespan.{event}"})
        answer = asyncio.create_task(self._from_app.get())
        await asyncio.wait([answer, task], return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()  # the application has no lifespan events
        elif answer.result()["type"] == f"lifespan.{event}.failed":
            self._task = None
            with suppress(Exception):  # the message below reports it
                await task
            raise RuntimeError(f"the application's {event} has failed: {answer.result().get('message', '')}")


class AppLives:
    """The applications that are being served in one test."""

    def __init__(self) -> None:
        self._lives: dict[tuple[int, asyncio.AbstractEventLoop], AppLife] = {}

    def of(self, app: ASGIApp) -> AppLife:
        """The life of an application in the running event loop."""
        key = id(app), asyncio.get_running_loop()
        life = self._lives.get(key)
        if life is None:
            life = self._lives[key] = AppLife(app)
        return life
