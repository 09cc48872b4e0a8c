"""What browsers saw: every request with its invocation, its answer and their instants, for the checkers to judge.

All instants are of the machine's monotonic clock, which the processes of a campaign share.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

OWN = "own-"
"""Begins the name of an attribute that one client alone writes; the client's name follows."""
SCRIBBLE = "scribble"
"""What is written into objects and never committed."""
NEAR_CACHE = "near-cache"


class Op(StrEnum):
    """What a request does."""

    READ = "read"
    WRITE = "write"
    """Sets the client's own attribute; committed when the response starts."""
    COMMIT = "commit"
    """As WRITE, committed within the handler."""
    SLOW_WRITE = "slow_write"
    """As WRITE, with a pause between the load and the commit."""
    BUMP = "bump"
    """Increments a counter at the store."""
    REFRESH = "refresh"
    """Asks the store for its present state, and reads."""
    ROTATE = "rotate"
    INVALIDATE = "invalidate"
    SCRIBBLE = "scribble"
    """Changes what it was handed, and fails: nothing may come of it."""
    KEEP = "keep"
    """Reads, and changes what it was handed after the response is out."""
    LOGIN = "login"
    """Binds the session to the client, with a new id."""
    LOGOUT_ALL = "logout_all"
    """Ends all sessions of the client, as an operator would."""
    FLUSH = "flush"
    """No request: the store lost its data between the two instants."""


COMMITTING = frozenset({Op.WRITE, Op.COMMIT, Op.SLOW_WRITE, Op.BUMP, Op.ROTATE, Op.LOGIN})
TOKENS = frozenset({Op.WRITE, Op.COMMIT, Op.SLOW_WRITE})


class Event(NamedTuple):
    """One request and its answer."""

    client: str
    node: int
    op: Op
    began: float
    """When the client sent it."""
    arrived: float = 0.0
    """When the node began with it; what the node shows it has looked up later than that. 0 if there was no answer."""
    acted: float = 0.0
    """When the handler had waited enough: its commit was sent later than that."""
    ended: float = 0.0
    """When the client had its answer."""
    status: int = 0
    """The HTTP status; 0 if there was no answer, so that what it did is unknown."""
    presented: int | None = None
    """The incarnation of the session that the client's cookie stands for, if it has one."""
    loaded: int | None = None
    """The incarnation that the node found; None if it found no session."""
    incarnation: int | None = None
    """The incarnation when the response started."""
    version: int = 0
    """The version when the response started."""
    served_from: str = "new"
    content: Mapping[str, Any] = {}
    """The session when the response started."""
    token: int = 0
    """What was written."""
    rolled_back: bool = False
    marked: bool = False
    """Whether the client showed a watermark; else the node cannot know what would be enough (C-11)."""
    aliased: bool = False
    """Whether the node handed an object to this request that another request had been handed."""

    @property
    def served(self) -> bool:
        """Whether it was answered out of a session that was there before."""
        return self.status == 200 and self.loaded is not None

    @property
    def committed(self) -> bool:
        return self.status == 200 and self.op in COMMITTING and self.incarnation is not None


class Violation(NamedTuple):
    """A rule that a history breaks."""

    rule: str
    what: str
    event: Event

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}\n    {self.event}"


History = list[Event]


def save(history: Iterable[Event], path: Path) -> None:
    path.write_text("".join(f"{json.dumps(event)}\n" for event in history))


def load(path: Path) -> Iterator[Event]:
    for line in path.read_text().splitlines():
        event = Event(*json.loads(line))
        yield event._replace(op=Op(event.op))


def cache_hits(history: Iterable[Event]) -> int:
    """The requests that a node answered out of its own memory."""
    return sum(event.served_from == NEAR_CACHE for event in history)
