"""Servers: ``python -m tests.coherence.node_program SETTINGS SOCKET...`` serves requests, one a line.

Several sockets are served by as many workers, which are forked off after the application was made, as by a server that
preloads it. No HTTP is spoken, only JSON, so that a campaign makes many requests a second; from the middleware on all
is as in production. The first line on the standard output says that all of them serve.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from tests.coherence.history import OWN, SCRIBBLE, Op
from wsgessions import Session, SessionMiddleware
from wsgessions.session import unit_of
from wsgessions.store.capabilities import CacheLookup, find_capability
from wsgessions.web import Message, Receive, Scope, Send

_SELDOM = frozenset(
    {
        "refused_commits",
        "rotated",
        "hops",
        "lost_commits_detected",
        "overwritten_attributes",
        "unknown_outcomes",
        "followed_moves",
        "late_ids",
        "store_failures",
        "forged_watermarks",
    }
)
BOX = "box"
"""The attribute with objects in it, nested, that requests change in place."""

Order = dict[str, Any]


class Objects:
    """What requests were handed lately, kept so that no other object can take its identity."""

    def __init__(self) -> None:
        self._recent: deque[tuple[object, list[object]]] = deque(maxlen=500)
        self._owners: dict[int, object] = {}

    def hand_out(self, owner: object, *objects: object) -> bool:
        """Whether somebody else has one of these objects."""
        if len(self._recent) == self._recent.maxlen:
            for known in self._recent[0][1]:
                self._owners.pop(id(known), None)
        self._recent.append((owner, list(objects)))
        return any(self._owners.setdefault(id(each), owner) is not owner for each in objects)


async def read(session: Session, order: Order) -> None:
    """Everything is read anyway."""


async def write(session: Session, order: Order) -> None:
    session[OWN + order["client"]] = order["token"]
    mark = f"{order['client']}:{order['token']}"  # always a change: what a request holds and leaves, stays as it was
    if BOX in session:
        session[BOX][0][0] = mark
    else:
        session[BOX] = [[mark]]


async def commit(session: Session, order: Order) -> None:
    await write(session, order)
    await session.commit()


async def slow_write(session: Session, order: Order) -> None:
    await asyncio.sleep(order["seconds"])
    order["acted"] = time.monotonic()
    await write(session, order)


async def bump(session: Session, order: Order) -> None:
    await session.increment("count")


async def refresh(session: Session, order: Order) -> None:
    await session.refresh()


async def rotate(session: Session, order: Order) -> None:
    session.rotate_id()


async def login(session: Session, order: Order) -> None:
    session.bind_user(_principal(order))


async def logout_all(session: Session, order: Order) -> None:
    await order["manager"].end_sessions_of(_principal(order))


def _principal(order: Order) -> str:
    """Clients that are one user have names that begin alike: "user/device"."""
    principal: str = order["client"].partition("/")[0]
    return principal


async def invalidate(session: Session, order: Order) -> None:
    session.invalidate()


async def scribble(session: Session, order: Order) -> None:
    keep(session)
    await asyncio.sleep(order["seconds"])
    raise Scribbled


def keep(session: Session) -> None:
    """Change objects that belong to this request alone, in a way that others would see if they did not."""
    if BOX in session:
        session[BOX].append(SCRIBBLE)
        session[BOX][0].append(SCRIBBLE)


class Scribbled(Exception):
    """Makes the request fail, so that nothing of it is stored."""


ACTS: dict[Op, Callable[[Session, Order], Awaitable[None]]] = {
    Op.READ: read,
    Op.WRITE: write,
    Op.COMMIT: commit,
    Op.SLOW_WRITE: slow_write,
    Op.BUMP: bump,
    Op.REFRESH: refresh,
    Op.ROTATE: rotate,
    Op.INVALIDATE: invalidate,
    Op.LOGIN: login,
    Op.LOGOUT_ALL: logout_all,
    Op.SCRIBBLE: scribble,
    Op.KEEP: read,
}


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    session, order, answer = scope["session"], scope["order"], scope["answer"]
    answer["served_from"] = session.served_from.value
    answer["loaded"] = incarnation_of(session)
    await ACTS[Op(order["op"])](session, order)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def incarnation_of(session: Session) -> int | None:
    record = unit_of(session).record
    return None if record is None else record.incarnation


class Node:
    """Answers orders."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._middleware = SessionMiddleware(app, **settings)
        self._objects = Objects()

    def branches(self) -> dict[str, int]:
        """How often what happens seldom has happened here."""
        manager = self._middleware.manager
        cache = find_capability(manager.store, CacheLookup)
        losses = {} if cache is None else {f"lost: {loss.value}": n for loss, n in cache.statistics.losses.items()}
        counted = {name: n for name, n in manager.statistics.snapshot().items() if name in _SELDOM}
        return {**counted, **losses}

    async def answer(self, order: Order) -> dict[str, Any]:
        """Run one request through the middleware."""
        if order["op"] == "branches":
            return self.branches()
        order["manager"] = self._middleware.manager
        arrived = order["acted"] = time.monotonic()
        answer: dict[str, Any] = {"arrived": arrived, "cookies": []}
        kept: list[list[Any]] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Message) -> None:
            if message["type"] != "http.response.start":
                return
            answer["status"] = message["status"]
            answer["cookies"] = [value.decode() for name, value in message["headers"] if name == b"set-cookie"]
            if message["status"] == 200:
                answer.update(self._describe(scope["session"]))
                if order["op"] == Op.KEEP and BOX in scope["session"]:
                    kept.append(scope["session"][BOX])

        scope = _scope(order, answer)
        try:
            await self._middleware(scope, receive, send)
        except Scribbled:
            answer["status"] = 500
        for box in kept:  # after the response, and after the last look that the middleware takes
            box.append(SCRIBBLE)
            box[0].append(SCRIBBLE)
        answer["acted"] = order["acted"]
        return answer

    def _describe(self, session: Session) -> dict[str, Any]:
        content = dict(session)
        box = content.get(BOX)
        return {
            "incarnation": incarnation_of(session),
            "version": session.version,
            "content": json.loads(json.dumps(content)),
            "rolled_back": session.rolled_back,
            "aliased": box is not None and self._objects.hand_out(session, box, box[0]),
        }


