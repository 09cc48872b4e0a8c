"""Starts the manager before the application, and closes it after the application (R-44, R-45)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from ..errors import StoreUnavailable, WsgessionsError
from ..internal import real_time as time
from .types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from ..manager import SessionManager

__all__ = ["run_lifespan", "start_manager"]

_log = logging.getLogger("wsgessions.lifespan")

START_SECONDS: Final = 10.0
"""How long the start waits for a store that is still starting."""


async def run_lifespan(
    manager: SessionManager,
    app: ASGIApp,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Run the application's lifespan inside the manager's.

    An application without lifespan events raises, as ASGI specifies; the manager then starts with the first request.

    Args:
        manager: the manager.
        app: the application.
        scope: the scope of the lifespan.
        receive: the server's receive channel.
        send: the server's send channel.
        before: what is to be checked before the start; an error of it is a failed start, as one of the manager is.
    """
    failure: Exception | None = None

    async def receive_and_start() -> Message:
        nonlocal failure
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                before()
                await start_manager(manager)
            except WsgessionsError as error:
                failure = error
                try:
                    await send({"type": "lifespan.startup.failed", "message": f"wsgessions could not start: {error}"})
                except Exception as servers:
                    failure = servers  # some servers end the lifespan by an error of their own
                    raise
                raise
        return message

    async def close_and_send(message: Message) -> None:
        if failure is not None:
            return  # the server has been notified, and accepts it only once
        if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"}:
            await manager.close()
        await send(message)

    try:
        await app(scope, receive_and_start, close_and_send)
    except BaseException as error:
        await manager.close()
        if failure is None or error is failure or not isinstance(error, Exception):
            raise
    if failure is not None:  # the application has handled it, or raised another; clients of tests wait for an error
        await manager.close()
        raise failure


async def start_manager(manager: SessionManager) -> None:
    """Connect to the store, which may take a while; a store that is down is an error, unless `start_degraded` is set.

    Raises:
        StoreUnavailable: the store cannot be reached.
        ConfigError: the store must not be used as configured.
    """
    may_be_down = manager.settings.start_degraded
    patience = min(START_SECONDS, manager.requests.budget) if may_be_down else START_SECONDS
    try:
        await manager.start(deadline=time.monotonic() + patience)
    except StoreUnavailable as error:
        if not may_be_down:
            raise
        _log.warning("started without the store: %s", error, extra={"event": "started_degraded"})
