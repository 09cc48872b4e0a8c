"""The index of a principal when its server dies, for real, before its replica has heard all (E-9, F-11, F-17).

On one primary, sessions and indexes are lost together: what the replica has is what was so at some moment. That moment
may lie in the middle of a login. And a login may begin at the one server and be carried out at the other.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.stores.valkey.links import soon, until
from tests.stores.valkey.replicas import Replicated, replicated
from tests.stores.valkey.sessions.test_principal_index import indexed
from tests.stores.valkey.shared_server import repair_of, started
from wsgessions.errors import NonStopTimeout
from wsgessions.manager import SessionManager
from wsgessions.record import CommitStatus, SessionKey, SessionRecord
from wsgessions.store.address import Address
from wsgessions.store.listing import SessionHead
from wsgessions.stores.valkey.format.principal import member_of
from wsgessions.stores.valkey.sessions.commit import Commits
from wsgessions.stores.valkey.sessions.principal_index import PrincipalIndex
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.stores.valkey.upkeep.index_repair import IndexRepair
from wsgessions.testing.stores.harness import change, created
from wsgessions.testing.stores.principals import bound, heads_of, in_order, moved, successor

Step = Callable[[], Awaitable[Any]]

_namespaces = itertools.count()

STEPS = {
    "announce": PrincipalIndex,
    "rotate": Commits,
    "create": Commits,
    "confirm": PrincipalIndex,
    "take_out": PrincipalIndex,
}
"""The steps of a login, each a command or script that reaches the replica after the one before."""


@pytest.fixture
async def servers() -> AsyncIterator[Replicated]:
    async with replicated() as servers:
        yield servers


@pytest.fixture
async def store(servers: Replicated) -> AsyncIterator[ValkeyStore]:
    async with started(store_of(servers)) as store:
        yield store


def store_of(servers: Replicated, beside: ValkeyStore | None = None, **options: Any) -> ValkeyStore:
    """A store of a namespace of its own, or of another store's sessions."""
    namespace = f"p{next(_namespaces)}" if beside is None else beside._namespace
    return ValkeyStore(servers.locate, **{"namespace": namespace, "reap_interval": None, **options})


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Step], None]:
    """Have something done just before a step of a login, once."""

    def put(name: str, step: Step) -> None:
        place: Any = STEPS[name]
        carry_on = getattr(place, name)

        async def stepping(*args: Any) -> Any:
            monkeypatch.setattr(place, name, carry_on)
            await step()
            return await carry_on(*args)

        monkeypatch.setattr(place, name, stepping)

    return put


async def fail_over(servers: Replicated, store: ValkeyStore) -> None:
    """The primary dies, and the store has found the other server and told it what it knows."""
    await servers.take_over()
    await store.link.request(b"PING", deadline=soon())
    assert store.link.address == Address.parse(servers.primary.url)
    await until(lambda: store.revocations._task is None)


async def living(store: ValkeyStore, *keys: SessionKey) -> list[SessionHead]:
    """Which of these are sessions, by their records alone."""
    loaded = [await store.load(key, deadline=soon()) for key in keys]
    return in_order({each.key: each for each in loaded if isinstance(each, SessionRecord)}.values())


async def found(store: ValkeyStore, principal: str = "ada") -> list[SessionHead]:
    return await heads_of(store, principal)


async def test_every_session_that_outlived_the_primary_is_found_and_can_be_ended(
    servers: Replicated, store: ValkeyStore
) -> None:
    """S-55: logins, moves, a change of the user and ends, before and after the last that the replica heard of."""
    *kept, ended, left, moving, gone = [await bound(store, "ada") for _ in range(9)]
    await store.delete(gone.key)
    renewed = await moved(store, moving, forward_ms=10_000)
    await servers.caught_up()
    servers.cut()
    lost = [await bound(store, "ada") for _ in range(5)]
    again = await moved(store, kept[0], binds="ada")
    bobs = await moved(store, left, binds="bob")
    await store.delete(ended.key)
    await fail_over(servers, store)
    everything = [each.key for each in (*kept, ended, left, moving, gone, renewed, *lost, again, bobs)]
    async with started(store_of(servers, store)) as stranger:
        alive = await living(stranger, *everything)
        assert alive == in_order([*kept[1:], renewed])
        for each in (stranger, store):
            assert await found(each) == alive
            assert await found(each, "bob") == []
        assert await indexed(stranger) == {member_of(record.key) for record in alive}
    manager = SessionManager(store_url="memory:", store=store)
    assert await manager.end_sessions_of("ada") == len(alive)
    assert await living(store, *everything) == []
    assert await manager.sessions_of("ada") == []