def _scope(order: Order, answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET" if order["op"] in {Op.READ, Op.KEEP, Op.REFRESH} else "POST",
        "scheme": "http",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "headers": [(b"cookie", order["cookie"].encode())] if order["cookie"] else [],
        "client": ("192.0.2.1", 50000),
        "server": ("a.test", 80),
        "extensions": {},
        "state": {},
        "order": order,
        "answer": answer,
    }


class Connection(asyncio.Protocol):
    """One client: a request a line, an answer a line."""

    def __init__(self, node: Node, tasks: set[asyncio.Task[None]]) -> None:
        self._node, self._tasks = node, tasks
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            task = asyncio.get_running_loop().create_task(self._serve(json.loads(line)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _serve(self, order: Order) -> None:
        answer = await self._node.answer(order)
        self._transport.write(json.dumps(answer).encode() + b"\n")


async def serve(node: Node, path: str, ready: int, until: int) -> None:
    """Serve until a pipe is closed, and say into another one when that has begun."""
    tasks = set[asyncio.Task[None]]()
    server = await asyncio.get_running_loop().create_unix_server(lambda: Connection(node, tasks), path)
    os.write(ready, b".")
    await asyncio.to_thread(os.read, until, 1)
    server.close()


def main(settings: dict[str, Any], *paths: str) -> None:
    node, (said, ready) = Node(settings), os.pipe()
    # A node ends with the campaign that started it, however that ends: its standard input is closed then. So do workers
    # with the process that forked them.
    until, held = os.pipe()
    workers = [_forked(node, path, ready, until, held) for path in paths] if len(paths) > 1 else []
    if workers:
        _say_when(len(workers), said)
        sys.stdin.read()
        os.close(held)
    else:
        threading.Thread(target=_say_when, args=(1, said), daemon=True).start()
        asyncio.run(serve(node, paths[0], ready, sys.stdin.fileno()))


def _forked(node: Node, path: str, ready: int, until: int, held: int) -> int:
    worker = os.fork()
    if worker == 0:
        os.close(held)
        asyncio.run(serve(node, path, ready, until))
        os._exit(0)
    return worker


def _say_when(number: int, said: int) -> None:
    for _ in range(number):
        os.read(said, 1)
    sys.stdout.write("serving\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), *sys.argv[2:])
