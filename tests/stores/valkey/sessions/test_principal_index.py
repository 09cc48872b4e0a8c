"""The index of a principal's sessions, which is in another slot than they are (E-9, F-17)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.stores.valkey.links import soon, until
from tests.stores.valkey.raw_server import RawServer
from tests.stores.valkey.shared_server import age, reaper_of, repair_of, shared_server, started, store_at
from wsgessions.errors import NonStopTimeout, StoreUnavailable
from wsgessions.record import CommitStatus, NewSession, SessionRecord
from wsgessions.record.struct import replace
from wsgessions.stores.valkey.client.replies import Reply
from wsgessions.stores.valkey.client.requests import PendingRequest
from wsgessions.stores.valkey.format.principal import member_of
from wsgessions.stores.valkey.format.segments import Segments, application_prefix, slot
from wsgessions.stores.valkey.sessions import principal_index
from wsgessions.stores.valkey.sessions.commit import Commits
from wsgessions.stores.valkey.sessions.principal_index import WINDOW_MS, PrincipalIndex
from wsgessions.stores.valkey.store import ValkeyStore
from wsgessions.testing.stores.harness import DAY, IDLE, change, created, new_key, stored
from wsgessions.testing.stores.principals import PRINCIPALS, bound, heads_of, in_order, moved, successor

__all__ = ["shared_server"]

Step = Callable[..., Awaitable[Any]]


@pytest.fixture
async def store(shared_server: RawServer) -> AsyncIterator[ValkeyStore]:
    async with started(store_at(shared_server.url)) as store:
        yield store


def index_of(store: ValkeyStore, principal: str) -> bytes:
    assert store.segments is not None
    return store.segments.index_of(principal)


async def members(store: ValkeyStore, principal: str = "ada") -> dict[bytes, int]:
    """What the index holds, orphans included, with the scores."""
    found = await store.link.request("ZRANGE", index_of(store, principal), 0, -1, "WITHSCORES")
    return {member: int(score) for member, score in found}


async def indexed(store: ValkeyStore, principal: str = "ada") -> set[bytes]:
    return set(await members(store, principal))


def alone(*records: SessionRecord) -> set[bytes]:
    return {member_of(record.key) for record in records}


# -- where it is -------------------------------------------------------------------------------------------------------


def test_indexes_are_spread_over_the_segments_whatever_a_principal_looks_like() -> None:
    """In a cluster a key's hash tag is what stands in its first braces."""
    segments = Segments("wsg", "/", 16)
    names = [segments.index_of(principal) for principal in (*PRINCIPALS, *map(str, range(1000, 1500)))]
    assert len(set(names)) == len(names)
    tags = {name.split(b"{", 1)[1].split(b"}", 1)[0] for name in names}
    assert tags == {segment.expiries.split(b"{")[1].split(b"}")[0] for segment in segments}
    assert len({slot(tag.decode()) for tag in tags}) == 16
    assert {name.partition(b"{")[0] for name in names} == {application_prefix("wsg", "/").encode()}
    assert {len(name.partition(b"}:p:")[2]) for name in names} == {16}


async def test_applications_do_not_see_each_others_principals(shared_server: RawServer, store: ValkeyStore) -> None:
    """S-12."""
    async with started(store_at(shared_server.url, namespace=store._namespace, context_path="/other")) as other:
        record = await bound(store, "ada")
        assert await heads_of(other, "ada") == []
        assert await heads_of(store, "ada") == in_order([record])


# -- as long as nothing goes wrong -------------------------------------------------------------------------------------


async def test_a_member_is_scored_by_the_deadline_which_no_use_moves(store: ValkeyStore) -> None:
    record = await bound(store, "ada")
    assert await members(store) == {member_of(record.key): record.deadline_ms}
    record = await moved(store, record)
    assert await members(store) == {member_of(record.key): record.deadline_ms}


async def test_the_index_lives_as_long_as_its_last_member(store: ValkeyStore) -> None:
    longest = await bound(store, "ada", life=30 * DAY)
    await bound(store, "ada", life=DAY)
    expires_at = await store.link.request("PEXPIRETIME", index_of(store, "ada"))
    assert expires_at == longest.deadline_ms + WINDOW_MS


async def test_what_leaves_the_store_leaves_the_index(shared_server: RawServer) -> None:
    """T-13: by its end, by a move, to another principal, to nobody, and by the reaper."""
    async with started(store_at(shared_server.url, grace=0.0)) as store:
        ended, leaving, freed = [await bound(store, "ada") for _ in range(3)]
        await store.delete(ended.key)
        await moved(store, await moved(store, leaving), binds="bob")
        await moved(store, await moved(store, freed, forward_ms=1000), binds="")
        assert await indexed(store) == set()
        await bound(store, "ada", idle=0.001)
        last = await created(store, idle=0.001)
        assert len(await indexed(store)) == 1
        await until(lambda: store.clock.now_ms() > last.expires_ms + 1)
        assert await reaper_of(store).sweep() == 2
        assert await indexed(store) == set()


