"""What a process that died leaves in the index of a principal is swept within one idle timeout (E-9, T-13)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stores.valkey.links import PATIENCE, soon
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, drop_orphans, repair_of, shared_server, started, store_at
from wsgessions.record import NewSession, SessionRecord
from wsgessions.stores.valkey.format.principal import member_of
from wsgessions.stores.valkey.sessions.principal_index import WINDOW_MS
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.stores.valkey.upkeep import index_repair
from wsgessions.stores.valkey.upkeep.index_repair import IndexRepair
from wsgessions.testing.faults.proxies import Direction, FaultProxy
from wsgessions.testing.stores.harness import DAY, IDLE, created, new_key
from wsgessions.testing.stores.principals import bound, heads_of, in_order, moved

__all__ = ["shared_server"]

LATER = b"w\x7f" + b"of a shape that nobody here knows"
"""The metadata of a record of a later release."""


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


def index_of(store: ValkeyStore, principal: str = "ada") -> bytes:
    assert store.segments is not None
    return store.segments.index_of(principal)


def record_of(store: ValkeyStore, record: SessionRecord) -> bytes:
    assert store.segments is not None
    return store.segments.of(record.key).record(record.key)


async def indexed(store: ValkeyStore) -> set[bytes]:
    """The members of Ada's index."""
    return set(await store.link.request("ZRANGE", index_of(store), 0, -1))


async def add_orphans(store: ValkeyStore, number: int) -> None:
    """As of sessions that were confirmed and have ended since."""
    score = store.clock.now_ms() + DAY * 1000
    pairs = [part for _ in range(number) for part in (score, member_of(new_key()))]
    assert await store.link.request("ZADD", index_of(store), *pairs) == number


async def pass_once(repair: IndexRepair) -> None:
    while await repair.step():
        pass


async def until_indexed(store: ValkeyStore, members: set[bytes]) -> None:
    async with asyncio.timeout(PATIENCE):
        while await indexed(store) != members:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


# -- processes that are killed -----------------------------------------------------------------------------------------


async def killed_in_the_middle(store: ValkeyStore, url: str, number: int, work: str) -> None:
    """Run `killed_program`; the store has done the first step of its work, and the process has not heard of that."""
    async with FaultProxy(url.removeprefix("unix://")) as proxy:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.stores.valkey.killed_program"),
            *(f"valkey://{proxy.host}:{proxy.port}", store._namespace, str(number), work),
            cwd=Path(__file__).parents[4],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert program.stdin is not None
        assert program.stdout is not None
        try:
            async with asyncio.timeout(PATIENCE):
                assert await program.stdout.readline() == b"ready\n"
                proxy.drop(Direction.TO_CLIENT)
                program.stdin.write(b"go\n")
                while not await is_half_done(store, number, work):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        finally:
            program.kill()
            await program.wait()
            program.stdin.close()


async def is_half_done(store: ValkeyStore, number: int, work: str) -> bool:
    """Whether all sessions are announced, or all have ended, and nothing else."""
    if work == "logins":
        return len(await indexed(store)) == 2 * number
    return await store.count() == 0


async def test_what_a_process_that_was_killed_in_mid_logout_has_left_is_gone_after_one_pass(
    shared_server: RawServer, store: ValkeyStore
) -> None:
    """T-13: the sessions had ended, and it had not come to say so to the index."""
    await killed_in_the_middle(store, shared_server.url, 250, "logouts")
    assert len(await indexed(store)) == 250
    mine = await bound(store, "ada")
    await pass_once(repair_of(store, idle_timeout=IDLE))
    assert await indexed(store) == {member_of(mine.key)}
    assert await heads_of(store, "ada") == in_order([mine])


