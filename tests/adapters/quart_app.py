"""The adapter suite's application, in the ways of Quart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from quart import Quart, Response, abort, current_app, jsonify, websocket
from quart.typing import ResponseReturnValue

from wsgessions.testing.adapters.suite import perform, perform_now
from wsgessions_quart import get_session

CACHED = {"cache-control": "public, max-age=60", "vary": "Accept"}


def as_json(value: Any) -> Response:
    return Response(current_app.json.dumps(value), mimetype="application/json")  # jsonify() ends with a line's end


async def do(action: str) -> ResponseReturnValue:
    return as_json(await perform(get_session(), action))


def do_now(action: str) -> ResponseReturnValue:
    return as_json(perform_now(get_session(), action))


async def session() -> ResponseReturnValue:
    return jsonify(get_session())


async def untouched() -> ResponseReturnValue:
    return "untouched"


async def answer(status: int, action: str) -> ResponseReturnValue:
    await perform(get_session(), action)
    return "answer", status


async def fall(status: int, action: str) -> ResponseReturnValue:
    await perform(get_session(), action)
    abort(status)


async def cached(action: str) -> ResponseReturnValue:
    return as_json(await perform(get_session(), action)), 200, CACHED


async def fail(action: str) -> ResponseReturnValue:
    await perform(get_session(), action)
    raise RuntimeError("the handler failed")


async def stream(action: str) -> ResponseReturnValue:
    here = get_session()

    async def parts() -> AsyncIterator[str]:
        yield "first"
        await perform(here, action)
        yield "last"

    return Response(parts())


async def break_off(action: str) -> ResponseReturnValue:
    async def parts() -> AsyncIterator[str]:
        yield "first"
        raise RuntimeError("the handler failed")

    await perform(get_session(), action)
    return Response(parts())


def background(app: Quart) -> Any:
    async def background(action: str) -> ResponseReturnValue:
        here, started, done = get_session(), asyncio.Event(), asyncio.Event()

        async def later() -> None:
            await started.wait()
            try:
                await perform(here, action)
            finally:
                done.set()

        async def parts() -> AsyncIterator[str]:
            yield "later"  # Quart's background tasks run beside the request: this one, while the response is sent
            started.set()
            await done.wait()

        app.add_background_task(later)
        return Response(parts())

    return background


async def socket(action: str) -> None:
    await perform(get_session(), action)
    await websocket.accept()
    while (said := await websocket.receive()) != "close":
        if said == "raise":
            raise RuntimeError("the handler failed")
        await websocket.send_json(await perform(get_session(), str(said)))
    await websocket.close(4001)


async def deny(action: str) -> ResponseReturnValue:
    await perform(get_session(), action)
    return "denied", 403


def make_app() -> Quart:
    app = Quart("tests.adapters.quart_app")
    app.add_url_rule("/do/<action>", "do", do, methods=["GET", "HEAD", "POST", "OPTIONS"])
    app.add_url_rule("/sync/<action>", "do_now", do_now)
    app.add_url_rule("/session", "session", session)
    app.add_url_rule("/untouched", "untouched", untouched)
    app.add_url_rule("/answer/<int:status>/<action>", "answer", answer)
    app.add_url_rule("/abort/<int:status>/<action>", "abort", fall)
    app.add_url_rule("/cached/<action>", "cached", cached)
    app.add_url_rule("/raise/<action>", "raise", fail)
    app.add_url_rule("/stream/<action>", "stream", stream)
    app.add_url_rule("/break/<action>", "break", break_off)
    app.add_url_rule("/background/<action>", "background", background(app))
    app.add_websocket("/ws/<action>", "socket", socket)
    app.add_websocket("/deny/<action>", "deny", deny)
    return app