def requests_of(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> list[PendingRequest]:
    """What is sent from now on, each a round trip."""
    sent: list[PendingRequest] = []
    submit = store.link.submit

    def counted(ticket: PendingRequest) -> asyncio.Future[Reply]:
        sent.append(ticket)
        return submit(ticket)

    monkeypatch.setattr(store.link, "submit", counted)
    return sent


async def test_whatever_is_not_bound_costs_not_one_command_more(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A commit of a session that is somebody's, too."""
    record, nobodys = await bound(store, "ada"), await created(store)
    for each in (record, nobodys):
        await store.apply(change(each, a=b"1"))
        await store.load(each.key, since=each.seen)
    sent = requests_of(store, monkeypatch)
    await store.apply(change(record, a=b"2"))
    await store.apply(change(nobodys, a=b"2"))
    await store.load(record.key)
    await store.touch([record.key])
    await created(store)
    await store.rotate(change(nobodys), successor(nobodys))
    assert len(sent) == 6


async def test_a_login_is_four_round_trips(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Announced, moved, looked at and confirmed."""
    await moved(store, await created(store), binds="ada")
    record = await created(store)
    sent = requests_of(store, monkeypatch)
    await store.rotate(change(record), successor(record, binds="ada"))
    assert len(sent) == 4


# -- races -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Step], None]:
    """Have something done just before a step of `Principals`: ``"rotate"``, ``"create"`` or ``"confirm"``."""

    def put(name: str, step: Step) -> None:
        place: Any = PrincipalIndex if name == "confirm" else Commits
        carry_on: Step = getattr(place, name)

        async def stepping(*args: Any) -> Any:
            monkeypatch.setattr(place, name, carry_on)
            await step()
            return await carry_on(*args)

        monkeypatch.setattr(place, name, stepping)

    return put


@pytest.mark.parametrize("creating", [True, False])
async def test_a_reader_between_the_announcement_and_the_commit_takes_nothing_away(
    store: ValkeyStore, between: Callable[[str, Step], None], *, creating: bool
) -> None:
    """It finds the member and no session. Nor does it matter if nobody confirms the session afterwards."""
    record = await created(store)

    async def read() -> None:
        assert await heads_of(store, "ada") == []
        assert len(await indexed(store)) == 1
        between("confirm", die)

    async def die() -> None:
        raise StoreUnavailable("the process dies here")

    between("create" if creating else "rotate", read)
    record = await bound(store, "ada") if creating else await moved(store, record, binds="ada")
    [(member, score)] = (await members(store)).items()
    assert member == member_of(record.key)
    assert score < record.deadline_ms
    assert await heads_of(store, "ada") == in_order([record])
    assert await members(store) == {member: record.deadline_ms}


async def test_a_session_that_was_never_confirmed_is_found_long_after_the_window(
    store: ValkeyStore, between: Callable[[str, Step], None]
) -> None:
    async def die() -> None:
        raise StoreUnavailable("the process dies here")

    between("confirm", die)
    record = await bound(store, "ada", idle=DAY)
    await age(store, WINDOW_MS / 1000 + 60)
    await bound(store, "ada")
    assert len(await heads_of(store, "ada")) == 2
    assert (await members(store))[member_of(record.key)] == (await stored(store, record)).deadline_ms


async def test_what_was_announced_and_never_came_is_forgotten_after_the_window(
    store: ValkeyStore, between: Callable[[str, Step], None]
) -> None:
    """Not before, since it might still come; by readers, and by whoever is bound next."""

    async def die() -> None:
        raise NonStopTimeout("the answer never comes")

    for reads in (True, False):
        between("create", die)
        with pytest.raises(NonStopTimeout):
            await bound(store, "ada")
        assert await heads_of(store, "ada") == []
        assert len(await indexed(store)) == 1
        await age(store, WINDOW_MS / 1000 + 60)
        if reads:
            assert await heads_of(store, "ada") == []
            assert await indexed(store) == set()
        else:
            record = await bound(store, "ada")
            assert await indexed(store) == alone(record)


async def test_a_session_that_moves_while_it_is_looked_for_is_found_under_its_new_key(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S-55: between the look at the index and the look at the record."""
    record = await bound(store, "ada")
    look, states = store.sessions.index.read, [record]

    async def look_and_move(*args: Any) -> Any:
        found = await look(*args)
        if len(states) < 4:
            states.append(await moved(store, states[-1]))
        return found

    monkeypatch.setattr(store.sessions.index, "read", look_and_move)
    assert await heads_of(store, "ada") == in_order([states[-1]])
    assert len(states) == 4


async def test_who_forgets_an_orphan_does_not_forget_a_session_that_comes_at_that_moment(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member whose window was over when it was read, and which is confirmed before it is taken out."""
    new = NewSession(new_key(), {}, IDLE * 1000, DAY * 1000, principal="ada")
    await store.sessions.index.announce("ada", new.key, soon())
    await age(store, WINDOW_MS / 1000 + 60)
    forget = store.sessions.index.forget

    async def create_and_forget(*args: Any) -> None:
        monkeypatch.setattr(store.sessions.index, "forget", forget)
        assert await store.create(new)
        await forget(*args)

    monkeypatch.setattr(store.sessions.index, "forget", create_and_forget)
    assert await heads_of(store, "ada") == []
    assert [record.key for record in await heads_of(store, "ada")] == [new.key]


async def test_a_binding_that_is_refused_leaves_no_member_and_one_that_is_unknown_leaves_it(store: ValkeyStore) -> None:
    record = await created(store, {"a": b"text"})
    refused = await store.rotate(replace(change(record), increments={"a": 1}), successor(record, binds="ada"))
    assert refused.status is CommitStatus.NOT_A_NUMBER
    assert await indexed(store) == set()


async def test_an_index_that_cannot_be_kept_up_to_date_fails_no_login_and_no_logout(
    store: ValkeyStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Once the session is bound or has ended; before, it does fail, since nobody would find the session."""
    record = await bound(store, "ada")
    await store.link.request("SET", index_of(store, "bob"), "not an index")
    with pytest.raises(StoreUnavailable):
        await moved(store, record, binds="bob")
    assert (await stored(store, record)).principal == "ada"
    await store.link.request("SET", index_of(store, "ada"), "not an index")
    with caplog.at_level(logging.INFO, "wsgessions.principals"):
        principal_index._log._lines.clear()
        assert await store.delete(record.key)
    assert "could not be kept up to date" in caplog.text


# -- what was lost -----------------------------------------------------------------------------------------------------


async def repair(store: ValkeyStore) -> int:
    """The first pass over a new connection; the number of sessions that came back."""
    before, passing = store.trouble.reindexed, repair_of(store)
    while await passing.step():
        pass
    return store.trouble.reindexed - before


async def test_an_index_that_was_lost_is_built_again_from_the_sessions(store: ValkeyStore) -> None:
    """F-17: as after a failover of the server that had it."""
    records = [await bound(store, principal) for principal in PRINCIPALS for _ in range(3)]
    ended, nobodys = await bound(store, "ada"), await created(store)
    for principal in PRINCIPALS:
        await store.link.request("UNLINK", index_of(store, principal))
    await store.delete(ended.key)
    await store.link.request("SET", store.segments.of(nobodys.key).record_prefix + bytes(16), "x")  # type: ignore[union-attr]
    assert await heads_of(store, "ada") == []
    assert await repair(store) == len(records)
    assert await repair(store) == 0
    for principal in PRINCIPALS:
        found = {record.key for record in await heads_of(store, principal)}
        assert found == {record.key for record in records if record.principal == principal}
    assert (await members(store))[member_of(records[0].key)] == records[0].deadline_ms


async def test_a_new_connection_begins_a_pass_at_once(store: ValkeyStore) -> None:
    """F-17: one that is not due for 45 s otherwise; and each tenth pass looks without that."""
    record = await bound(store, "ada")
    passing = repair_of(store)
    while await passing.step():
        pass
    await store.link.request("UNLINK", index_of(store, "ada"))
    assert not await passing.step()
    assert await heads_of(store, "ada") == []
    await store.link.request("CLIENT", "KILL", "ID", await store.link.request("CLIENT", "ID"), "SKIPME", "yes")
    generation = store.link.generation
    await store.link.request("QUIT")
    while store.link.generation == generation:
        await store.load(record.key)
    while await passing.step():
        pass
    assert await heads_of(store, "ada") == in_order([record])


async def test_each_tenth_pass_looks_at_principals_too(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    record = await bound(store, "ada")
    passing, passes = repair_of(store), 0
    passing._period = 0.0
    for _ in range(2):  # those over a new connection
        while await passing.step():
            pass
    await store.link.request("UNLINK", index_of(store, "ada"))
    while not await heads_of(store, "ada"):
        passes += 1
        while await passing.step():
            pass
    assert passes == 8
    assert await heads_of(store, "ada") == in_order([record])


async def test_a_principal_that_cannot_be_read_makes_a_record_unreadable(store: ValkeyStore) -> None:
    """R-20."""
    record = await bound(store, "ada")
    assert store.segments is not None
    name = store.segments.of(record.key).record(record.key)
    whole = await store.link.request("HGET", name, "p")
    for damage in (b"x", whole[:9], whole[:10] + b"\xff", b"\xff" * 8 + whole[8:]):
        await store.link.request("HSET", name, "p", damage)
        assert await store.load(record.key) is None
    await store.link.request("HSET", name, "p", b"\xff\xff")
    assert await store.delete(record.key)