@pytest.mark.parametrize("step", ["announce", "rotate", "confirm", "take_out"])
async def test_a_login_in_the_middle_of_which_the_primary_dies_is_found_or_has_not_been(
    servers: Replicated, store: ValkeyStore, before: Callable[[str, Step], None], step: str
) -> None:
    """All that came before the step has reached the replica, and nothing else; the session was the user's already."""
    record, bystander = await bound(store, "ada"), await bound(store, "ada")

    async def lose_the_rest() -> None:
        await servers.caught_up()
        servers.cut()

    before(step, lose_the_rest)
    after = await moved(store, record, binds="ada")
    await servers.take_over()
    async with started(store_of(servers, store)) as stranger:  # which does not know what is to be ended
        alive = await living(stranger, record.key, after.key, bystander.key)
        survivor = after if step in {"confirm", "take_out"} else record
        assert {each.key for each in alive} == {bystander.key, survivor.key}
        assert await found(stranger) == alive
        while doomed := await found(stranger):
            for each in doomed:
                await stranger.delete(each.key, deadline=soon())
        assert await living(stranger, record.key, after.key, bystander.key) == []


@pytest.mark.parametrize("creating", [True, False])
async def test_a_login_that_is_announced_to_one_server_and_carried_out_at_the_other_is_found(
    servers: Replicated, store: ValkeyStore, before: Callable[[str, Step], None], *, creating: bool
) -> None:
    """The announcement is lost, and the confirmation makes up for it."""
    record = await created(store)
    await servers.caught_up()
    servers.cut()
    before("create" if creating else "rotate", servers.take_over)
    after = await bound(store, "ada") if creating else await moved(store, record, binds="ada")
    assert await found(store) == in_order([after])
    assert await indexed(store) == {member_of(after.key)}


async def test_what_is_not_confirmed_in_time_either_is_put_back_by_the_next_pass(
    servers: Replicated, store: ValkeyStore, before: Callable[[str, Step], None]
) -> None:
    """R-28: the failover has used up the time of the login. It counts, and a sweeper finds the session by its record.

    Also one whose first look at the new primary came too early.
    """
    record = await created(store)
    to = successor(record, binds="ada")
    await servers.caught_up()
    async with started(store_of(servers, store)) as sweeper:
        passing = repair_of(sweeper)
        passing._period = 0.0

        async def look_too_early() -> None:
            await servers.take_over()
            generation = sweeper.link.generation
            while passing._generation == generation:
                await one_pass(passing)

        async def be_late() -> None:
            raise NonStopTimeout("the time of the request is over")

        for _ in range(2):
            await one_pass(passing)
        servers.cut()
        before("rotate", look_too_early)
        before("confirm", be_late)
        assert (await store.rotate(change(record), to, deadline=soon())).status is CommitStatus.APPLIED
        assert await found(store) == []
        await one_pass(passing)
        assert sweeper.trouble.reindexed == 1
        assert [each.key for each in await found(store)] == [to.key]


async def one_pass(passing: IndexRepair) -> None:
    while await passing.step():
        pass


async def test_a_process_that_was_there_before_looks_once_the_primary_is_another_one(
    servers: Replicated, store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F-17: at once, and not when its next pass is due."""
    async with started(store_of(servers, store, reap_interval=0.05)) as sweeper:
        assert sweeper.reaper is not None
        passing, passed = sweeper.reaper._repair, asyncio.Event()
        step = passing.step

        async def stepping() -> bool:
            goes_on = await step()
            passed.set()
            return goes_on

        monkeypatch.setattr(passing, "step", stepping)
        record = await bound(store, "ada")
        await passed.wait()
        assert store.segments is not None
        await store.link.request("ZREM", store.segments.index_of("ada"), member_of(record.key))
        await servers.caught_up()
        assert await found(store) == []
        await servers.take_over()
        await until(lambda: sweeper.trouble.reindexed == 1)
        assert await found(store) == in_order([record])
