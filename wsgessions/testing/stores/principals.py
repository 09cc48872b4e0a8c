"""Cases of `StoreSuite`, and a suite of its own: principals and their sessions (S-55, E-9)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from ...record import (
    CommitStatus,
    NewSession,
    PrincipalBinding,
    RotationTarget,
    SessionChanges,
    SessionKey,
    SessionRecord,
)
from ...record.struct import replace
from ...store.capabilities import find_capability
from ...store.contract import Store
from ...store.listing import Indexing, SessionHead
from .harness import DAY, IDLE, StoreHarness, change, created, new_key, stored, successor_of

__all__ = ["IndexingSuite", "PrincipalCases", "PRINCIPALS", "bound", "heads_of", "in_order", "moved"]

PRINCIPALS = ["ada", "7", "{braces}", "*?[x]", "a:b", "nul\0", "line\r\nbreak", "ключ", " ", "x" * 512]


async def bound(
    store: Store, principal: str, attributes: dict[str, bytes] | None = None, *, idle: float = IDLE, life: float = DAY
) -> SessionRecord:
    """A session that was created with a principal; times in seconds."""
    new = NewSession(new_key(), attributes or {}, round(idle * 1000), round(life * 1000), principal=principal)
    record = await store.create(new)
    assert record is not None, "a new key must be free"
    return record


def successor(record: SessionRecord, **more: Any) -> RotationTarget:
    """A rotation target for a caller that has seen this record."""
    return successor_of(record.key)._replace(principal=record.principal, **more)


async def moved(store: Store, record: SessionRecord, **more: Any) -> SessionRecord:
    """The session after a rotation; ``binds`` and ``forward_ms`` may be given."""
    to = successor(record, **more)
    outcome = await store.rotate(change(record), to)
    assert outcome.status is CommitStatus.APPLIED
    found = await store.load(to.key)
    assert isinstance(found, SessionRecord)
    assert found == record.after(change(record), outcome, to)
    return found


class PrincipalCases(StoreHarness):
    """Every store keeps the principal."""

    @pytest.mark.parametrize("principal", PRINCIPALS)
    async def test_a_session_may_be_somebodys_from_its_creation(self, store: Store, principal: str) -> None:
        record = await bound(store, principal, {"a": b"1"})
        assert record.binding == PrincipalBinding(principal, record.version)
        assert await stored(store, record) == record

    async def test_a_session_is_nobodys_unless_it_is_bound(self, store: Store) -> None:
        record = await created(store)
        assert record.principal is None
        assert (await stored(store, record)).binding is None

    @pytest.mark.parametrize("principal", PRINCIPALS)
    async def test_a_rotation_may_bind_a_session(self, store: Store, principal: str) -> None:
        """S-06, E-10: in one step with the new id."""
        record = await created(store, {"a": b"1"})
        to = successor(record, binds=principal)
        outcome = await store.rotate(change(record, b=b"2"), to)
        found = await store.load(to.key)
        assert isinstance(found, SessionRecord)
        assert found.binding == PrincipalBinding(principal, outcome.version)
        assert found.attributes == {"a": b"1", "b": b"2"}
        assert found == record.after(change(record, b=b"2"), outcome, to)
        assert await store.load(record.key) is None

    async def test_a_binding_lasts_until_another_one(self, store: Store) -> None:
        """A plain rotation and a renewal keep it, with the time of the login."""
        record = await bound(store, "ada")
        assert (await store.apply(change(record, a=b"1"))).status is CommitStatus.APPLIED
        rotated = await moved(store, await stored(store, record))
        renewed = await moved(store, rotated, forward_ms=10_000)
        assert renewed.binding == rotated.binding == record.binding
        again = await moved(store, renewed, binds="ada")
        assert again.binding == PrincipalBinding("ada", again.rotated)
        assert (await moved(store, again, binds="bob")).principal == "bob"

    async def test_a_session_may_become_nobodys(self, store: Store) -> None:
        record = await moved(store, await bound(store, "ada", {"a": b"1"}), binds="")
        assert record.binding is None
        assert (await stored(store, record)).attributes == {"a": b"1"}

    async def test_a_refused_rotation_binds_nobody(self, store: Store) -> None:
        record = await created(store, {"a": b"text"})
        to = successor(record, binds="ada")
        refused = await store.rotate(replace(change(record), increments={"a": 1}), to)
        assert refused.status is CommitStatus.NOT_A_NUMBER
        assert (await stored(store, record)).binding is None
        assert await store.load(to.key) is None

    async def test_a_binding_that_is_sent_twice_is_one(self, store: Store) -> None:
        record = await created(store)
        delta, to = change(record), successor(record, binds="ada")
        first, second = await store.rotate(delta, to), await store.rotate(delta, to)
        assert (second.status, second.version) == (CommitStatus.APPLIED, first.version)

    async def test_no_attribute_can_be_taken_for_a_principal(self, store: Store) -> None:
        """R-05."""
        names: dict[str, bytes] = dict.fromkeys(("p", "ap", "principal", "binding", "_wsg"), b"bob")
        record = await bound(store, "ada", names)
        assert (await store.apply(replace(change(record, p=b"eve"), removed=frozenset({"ap"})))).changes is None
        now = await stored(store, record)
        assert now.binding == record.binding
        changes = await store.load(record.key, since=record.seen)
        assert isinstance(changes, SessionChanges)
        assert record.merged(changes) == now


class IndexingSuite(StoreHarness):
    """The cases for a store that finds sessions by their principal (E-9)."""

    @pytest.mark.parametrize("principal", PRINCIPALS)
    async def test_the_sessions_of_a_principal_are_found_and_nobody_elses(self, store: Store, principal: str) -> None:
        assert await heads_of(store, principal) == []
        mine = [await bound(store, principal, {"a": b"1"}) for _ in range(5)]
        await bound(store, principal + "x")
        await created(store)
        assert await heads_of(store, principal) == in_order(mine)

    async def test_a_session_is_found_in_its_present_state(self, store: Store) -> None:
        record = await bound(store, "ada", {"a": b"1"})
        await store.apply(change(record, a=b"2"))
        await self.advance(store, IDLE - 60)
        await store.touch([record.key])
        assert await heads_of(store, "ada") == in_order([await stored(store, record)])

    async def test_a_session_is_found_under_its_present_key_wherever_it_moves(self, store: Store) -> None:
        record = await moved(store, await created(store), binds="ada")
        for more in ({}, {"forward_ms": 10_000}, {"binds": "ada"}):
            record = await moved(store, record, **more)
            assert await heads_of(store, "ada") == in_order([record])

    async def test_a_session_that_becomes_anothers_is_found_there(self, store: Store) -> None:
        record = await moved(store, await bound(store, "ada"), binds="bob")
        assert await heads_of(store, "ada") == []
        assert await heads_of(store, "bob") == in_order([record])
        await moved(store, record, binds="")
        assert await heads_of(store, "bob") == []

    async def test_what_has_ended_or_expired_is_not_found(self, store: Store) -> None:
        ended, idle, used = [await bound(store, "ada") for _ in range(3)]
        await store.delete(ended.key)
        assert await heads_of(store, "ada") == in_order([idle, used])
        await self.advance(store, IDLE - 60)
        await store.touch([used.key])
        await self.advance(store, 120)
        assert [each.key for each in await heads_of(store, "ada")] == [used.key]
        await self.advance(store, DAY)
        assert await heads_of(store, "ada") == []

    async def test_a_refused_rotation_leaves_a_session_found_where_it_was(self, store: Store) -> None:
        record = await bound(store, "ada", {"a": b"text"})
        await store.rotate(replace(change(record), increments={"a": 1}), successor(record, binds="bob"))
        assert await heads_of(store, "ada") == in_order([record])
        assert await heads_of(store, "bob") == []

    async def test_many_sessions_are_found(self, store: Store) -> None:
        records = await asyncio.gather(*(bound(store, "ada", life=60 + at) for at in range(300)))
        assert await heads_of(store, "ada") == in_order(records)

    async def test_ending_all_keys_until_there_is_no_new_one_ends_all_sessions(self, store: Store) -> None:
        """S-55: though the sessions move to new keys at the same time."""
        index = find_capability(store, Indexing)
        assert index is not None
        records = [await bound(store, "ada") for _ in range(5)]
        moving = asyncio.gather(*(self.keep_moving(store, record, 30) for record in records))
        ended: set[SessionKey] = set()
        while fresh := set(await index.keys_of("ada")) - ended:
            await asyncio.gather(*map(store.delete, fresh))
            ended |= fresh
        await moving
        assert await heads_of(store, "ada") == []

    async def keep_moving(self, store: Store, record: SessionRecord, times: int) -> None:
        """Rotate a session repeatedly, until it has ended."""
        for _ in range(times):
            to = successor(record)
            outcome = await store.rotate(change(record), to)
            if outcome.status is CommitStatus.GONE:
                return
            record = record.after(change(record), outcome, to)
            await asyncio.sleep(0)


async def heads_of(store: Store, principal: str) -> list[SessionHead]:
    """The sessions of a principal in the store, with the attribute a, in the order of the keys; see `Indexing`."""
    index = find_capability(store, Indexing)
    assert index is not None
    seen: set[SessionKey] = set()
    heads: list[SessionHead] = []
    while fresh := set(await index.keys_of(principal)) - seen:
        heads += await index.heads_of(principal, fresh, names=("a",))
        seen |= fresh
    return sorted(heads, key=lambda head: head.key)


def in_order(records: Iterable[SessionRecord]) -> list[SessionHead]:
    """The listed data of these, with the attribute a, in the order of the keys."""
    return sorted((SessionHead.of(record, ("a",)) for record in records), key=lambda head: head.key)
