"""Browsers: what each asks, in turn, and what it has seen. Their requests run on the real stores of the nodes."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from wsgessions.errors import StoreUnavailable
from wsgessions.record import CommitStatus, Seen, SessionDelta, SessionKey, SessionRecord
from wsgessions.store.contract import NEVER

if TYPE_CHECKING:
    from tests.coherence.model.node import Node
    from tests.coherence.model.world import World

__all__ = ["Ask", "Browser", "Kind"]


class Kind(Enum):
    """What a browser asks for."""

    READ = "read"
    WRITE = "write"
    """Set an attribute to a value that nobody else ever writes."""
    ADD = "add"
    """Increment a number at the store."""
    REMOVE = "remove"
    ROTATE = "rotate"
    DELETE = "delete"
    LOGOUT = "logout"
    """Delete, and wait for the barrier."""
    TOUCH = "touch"
    FORGET = "forget"
    """Lose the watermark cookie, and read."""


class Ask(NamedTuple):
    """One request."""

    kind: Kind
    node: int


class Browser:
    """One sequence of requests; two of them with one session are two tabs."""

    def __init__(self, number: int, key: SessionKey, program: tuple[Ask, ...]) -> None:
        self.number = number
        self.key = key
        self.program = list(program)
        self.mark: Seen | None = None
        """Its watermark cookie."""
        self.seen: Seen | None = None
        """The newest that it was shown, which the checks know even when the cookie is lost."""
        self.began: int = 0
        """The step in which its present request began."""
        self.deadline: float = NEVER
        """Until when it waits for its present request."""
        self.change: bytes = b""
        """The commit id of the latest change that it has asked for."""
        self.log: list[object] = []
        """What its present request has learned so far."""

    def fingerprint(self) -> object:
        """What decides what it does next."""
        return self.key, len(self.program), self.mark, self.seen, self.deadline, str(self.log)

    async def ask(self, ask: Ask, node: Node, world: World) -> None:
        """One request, as `wsgessions` treats it."""
        self.deadline, self.change = world.time + world.scenario.patience, b""
        try:
            if ask.kind is Kind.FORGET:
                self.mark = None
            if ask.kind is Kind.TOUCH:
                await node.cache.touch([self.key], deadline=self.deadline)
            elif ask.kind in (Kind.DELETE, Kind.LOGOUT):
                await self._end(ask.kind is Kind.LOGOUT, node, world)
            else:
                await self._use(ask.kind, node, world)
        except StoreUnavailable:
            world.checks.given_up(self)  # an error page; what has not become of the write by now never will

    async def _end(self, barred: bool, node: Node, world: World) -> None:
        key = self.key
        await node.cache.delete(key, deadline=self.deadline)
        world.checks.deleted(key)
        if barred:
            await node.store.barrier(deadline=self.deadline)
            world.checks.barred(key)

    async def _use(self, kind: Kind, node: Node, world: World) -> None:
        record = await self._present(node, world)
        if record is None or kind in (Kind.READ, Kind.FORGET):
            return
        successor = world.successor(self.key) if kind is Kind.ROTATE else None
        delta = _DELTAS[kind](record, world)
        self.change = delta.commit_id
        if successor is None:
            outcome = await node.cache.apply(delta, deadline=self.deadline)
        else:
            outcome = await node.cache.rotate(delta, successor, deadline=self.deadline)
        if outcome.status is CommitStatus.GONE:
            world.checks.gone(self, node)
        if outcome.status is not CommitStatus.APPLIED:
            return
        told = outcome.after if outcome.is_incomplete(delta) else None
        after = told or record.after(delta, outcome, successor)
        if outcome.changes is None or outcome.changes.version <= outcome.version:
            world.checks.content(after)
        self.key = after.key
        self._saw(after)

    async def _present(self, node: Node, world: World) -> SessionRecord | None:
        record = node.cache.lookup(self.key, self.mark)
        if record is not None:
            self.log.append(("served", record.version))
            world.checks.served(self, node, record)
        else:
            found = await node.cache.load(self.key, deadline=self.deadline)
            assert found is None or isinstance(found, SessionRecord)
            record = found
            if record is None:
                world.checks.gone(self, node)
                return None
            world.checks.loaded(self, node, record)
        self._saw(record)
        return record

    def _saw(self, record: SessionRecord) -> None:
        self.seen = self.mark = record.seen


def _write(record: SessionRecord, world: World) -> SessionDelta:
    number = world.number()
    return SessionDelta(
        record.key,
        record.incarnation,
        record.version,
        changed={"a": b"%d" % number},
        commit_id=number.to_bytes(8),
    )


def _add(record: SessionRecord, world: World) -> SessionDelta:
    number = world.number().to_bytes(8)
    return SessionDelta(record.key, record.incarnation, record.version, increments={"n": 1}, commit_id=number)


def _remove(record: SessionRecord, world: World) -> SessionDelta:
    number = world.number().to_bytes(8)
    return SessionDelta(record.key, record.incarnation, record.version, removed=frozenset("r"), commit_id=number)


def _only_move(record: SessionRecord, world: World) -> SessionDelta:
    return SessionDelta(record.key, record.incarnation, record.version, commit_id=world.number().to_bytes(8))


_DELTAS: dict[Kind, Callable[[SessionRecord, World], SessionDelta]] = {
    Kind.WRITE: _write,
    Kind.ADD: _add,
    Kind.REMOVE: _remove,
    Kind.ROTATE: _only_move,
}

FIRST_STATE = {"a": b"0", "n": msgspec.msgpack.encode(0), "r": b"1"}
