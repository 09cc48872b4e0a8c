"""Two servers that share one store, as far as sessions can tell."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.spy_store import SpyStore
from wsgessions.credentials.session_id import AnyId
from wsgessions.manager import SessionManager
from wsgessions.middleware import SessionMiddleware
from wsgessions.record.clock import StoreClock
from wsgessions.settings import SessionSettings
from wsgessions.stores.memory.store import MemoryStore
from wsgessions.web import ASGIApp


class Time:
    """The clocks of a store, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> StoreClock:
        return StoreClock(monotonic=lambda: self.now, wall=lambda: self.now)


class Node(NamedTuple):
    """One server's part."""

    manager: SessionManager
    store: SpyStore


def make_node(shared: MemoryStore, **settings: Any) -> Node:
    """A node of its own on the shared store."""
    store = SpyStore(shared)
    return Node(SessionManager(SessionSettings(store_url="memory:", **settings), store=store), store)


def on(node: Node, app: ASGIApp) -> SessionMiddleware:
    """The application on this node."""
    return SessionMiddleware(app, manager=node.manager)


def two_nodes(time: Time | None = None, **settings: Any) -> tuple[Node, Node]:
    """Two nodes on one memory store; its time is the machine's if none is given."""
    shared = MemoryStore(clock=None if time is None else time.clock())
    return make_node(shared, **settings), make_node(shared, **settings)


async def created(manager: SessionManager, **attributes: Any) -> str:
    """The id of a new session."""
    async with manager.open() as session:
        session.update(attributes)
    assert session.id is not None
    return session.id.get_secret_value()


async def content(node: Node, session_id: AnyId) -> dict[str, Any]:
    """What another request sees."""
    async with node.manager.open(session_id) as session:
        return session.copy()
