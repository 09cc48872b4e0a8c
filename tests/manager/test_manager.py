"""The manager: its life, sessions outside of requests, and the secret that all nodes share."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest

from tests.nodes import make_node, two_nodes
from tests.spy_store import SpyStore
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import shared_server
from wsgessions import errors
from wsgessions.credentials.presented import CredentialStatus, PresentedCredentials
from wsgessions.manager import SessionManager
from wsgessions.record.clock import StoreClock
from wsgessions.session import Session, unit_of
from wsgessions.settings import SessionSettings
from wsgessions.stores.memory.store import MemoryStore

__all__ = ["shared_server"]

SECRETS = ["0N7rXq2v9mKcUe5TzYbGs8WfLp3HdJaR4Qi6", "vB1xk8Zp3RtY6uWq0LmNc5Hs9Jd2Fg7Ae4To"]


async def created(manager: SessionManager, **attributes: Any) -> str:
    async with manager.open() as session:
        session.update(attributes)
    assert session.id is not None
    return session.id.get_secret_value()


def presented(session_id: str, watermark: str | None = None) -> PresentedCredentials:
    return PresentedCredentials(session_id, watermark, CredentialStatus.PRESENT)


# -- sessions outside of requests --------------------------------------------------------------------------------------


async def test_a_session_can_be_opened_by_its_id() -> None:
    manager = SessionManager(store_url="memory:")
    session_id = await created(manager, a=1)
    async with manager.open(session_id) as session:
        assert session == {"a": 1}
        session["a"] = 2
    async with manager.open(session_id) as session:
        assert session == {"a": 2}


async def test_leaving_by_an_exception_drops_changes_and_carries_out_a_logout() -> None:
    manager = SessionManager(store_url="memory:")
    session_id = await created(manager, a=1)
    with pytest.raises(RuntimeError, match="mine"):
        async with manager.open(session_id) as session:
            session["a"] = 2
            raise RuntimeError("mine")
    async with manager.open(session_id) as session:
        assert session == {"a": 1}
    with pytest.raises(RuntimeError, match="mine"):
        async with manager.open(session_id) as session:
            session.invalidate()
            raise RuntimeError("mine")
    async with manager.open(session_id) as session:
        assert session.is_new


async def test_leaving_by_a_cancellation_drops_changes() -> None:
    manager = SessionManager(store_url="memory:")
    session_id = await created(manager, a=1)
    with pytest.raises(asyncio.CancelledError):
        async with manager.open(session_id) as session:
            session["a"] = 2
            raise asyncio.CancelledError
    async with manager.open(session_id) as session:
        assert session == {"a": 1}


@pytest.mark.parametrize("session_id", [None, "", "x", "A" * 43, "A" * 44, "\n" * 43])
async def test_what_is_no_known_id_opens_a_new_session(session_id: str | None) -> None:
    """S-03."""
    manager = SessionManager(store_url="memory:")
    async with manager.open(session_id) as session:
        assert session.is_new
        session["a"] = 1
    assert session.id not in {None, session_id}


async def test_a_session_cannot_be_changed_after_its_block() -> None:
    """R-39; it can still be read, and its id handed on."""
    manager = SessionManager(store_url="memory:")
    async with manager.open() as session:
        session["a"] = 1
    assert session.id is not None
    assert session["a"] == 1
    with pytest.raises(errors.SessionClosed, match=r"SessionManager\.open"):
        session["a"] = 2


async def test_a_store_that_is_down_is_an_error_at_the_door() -> None:
    node = make_node(MemoryStore())
    session_id = await created(node.manager, a=1)
    node.store.down = True
    with pytest.raises(errors.StoreUnavailable):
        async with node.manager.open(session_id):
            pytest.fail("nothing was loaded")


async def test_a_touch_that_fails_fails_nobody() -> None:
    """C-16: the request is over by then."""
    node = make_node(MemoryStore())
    session_id = await created(node.manager, a=1)

    async def fail(name: str) -> None:
        node.store.down = name == "touch"

    node.store.before = fail
    async with node.manager.open(session_id) as session:
        assert session["a"] == 1
    assert node.store.calls[-1] == "touch"


async def test_a_session_is_garbage_right_after_its_request() -> None:
    """Nothing holds on to it, not even the collector is needed."""
    node = make_node(MemoryStore())
    session_id = await created(node.manager, cart=["pot"])
    gc.disable()
    try:
        async with node.manager.open(session_id) as session:
            session["cart"].append("cup")
        trace = weakref.ref(session)
        del session
        assert trace() is None
    finally:
        gc.enable()


# -- its life ----------------------------------------------------------------------------------------------------------


async def test_the_first_use_starts_the_store_and_a_close_ends_it_until_the_next() -> None:
    """R-44, F-72."""
    node = make_node(MemoryStore())
    session_id = await created(node.manager, a=1)
    assert node.store.calls == ["start", "create"]
    await node.manager.close()
    async with node.manager.open(session_id) as session:
        assert session == {"a": 1}
    assert node.store.calls == ["start", "create", "close", "start", "load", "touch"]


async def test_a_start_that_fails_can_be_tried_again() -> None:
    node = make_node(MemoryStore())
    node.store.down = True
    with pytest.raises(errors.StoreUnavailable):
        await node.manager.start()
    node.store.down = False
    await node.manager.start()
    await created(node.manager, a=1)


async def test_operations_that_the_application_starts_start_the_store() -> None:
    """R-44: `commit` and `load` before anything else has."""
    node = make_node(MemoryStore())
    session = node.manager.requests.begin(PresentedCredentials())
    session["a"] = 1
    await session.commit()
    assert node.store.calls == ["start", "create"]
    assert session.id is not None
    other = make_node(node.store.below)  # type: ignore[arg-type]  # a memory store
    session = other.manager.requests.begin(presented(session.id.get_secret_value()))
    await session.load()
    assert other.store.calls == ["start", "load"]
    assert session == {"a": 1}


def test_one_manager_serves_one_event_loop_after_another() -> None:
    """R-57: tests, scripts and notebooks run one loop after another."""
    manager = SessionManager(store_url="memory:")
    session_id = asyncio.run(created(manager, a=1))

    async def read() -> dict[str, Any]:
        async with manager.open(session_id) as session:
            return session.copy()

    assert asyncio.run(read()) == asyncio.run(read()) == {"a": 1}


def test_one_manager_serves_one_event_loop_after_another_over_a_real_server(shared_server: RawServer) -> None:
    """R-57."""
    manager = SessionManager(store_url=shared_server.url, namespace="loops")
    session_id = asyncio.run(created(manager, n=0))

    async def count() -> float:
        async with manager.open(session_id) as session:
            return await session.increment("n")

    assert [asyncio.run(count()) for _ in range(3)] == [1, 2, 3]
    asyncio.run(manager.close())


async def test_one_id_means_nothing_in_another_application(shared_server: RawServer) -> None:
    """S-12: another context or namespace on the same server."""
    homes: list[dict[str, Any]] = [
        {"namespace": "home"},
        {"namespace": "home", "context_path": "/shop"},
        {"namespace": "other"},
    ]
    managers = [SessionManager(store_url=shared_server.url, **home) for home in homes]
    session_id = await created(managers[0], a=1)
    seen = []
    for manager in managers:
        async with manager.open(session_id) as session:
            seen.append(session.copy())
        await manager.close()
    assert seen == [{"a": 1}, {}, {}]


async def test_a_manager_knows_its_own_sessions() -> None:
    """R-49."""
    shared = MemoryStore()
    one, same, other = make_node(shared), make_node(shared), make_node(shared, context_path="/shop")
    session = one.manager.requests.begin(PresentedCredentials())
    assert one.manager.requests.owns(session)
    assert same.manager.requests.owns(session)
    assert not other.manager.requests.owns(session)
    assert not one.manager.requests.owns(Session())


# -- the watermark's key (C-11) ----------------------------------------------------------------------------------------


async def watermark(manager: SessionManager, session_id: str, carried: str | None = None) -> str | None:
    """What a client that carries this watermark is to carry from now on."""
    session = manager.requests.begin(presented(session_id, carried))
    await manager.requests.repository.load(session)
    return manager.requests.watermark_for(unit_of(session))


async def test_without_secrets_all_nodes_share_one_that_the_store_keeps() -> None:
    """C-11."""
    one, other = two_nodes()
    session_id = await created(one.manager, a=1)
    mark = await watermark(one.manager, session_id)
    assert mark is not None
    assert await watermark(other.manager, session_id, mark) is None
    assert other.manager.statistics.forged_watermarks == 0


async def test_without_secrets_all_nodes_share_one_that_a_real_server_keeps(shared_server: RawServer) -> None:
    """C-11."""
    one, other = (SessionManager(store_url=shared_server.url, namespace="mac") for _ in range(2))
    session_id = await created(one, a=1)
    mark = await watermark(one, session_id)
    assert mark is not None
    assert await watermark(other, session_id, mark) is None
    for manager in (one, other):
        await manager.close()


async def test_secrets_are_a_ring_that_is_rolled_node_by_node() -> None:
    """S-77: the first one signs, all of them are read."""
    shared = MemoryStore()
    old = make_node(shared, secrets=SECRETS[:1]).manager
    both = make_node(shared, secrets=SECRETS[::-1]).manager
    new = make_node(shared, secrets=SECRETS[1:]).manager
    session_id = await created(old, a=1)
    mark = await watermark(old, session_id)
    assert await watermark(both, session_id, mark) is None
    newer = await watermark(both, session_id)
    assert await watermark(new, session_id, newer) is None
    assert await watermark(new, session_id, mark) is not None
    assert new.statistics.forged_watermarks == 1


async def test_a_store_that_keeps_no_secret_gives_each_node_its_own() -> None:
    """A watermark that is unknown elsewhere costs a read, and never a session."""

    class Plain:
        """Passes on what every store can, and no capability beyond."""

        def __init__(self, below: MemoryStore) -> None:
            self.clock: StoreClock = below.clock
            for name in ("start", "close", "create", "load", "apply", "rotate", "touch", "delete"):
                setattr(self, name, getattr(below, name))

    shared = MemoryStore()
    settings = SessionSettings(store_url="memory:")
    one, other = (SessionManager(settings, store=Plain(shared)) for _ in range(2))  # type: ignore[arg-type]
    session_id = await created(one, a=1)
    mark = await watermark(one, session_id)
    assert await watermark(one, session_id, mark) is None
    assert await watermark(other, session_id, mark) is not None


async def test_a_watermark_of_another_session_is_none_of_this_ones() -> None:
    """S-209: another incarnation."""
    node = make_node(MemoryStore())
    first, second = await created(node.manager, a=1), await created(node.manager, a=1)
    mark = await watermark(node.manager, first)
    assert await watermark(node.manager, second, mark) is not None
    assert node.manager.statistics.lost_commits_detected == 0


# -- settings ----------------------------------------------------------------------------------------------------------


def test_settings_come_whole_or_one_by_one() -> None:
    settings = SessionSettings(store_url="memory:", context_path="/shop")
    assert SessionManager(settings).settings is settings
    changed = SessionManager(settings, namespace="other").settings
    assert (changed.context_path, changed.namespace) == ("/shop", "other")
    assert isinstance(SessionManager(settings).store, MemoryStore)
    store = SpyStore(MemoryStore())
    assert SessionManager(settings, store=store).store is store
    with pytest.raises(errors.ConfigError, match="namespac"):
        SessionManager(settings, namespac="other")  # type: ignore[call-arg]  # on purpose
