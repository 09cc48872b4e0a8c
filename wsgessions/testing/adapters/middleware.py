"""Typical middleware of applications, in plain ASGI so that any framework accepts it (R-51)."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from typing import Final, TypeAlias

from ...web import ASGIApp, Message, Receive, Scope, Send

__all__ = [
    "LAYERS",
    "Layer",
    "compressing",
    "counting",
    "failing_on_errors",
    "handling_errors",
    "in_a_task",
    "marking",
    "measuring",
    "sharing",
]

Layer: TypeAlias = Callable[[ASGIApp], ASGIApp]
"""Puts a middleware around an application."""

ORIGIN: Final = "https://other"


def compressing(app: ASGIApp) -> ASGIApp:
    """Compresses responses, as a GZip middleware does."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        parts: list[bytes] = []
        start: Message = {}

        async def gather(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                body = gzip.compress(b"".join(parts))
                await send(_with_headers(start, content_encoding=b"gzip", content_length=str(len(body)).encode()))
                await send({"type": "http.response.body", "body": body})

        await app(scope, receive, gather)

    return _varying(b"Accept-Encoding", middleware)


def sharing(app: ASGIApp) -> ASGIApp:
    """Allows another origin, and answers its preflights itself, as a CORS middleware does."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        preflight = scope.get("method") == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        )
        if preflight:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})
            return

        async def allow(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = _with_headers(
                    message,
                    access_control_allow_origin=ORIGIN.encode(),
                    access_control_allow_credentials=b"true",
                )
            await send(message)

        await app(scope, receive, allow)

    return _varying(b"Origin", middleware)


def in_a_task(app: ASGIApp) -> ASGIApp:
    """Runs the inner application in a task of its own and passes its messages on, as Starlette's `BaseHTTPMiddleware`
    does.
    """

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        messages: asyncio.Queue[Message | None] = asyncio.Queue(1)
        is_read = True

        async def run() -> None:
            try:
                await app(scope, receive, messages.put)
            finally:
                if is_read:
                    await messages.put(None)

        task = asyncio.create_task(run())
        try:
            while (message := await messages.get()) is not None:
                await send(message)
        finally:
            is_read = False
            if not task.done():
                task.cancel()
            await asyncio.wait([task])
        task.result()

    return middleware


def counting(app: ASGIApp) -> ASGIApp:
    """Reads the session before the inner application runs, and writes it before the response leaves."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        seen = scope["session"].get("requests", 0)

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["session"]["requests"] = seen + 1
                message = _with_headers(message, x_requests=str(seen).encode())
            await send(message)

        await app(scope, receive, count)

    return middleware


def marking(app: ASGIApp) -> ASGIApp:
    """Writes the session whenever a response leaves, also an error response, as a layer that counts visits may."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                scope["session"]["marked"] = True
            await send(message)

        await app(scope, receive, mark)

    return middleware


def failing_on_errors(app: ASGIApp) -> ASGIApp:
    """Fails when an error response leaves, as a layer with a fault may."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def check(message: Message) -> None:
            if message.get("status", 200) >= 400:
                raise RuntimeError("a layer failed")
            await send(message)

        await app(scope, receive, check)

    return middleware


def handling_errors(status: int) -> Layer:
    """Turns any error into a response with this status, and records it in the session, as an error handler may."""

    def layer(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await app(scope, receive, send)
            except RuntimeError as error:
                scope["session"]["error"] = str(error)
                await send({"type": "http.response.start", "status": status, "headers": []})
                await send({"type": "http.response.body", "body": b"an error page"})

        return middleware

    return layer


def measuring(statuses: list[int]) -> Layer:
    """Records the status of each response, as a middleware of metrics does; 500 for a request that raises."""

    def layer(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            status = 500

            async def note(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                await send(message)

            try:
                await app(scope, receive, note)
            finally:
                if scope["type"] == "http":
                    statuses.append(status)

        return middleware

    return layer


LAYERS: Final[dict[str, Layer]] = {"compressing": compressing, "sharing": sharing, "in_a_task": in_a_task}
"""Those that do not use the session, so that they may be on either side of it."""


def _varying(field: bytes, app: ASGIApp) -> ASGIApp:
    """Merges a field into Vary, as such middleware does."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        async def vary(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: list[tuple[bytes, bytes]] = list(message.get("headers") or ())
                said = [value for name, value in headers if name.lower() == b"vary"]
                kept = [header for header in headers if header[0].lower() != b"vary"]
                message = {**message, "headers": [*kept, (b"vary", b", ".join([*said, field]))]}
            await send(message)

        await app(scope, receive, vary)

    return middleware


def _with_headers(message: Message, **headers: bytes) -> Message:
    """A copy of a response's start with these headers in place of those of their names."""
    ours = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    kept = [header for header in message.get("headers") or () if header[0].lower() not in ours]
    return {**message, "headers": [*kept, *ours.items()]}
