"""A browser as far as sessions are concerned: it keeps cookies, and sends them to whichever node it is told."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.coherence.cluster import PATIENCE
from tests.coherence.history import TOKENS, Event, History, Op

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Jar:
    """The cookies of a browser, shared by its tabs."""

    cookies: dict[str, str] = field(default_factory=dict)
    incarnation: int | None = None
    """Of the session that the id cookie stands for."""

    def copy(self) -> Jar:
        return Jar(dict(self.cookies), self.incarnation)

    def take(self, headers: list[str], incarnation: int | None) -> None:
        for header in headers:
            pair, *attributes = header.split("; ")
            name, _, value = pair.partition("=")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        if any(header.startswith("sid=") for header in headers):
            self.incarnation = incarnation

    def forget_watermark(self) -> None:
        """As a browser that cleans up."""
        self.cookies.pop("sid-v", None)

    @property
    def header(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


class Tab:
    """Sends requests one after another, and writes what became of them into the history.

    Args:
        name: whose requests these are; the attribute of this name is written by this tab alone.
        paths: the sockets of the nodes.
        history: takes the events.
        jar: the cookies; its own if none are given.
        into: takes the cookies of the answers, where requests are sent with those that were there earlier.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[str],
        history: History,
        jar: Jar | None = None,
        *,
        into: Jar | None = None,
    ) -> None:
        self.name = name
        self.jar = Jar() if jar is None else jar
        self._into = self.jar if into is None else into
        self._paths = paths
        self._history = history
        self._streams: dict[int, Stream] = {}
        self._token = 0

    async def send(self, node: int, op: Op, *, seconds: float = 0.0, patience: float = PATIENCE) -> Event:
        """One request, and the event that it made."""
        token = 0
        if op in TOKENS:
            self._token = token = self._token + 1
        order = {"op": op, "client": self.name, "cookie": self.jar.header, "token": token, "seconds": seconds}
        event = Event(
            self.name,
            node,
            op,
            time.monotonic(),
            presented=self.jar.incarnation,
            token=token,
            marked="sid-v" in self.jar.cookies,
        )
        try:
            answer = await asyncio.wait_for(self._exchange(node, order), patience)
        except (TimeoutError, OSError):
            self._leave(node)
            event = event._replace(ended=time.monotonic())
        else:
            ended = time.monotonic()
            cookies = answer.pop("cookies")
            event = event._replace(ended=ended, **answer)
            self._into.take(cookies, event.incarnation)
        self._history.append(event)
        return event

    async def ask(self, node: int) -> dict[str, int]:
        """What a node has counted of what happens seldom."""
        return await asyncio.wait_for(self._exchange(node, {"op": "branches"}), PATIENCE)

    async def _exchange(self, node: int, order: dict[str, Any]) -> dict[str, Any]:
        if node not in self._streams:
            self._streams[node] = await asyncio.open_unix_connection(self._paths[node], limit=2**20)
        reader, writer = self._streams[node]
        writer.write(json.dumps(order).encode() + b"\n")
        line = await reader.readline()
        if not line:
            raise ConnectionResetError
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _leave(self, node: int) -> None:
        if node in self._streams:
            self._streams.pop(node)[1].close()

    def close(self) -> None:
        for node in list(self._streams):
            self._leave(node)
