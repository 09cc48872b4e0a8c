"""Starts the manager before the application, and closes it after the application (R-44, R-45)."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from ..errors import StoreUnavailable, WsgessionsError
from .types import ASGIApp, Message, Receive, Scope, Send

if TYPE_CHECKING:
    from ..manager import SessionManager

__all__ = ["run_lifespan", "start_manager"]

_log = logging.getLogger("wsgessions.lifespan")

START_SECONDS: Final = 10.0
"""How long the start waits for a store that is still starting."""


class _StartFailed(Exception):
    """Ends the application's lifespan after the start's failure was reported to the server."""


async def run_lifespan(manager: SessionManager, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Run the application's lifespan inside the manager's.

    An application without lifespan events raises, as ASGI specifies; the manager then starts with the first request.
    """
    failed = False

    async def receive_and_start() -> Message:
        nonlocal failed
        message = await receive()
        if message["type"] == "lifespan.startup":
            failed = True
            await _start(manager, send)
            failed = False
        return message

    async def close_and_send(message: Message) -> None:
        if failed:
            return  # the server has been notified, and accepts it only once
        if message["type"] in {"lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"}:
            await manager.close()
        await send(message)

    try:
        await app(scope, receive_and_start, close_and_send)
    except BaseException as error:
        await manager.close()
        if not isinstance(error, _StartFailed):
            raise


async def _start(manager: SessionManager, send: Send) -> None:
    try:
        await start_manager(manager)
    except WsgessionsError as error:
        await send({"type": "lifespan.startup.failed", "message": f"wsgessions could not start: {error}"})
        raise _StartFailed from error


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
