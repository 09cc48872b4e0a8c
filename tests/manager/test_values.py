"""Values of subclasses in sessions: what the request sees, what is stored, and what other nodes read (R-02)."""

from __future__ import annotations

import enum
from collections import OrderedDict, defaultdict
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from tests.codec.portraits import identical
from tests.nodes import Node, content, created, two_nodes
from wsgessions import errors


class UserInfo(dict[str, Any]):
    """As that of Authlib."""


class SafeString(str):
    __slots__ = ()


class Role(enum.StrEnum):
    ADMIN = "admin"


class Level(enum.IntEnum):
    HIGH = 3


class Row(NamedTuple):
    id: int
    role: Role


class FakeDatetime(datetime):
    """As that of freezegun."""


@pytest.fixture
def nodes() -> tuple[Node, Node]:
    return two_nodes()


CASES: dict[str, tuple[Any, Any]] = {
    "a dict": (UserInfo(sub="u-1"), {"sub": "u-1"}),
    "a text": (SafeString("<b>"), "<b>"),
    "a str enum": (Role.ADMIN, "admin"),
    "an int enum": (Level.HIGH, 3),
    "a row": (Row(1, Role.ADMIN), (1, "admin")),
    "an ordered dict": (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
    "a dict with a default": (defaultdict(list, a=[Role.ADMIN]), {"a": ["admin"]}),
    "a time": (FakeDatetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    "all of these, inside": ({"list": [UserInfo(role={Role.ADMIN})]}, {"list": [{"role": {"admin"}}]}),
}


@pytest.mark.parametrize("case", CASES)
async def test_the_request_keeps_its_object_and_the_others_read_plain_data(nodes: tuple[Node, Node], case: str) -> None:
    value, plain = CASES[case]
    one, other = nodes
    async with one.manager.open() as session:
        session["v"] = value
        assert session["v"] is value
        await session.commit()
        assert session["v"] is value
    assert identical((await content(other, session.id or ""))["v"], plain)
    assert identical((await content(one, session.id or ""))["v"], plain)


@pytest.mark.parametrize("case", CASES)
async def test_where_values_are_strict_they_are_refused_and_nothing_is_stored(case: str) -> None:
    """R-01."""
    one, other = two_nodes(strict_values=True)
    session_id = await created(one.manager, good=1)
    async with one.manager.open(session_id) as session:
        session.update(good=2, bad=CASES[case][0])
        with pytest.raises(errors.CodecError, match=r"'bad.*cannot be stored"):
            await session.commit()
        del session["bad"]
        await session.commit()
        with pytest.raises(errors.CodecError, match=r"'good.*cannot be stored"):
            await session.update("good", lambda _: CASES[case][0])
    assert await content(other, session_id) == {"good": 2}


@pytest.mark.parametrize("is_new", [True, False])
async def test_changes_inside_are_found_after_a_commit_too(nodes: tuple[Node, Node], is_new: bool) -> None:
    """R-03."""
    one, other = nodes
    session_id = None if is_new else await created(one.manager, a=1)
    async with one.manager.open(session_id) as session:
        session["user"] = UserInfo(roles=[])
        await session.commit()
        session["user"]["roles"].append(Role.ADMIN)
    assert await content(other, session.id or "") == {"user": {"roles": ["admin"]}} | ({} if is_new else {"a": 1})


async def test_equal_content_in_another_class_is_no_change(nodes: tuple[Node, Node]) -> None:
    one, _ = nodes
    session_id = await created(one.manager, user={"sub": "u-1"}, role="admin")
    one.store.calls.clear()
    async with one.manager.open(session_id) as session:
        session.update(user=UserInfo(sub="u-1"), role=Role.ADMIN)
        assert not session.modified
    assert "apply" not in one.store.calls


async def test_an_update_in_the_store_gives_the_plain_value(nodes: tuple[Node, Node]) -> None:
    one, other = nodes
    session_id = await created(one.manager, user={})
    async with one.manager.open(session_id) as session:
        assert type(await session.update("user", lambda _: UserInfo(sub="u-1"))) is dict
    assert await content(other, session_id) == {"user": {"sub": "u-1"}}


async def test_a_number_of_a_subclass_can_be_added(nodes: tuple[Node, Node]) -> None:
    """C-10."""
    one, other = nodes
    session_id = await created(one.manager, n=Level.HIGH)
    async with one.manager.open(session_id) as session:
        assert await session.increment("n", Level.HIGH) == 6
    assert identical(await content(other, session_id), {"n": 6})
    async with one.manager.open() as session:
        session["n"] = Level.HIGH
        assert identical(await session.increment("n", Level.HIGH), 6)


class Name(enum.StrEnum):
    CART = "cart"
    COUNT = "count"


class TestNames:
    """Members of a StrEnum as names of attributes, which are dict keys."""

    async def test_they_name_the_same_attributes_as_their_texts(self, nodes: tuple[Node, Node]) -> None:
        one, other = nodes
        async with one.manager.open() as session:
            session[Name.CART] = []
            session.setdefault(Name.COUNT, 1)
            assert [type(name) for name in session] == [str, str]
        session_id = session.id or ""
        async with other.manager.open(session_id) as session:
            session[Name.CART].append("tea")
            assert await session.increment(Name.COUNT) == 2
        assert await content(one, session_id) == {"cart": ["tea"], "count": 2}
        async with one.manager.open(session_id) as session:
            await session.update(Name.CART, lambda cart: [*cart, "milk"])
            del session[Name.COUNT]
        assert await content(other, session_id) == {"cart": ["tea", "milk"]}
        sent = [name for node in nodes for delta in node.store.deltas for name in (*delta.changed, *delta.removed)]
        assert sent == ["cart", "count", "cart"]
        assert {type(name) for name in sent} == {str}