async def test_what_a_process_that_was_killed_in_mid_login_has_left_is_gone_after_the_window_and_one_pass(
    shared_server: RawServer, store: ValkeyStore
) -> None:
    """T-13, E-9: announced, and never created. Until the window is over it might still be."""
    await killed_in_the_middle(store, shared_server.url, 150, "logins")
    assert len(await heads_of(store, "ada")) == 150
    await pass_once(repair_of(store, idle_timeout=IDLE))
    assert len(await indexed(store)) == 300
    await age(store, WINDOW_MS / 1000 + 60)
    announced = len(await indexed(store))
    await pass_once(repair_of(store, idle_timeout=IDLE))
    assert (announced, len(await indexed(store))) == (300, 150)


# -- what is an orphan -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1, 99, 100, 101, 460])
async def test_one_look_at_an_index_takes_out_all_orphans_however_many(store: ValkeyStore, number: int) -> None:
    """T-13: entries that move up where others were taken out are not passed over."""
    await add_orphans(store, number)
    kept = {member_of((await bound(store, "ada", life=DAY + at - 75)).key) for at in range(150)}
    await drop_orphans(store, [index_of(store)])
    assert await indexed(store) == kept


async def test_what_is_there_or_may_still_come_or_cannot_be_judged_stays(store: ValkeyStore) -> None:
    """E-9, R-20 to R-22: a session, what may be one, and a login that is under way."""
    live, later, foreign = [await bound(store, "ada") for _ in range(3)]
    renewed = await moved(store, await moved(store, await created(store), binds="ada"), forward_ms=10_000)
    await store.link.request("HSET", record_of(store, later), "m", LATER)
    await store.link.request("DEL", record_of(store, foreign))
    await store.link.request("SET", record_of(store, foreign), "text")
    coming = NewSession(new_key(), {}, IDLE * 1000, DAY * 1000, principal="ada")
    await store.sessions.index.announce("ada", coming.key, soon())
    await drop_orphans(store, [index_of(store)])
    there = [record.key for record in (live, later, foreign, renewed)]
    assert await indexed(store) == set(map(member_of, [*there, coming.key]))


async def test_a_session_that_has_ended_or_moved_on_leaves_an_orphan_that_is_taken_out(store: ValkeyStore) -> None:
    """T-13: what the record has instead, a tombstone or a forward, is no session."""
    ended, replaced, renewed, live = [await bound(store, "ada") for _ in range(4)]
    members = await indexed(store)
    scores = await store.link.request("ZMSCORE", index_of(store), *members)
    await store.delete(ended.key)
    after = [await moved(store, replaced), await moved(store, renewed, forward_ms=10_000)]
    pairs = [part for score, member in zip(scores, members, strict=True) for part in (int(score), member)]
    await store.link.request("ZADD", index_of(store), *pairs)
    assert len(await indexed(store)) == 6
    await drop_orphans(store, [index_of(store)])
    assert await indexed(store) == {member_of(record.key) for record in (live, *after)}


# -- when they are looked for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("idle_timeout", [2.0, 60.0, 89.0, 600.0, 1800.0, 7200.0])
def test_the_indexes_are_looked_at_twice_within_each_idle_timeout(store: ValkeyStore, idle_timeout: float) -> None:
    """T-13: what came just after a look is found by the next, which is then over before the time is."""
    repair = repair_of(store, idle_timeout=idle_timeout)
    between = repair._period * repair._passes_for_principals
    assert between <= idle_timeout / 2
    assert repair._longest_pass <= idle_timeout / 2


async def test_a_running_store_sweeps_orphans_by_itself(
    shared_server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """T-13: also those that come long after the first passes over its connection, which look at everything."""
    monkeypatch.setattr(index_repair, "_LEAST_PERIOD", 0.02)
    async with started(store_at(shared_server.url, reap_interval=0.02, idle_timeout=0.04)) as store:
        assert store.reaper is not None
        mine = {member_of((await bound(store, "ada")).key)}
        for _ in range(3):
            passes = store.reaper._repair._passes
            async with asyncio.timeout(PATIENCE):
                while store.reaper._repair._passes < passes + 3:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await add_orphans(store, 20)
            await until_indexed(store, mine)
