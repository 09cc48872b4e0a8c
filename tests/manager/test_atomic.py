"""Counting and changing one attribute at the store, whatever others do meanwhile (C-10, K-03)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.nodes import Node, content, created, two_nodes
from wsgessions import errors
from wsgessions.manager import atomic


@pytest.fixture
def nodes() -> tuple[Node, Node]:
    return two_nodes()


# -- increment ---------------------------------------------------------------------------------------------------------


async def test_counting_on_two_nodes_loses_nothing(nodes: tuple[Node, Node]) -> None:
    """K-03: exactly one hundred, and every result is returned to one caller only."""
    session_id = await created(nodes[0].manager, n=0)

    async def count(number: int) -> float:
        async with nodes[number % 2].manager.open(session_id) as session:
            return await session.increment("n")

    results = await asyncio.gather(*(count(number) for number in range(100)))
    assert sorted(results) == list(range(1, 101))
    assert await content(nodes[0], session_id) == {"n": 100}


async def test_it_is_one_call_that_sends_no_value(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    session_id = await created(one.manager, n=1, other="x" * 1000)
    async with one.manager.open(session_id) as session:
        one.store.calls.clear()
        assert await session.increment("n", 5) == 6
        assert session["n"] == 6
    assert one.store.calls == ["apply"]
    assert one.store.deltas[0].changed == {}
    assert one.store.deltas[0].increments == {"n": 5}


async def test_an_absent_attribute_counts_as_zero(nodes: tuple[Node, Node]) -> None:
    session_id = await created(nodes[0].manager, a=1)
    async with nodes[0].manager.open(session_id) as session:
        assert await session.increment("n", 2) == 2
        assert await session.increment("n", -0.5) == 1.5
    assert await content(nodes[1], session_id) == {"a": 1, "n": 1.5}


async def test_it_adds_to_what_this_request_has_made_of_the_attribute(nodes: tuple[Node, Node]) -> None:
    """And leaves its other changes for the commit."""
    one, other = nodes
    session_id = await created(one.manager, n=1, m=1, gone=5)
    async with one.manager.open(session_id) as session:
        session.update(n=10, m=10)
        del session["gone"]
        assert await session.increment("n") == 11
        assert await session.increment("gone") == 1
        assert await content(other, session_id) == {"n": 11, "m": 1, "gone": 1}
        assert session == {"n": 11, "m": 10, "gone": 1}
    assert await content(other, session_id) == {"n": 11, "m": 10, "gone": 1}


async def test_a_new_session_counts_by_itself_until_it_is_created(nodes: tuple[Node, Node]) -> None:
    """S-50, K-03."""
    one, other = nodes
    async with one.manager.open() as session:
        assert await session.increment("n") == 1
        assert await session.increment("n") == 2
        assert one.store.calls == []
    assert await content(other, session.id or "") == {"n": 2}


@pytest.mark.parametrize("value", ["1", None, True, [1], {"n": 1}, b"1"])
async def test_what_is_no_number_is_refused_and_stays(nodes: tuple[Node, Node], value: Any) -> None:
    one, other = nodes
    session_id = await created(one.manager, n=value)
    async with one.manager.open(session_id) as session:
        with pytest.raises(errors.CodecError, match=r"'n'.*number"):
            await session.increment("n")
    assert await content(other, session_id) == {"n": value}


@pytest.mark.parametrize(("value", "by"), [(2**53 - 1, 1), (-(2**53) + 1, -1), (2**60, 1), (1e308, 1e308)])
async def test_what_would_not_be_exact_is_refused_and_stays(nodes: tuple[Node, Node], value: float, by: float) -> None:
    one, other = nodes
    session_id = await created(one.manager, n=value)
    async with one.manager.open(session_id) as session:
        with pytest.raises(errors.CodecError, match=r"'n'.*2\*\*53"):
            await session.increment("n", by)
    assert await content(other, session_id) == {"n": value}


@pytest.mark.parametrize("by", ["1", None, True, float("nan"), float("inf"), 2**53])
async def test_only_a_finite_exact_number_can_be_added(nodes: tuple[Node, Node], by: Any) -> None:
    one, _ = nodes
    session_id = await created(one.manager, n=1)
    one.store.calls.clear()
    async with one.manager.open(session_id) as session:
        with pytest.raises(errors.CodecError, match="'n'"):
            await session.increment("n", by)
    assert one.store.calls == ["load", "touch"]


async def test_counting_takes_in_what_others_have_changed(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session_id = await created(one.manager, n=1, a=1)
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        first.update(a=2, b=1)
        await first.commit()
        await second.increment("n")
        assert second == {"n": 2, "a": 2, "b": 1}


async def test_a_rotation_and_a_count_are_one_step(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session_id = await created(one.manager, n=1)
    async with one.manager.open(session_id) as session:
        session.rotate_id()
        assert await session.increment("n") == 2
    assert one.store.counts["rotate"] == 1
    assert await content(other, session.id or "") == {"n": 2}
    assert await content(other, session_id) == {}


# -- update ------------------------------------------------------------------------------------------------------------


async def test_updates_on_two_nodes_lose_nothing(nodes: tuple[Node, Node]) -> None:
    """K-03, K-05: every token is in, and each reading was a prefix of the final order."""
    session_id = await created(nodes[0].manager, tokens=[])
    readings: list[list[int]] = []

    async def append(number: int) -> None:
        async with nodes[number % 2].manager.open(session_id) as session:
            readings.append(await session.update("tokens", lambda tokens: [*tokens, number]))

    await asyncio.gather(*(append(number) for number in range(60)))
    final = (await content(nodes[0], session_id))["tokens"]
    assert sorted(final) == list(range(60))
    assert all(reading == final[: len(reading)] for reading in readings)


async def test_the_function_gets_the_stores_value_and_may_run_again(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session_id = await created(one.manager, n=1, a=1)
    got: list[Any] = []
    async with one.manager.open(session_id) as first, other.manager.open(session_id) as second:
        first.update(n=10, a=2)
        await first.commit()

        def add(n: int) -> int:
            got.append(n)
            return n + 1

        assert await second.update("n", add) == 11
        assert second == {"n": 11, "a": 2}
    assert got == [1, 10]
    assert await content(one, session_id) == {"n": 11, "a": 2}


async def test_an_absent_attribute_is_none_for_the_function(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session_id = await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        assert await session.update("new", lambda value: [value]) == [None]
    assert await content(other, session_id) == {"a": 1, "new": [None]}


async def test_uncommitted_changes_of_the_attribute_stand_against_it(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    session_id = await created(one.manager, n=1, m=1)
    async with one.manager.open(session_id) as session:
        session.update(n=2, m=2)
        with pytest.raises(errors.SessionConflict, match="not committed") as caught:
            await session.update("n", lambda n: n + 1)
        assert caught.value.names == ("n",)
        await session.commit()
        assert await session.update("n", lambda n: n + 1) == 3


async def test_a_function_that_raises_changes_nothing(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session_id = await created(one.manager, n=1)

    def fail(n: int) -> int:
        raise KeyError("mine")

    async with one.manager.open(session_id) as session:
        with pytest.raises(KeyError, match="mine"):
            await session.update("n", fail)
    assert await content(other, session_id) == {"n": 1}


@pytest.mark.parametrize("make", [object, lambda: print])
async def test_a_result_that_cannot_be_stored_changes_nothing(
    nodes: tuple[Node, Node], make: Callable[[], Any]
) -> None:
    """R-01."""
    one, other = nodes
    session_id = await created(one.manager, n=1)
    async with one.manager.open(session_id) as session:
        with pytest.raises(errors.CodecError, match="'n'"):
            await session.update("n", lambda n: make())
    assert await content(other, session_id) == {"n": 1}


async def test_whoever_is_always_too_late_is_told_so(nodes: tuple[Node, Node], monkeypatch: pytest.MonkeyPatch) -> None:
    """F-76: the attempts are bounded."""
    monkeypatch.setattr(atomic, "MAX_ATTEMPTS", 3)
    one, other = nodes
    session_id = await created(one.manager, n=0)

    async def interfere(name: str) -> None:
        if name == "apply":
            async with other.manager.open(session_id) as session:
                session["n"] += 1

    one.store.before = interfere
    async with one.manager.open(session_id) as session:
        with pytest.raises(errors.SessionConflict, match="3 attempts"):
            await session.update("n", lambda n: -1)
    assert await content(other, session_id) == {"n": 3}
    assert one.manager.statistics.conflicts == 1


async def test_the_value_that_was_handed_out_is_left_behind(nodes: tuple[Node, Node]) -> None:
    """The session shows what the store has."""
    one, other = nodes
    session_id = await created(one.manager, cart=["pot"])
    async with one.manager.open(session_id) as session:
        assert session["cart"] == ["pot"]
        await session.update("cart", lambda cart: [*cart, "cup"])
        assert session["cart"] == ["pot", "cup"]
    assert await content(other, session_id) == {"cart": ["pot", "cup"]}
