"""A session beside a plain dict: whatever is done to both, they stay equal, over commits and on other nodes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from copy import deepcopy
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.nodes import Node, two_nodes
from wsgessions import SessionId, errors
from wsgessions.manager.opened_session import OpenedSession
from wsgessions.session import Session, unit_of
from wsgessions.session.lazy_values import LazyValue

T = TypeVar("T")

names = st.sampled_from(["a", "b", "c", "cart", "naïve", "x" * 256])
scalars = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3) | st.binary(max_size=3) | st.floats(-2, 2)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "l"]), inner, max_size=2)
        | st.tuples(inner, inner)
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(names, values, max_size=4)


class SessionBesideDict(RuleBasedStateMachine):
    """One session at a time, on either of two nodes, and the dict that it should equal."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.nodes: tuple[Node, Node] = two_nodes()
        self.model: dict[str, Any] = {}
        self.stored: dict[str, Any] = {}
        self.held: list[tuple[Any, Any]] = []
        self.aliased = False
        self.id: SessionId | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize(attributes=ATTRIBUTES)
    def begin(self, attributes: dict[str, Any]) -> None:
        async def create() -> SessionId | None:
            async with self.nodes[0].manager.open() as session:
                session.update({"always": 1}, **deepcopy(attributes))
            return session.id

        self.id = self.run(create())
        self.stored = {"always": 1, **attributes}
        self.open(0)

    def open(self, node: int) -> None:
        self.opened: OpenedSession = self.nodes[node].manager.open(self.id)
        self.session: Session = self.run(self.opened.__aenter__())
        self.model, self.held, self.aliased = _apart(self.stored), [], False

    def close(self, error: Exception | None = None) -> None:
        self.run(self.opened.__aexit__(type(error) if error else None, error, None))

    # -- what a dict can

    @rule(name=names, value=values)
    def set(self, name: str, value: Any) -> None:
        self.session[name] = deepcopy(value)
        self.model[name] = deepcopy(value)

    @rule(name=names)
    def delete(self, name: str) -> None:
        if name in self.model:
            del self.session[name]
            del self.model[name]
        else:
            with pytest.raises(KeyError):
                del self.session[name]

    @rule(name=names)
    def get(self, name: str) -> None:
        assert self.session.get(name) == self.model.get(name)
        assert self.session.get(name, 7) == self.model.get(name, 7)
        if name in self.model:
            assert self.session[name] == self.model[name]
        else:
            with pytest.raises(KeyError):
                self.session[name]

    @rule(name=names)
    def pop(self, name: str) -> None:
        if name in self.model:
            assert self.session.pop(name) == self.model.pop(name)
        else:
            with pytest.raises(KeyError):
                self.session.pop(name)
        assert self.session.pop(name, 3) == self.model.pop(name, 3)

    @rule()
    def popitem(self) -> None:
        if self.model:
            last = list(self.session)[-1]
            name, value = self.session.popitem()
            assert name == last
            assert self.model.pop(name) == value
        else:
            with pytest.raises(KeyError):
                self.session.popitem()

    @rule(name=names, value=values)
    def setdefault(self, name: str, value: Any) -> None:
        assert self.session.setdefault(name, deepcopy(value)) == self.model.setdefault(name, deepcopy(value))

    @rule(attributes=ATTRIBUTES)
    def update(self, attributes: dict[str, Any]) -> None:
        self.session.update(deepcopy(attributes))
        self.model.update(deepcopy(attributes))

    @rule(attributes=ATTRIBUTES)
    def update_by_pairs(self, attributes: dict[str, Any]) -> None:
        self.session.update(deepcopy(attributes).items())
        self.model.update(deepcopy(attributes).items())

    @rule(attributes=ATTRIBUTES)
    def union_in_place(self, attributes: dict[str, Any]) -> None:
        before = self.session
        self.session |= deepcopy(attributes)
        self.model |= deepcopy(attributes)
        assert self.session is before

    @rule()
    def clear(self) -> None:
        self.session.clear()
        self.model.clear()

    @rule()
    def look_at_all(self) -> None:
        assert dict(self.session.items()) == self.model
        assert list(self.session.keys()) == list(self.session)
        assert list(reversed(self.session)) == list(self.session)[::-1]
        assert len(list(self.session.values())) == len(self.model)

    @rule(attributes=ATTRIBUTES)
    def unite(self, attributes: dict[str, Any]) -> None:
        assert self.session | attributes == self.model | attributes
        assert attributes | self.session == attributes | self.model
        assert (self.session == attributes) == (self.model == attributes)

    # -- changes inside values

    @rule(name=names, value=values)
    def change_inside(self, name: str, value: Any) -> None:
        inside = self.session.get(name)
        _change(inside, value)
        _change(self.model.get(name), value)
        self.held.append((inside, self.model.get(name)))

    @precondition(lambda self: self.held)
    @rule(data=st.data(), value=values)
    def change_what_was_handed_out(self, data: st.DataObject, value: Any) -> None:
        ours, models = data.draw(st.sampled_from(self.held))
        _change(ours, value)
        _change(models, value)

    @rule(name=names, other=names)
    def two_names_for_one_object(self, name: str, other: str) -> None:
        if name in self.model:
            self.session[other] = self.session[name]
            self.model[other] = self.model[name]
            self.aliased = True

    # -- the store

    @rule()
    def commit(self) -> None:
        self.run(self.session.commit())
        self.stored = deepcopy(self.model)

    @rule()
    def refresh(self) -> None:
        if self.aliased:  # what was one object comes back as two, but for what is not committed
            self.commit()
        self.run(self.session.refresh())
        self.model, self.held, self.aliased = _apart(self.model), [], False

    @rule(name=names, value=values)
    def somebody_else_changes_it(self, name: str, value: Any) -> None:
        """After a commit and before a refresh, so that both are equal again whoever was first."""
        self.commit()

        async def change() -> None:
            async with self.nodes[1].manager.open(self.id) as session:
                session[name] = deepcopy(value)

        self.run(change())
        self.run(self.session.refresh())
        self.stored[name] = deepcopy(value)
        self.model, self.held, self.aliased = _apart(self.stored), [], False

    @rule(node=st.integers(0, 1))
    def reopen(self, node: int) -> None:
        self.close()
        self.stored = deepcopy(self.model)
        self.open(node)

    @rule(node=st.integers(0, 1))
    def fail_and_reopen(self, node: int) -> None:
        """R-31: nothing that was not committed is there afterwards."""
        self.close(RuntimeError())
        self.open(node)

    @rule()
    def rotate(self) -> None:
        self.run(_now(self.session.rotate_id()))
        self.id = self.session.id

    @invariant()
    def they_are_equal(self) -> None:
        if self.id is None:
            return
        assert len(self.session) == len(self.model)
        assert bool(self.session) == bool(self.model)
        assert set(self.session) == set(self.model)
        for name in ("a", "cart", "missing"):
            assert (name in self.session) == (name in self.model)

    def teardown(self) -> None:
        with self.runner:
            if self.id is not None:
                assert self.session == self.model
                assert self.model == self.session
                assert dict(self.session) == {**self.session} == self.session.copy() == self.model
                self.reopen(1)
                assert self.session == self.model


async def _now(deferred: Any) -> None:
    await deferred


def _apart(attributes: dict[str, Any]) -> dict[str, Any]:
    """A copy in which no two attributes share an object, as after a way through the store."""
    return {name: deepcopy(value) for name, value in attributes.items()}


def _change(value: Any, by: Any) -> None:
    """Change a value in place, if it can be, always in the same way."""
    match value:
        case list() if len(value) < 4:
            value.append(deepcopy(by))
        case list():
            value.pop(0)
        case dict() if "k" in value:
            del value["k"]
        case dict():
            value["k"] = deepcopy(by)


TestSessionBesideDict = SessionBesideDict.TestCase
TestSessionBesideDict.settings = settings(
    max_examples=100, stateful_step_count=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)


# -- decoding on the first touch ---------------------------------------------------------------------------------------


async def loaded(**attributes: Any) -> tuple[OpenedSession, Session]:
    node, _ = two_nodes()
    async with node.manager.open() as session:
        session.update(attributes)
    opened = node.manager.open(session.id)
    return opened, await opened.__aenter__()


def undecoded(session: Session) -> set[str]:
    return {name for name, value in dict.items(session) if type(value) is LazyValue}


async def test_attributes_are_decoded_when_somebody_looks() -> None:
    _, session = await loaded(a=1, b=[2], c={"d": 3})
    assert undecoded(session) == {"a", "b", "c"}
    assert "a" in session
    assert len(session) == 3
    assert set(session) == {"a", "b", "c"}
    assert undecoded(session) == {"a", "b", "c"}
    assert session["b"] == [2]
    assert undecoded(session) == {"a", "c"}


async def test_deleting_and_replacing_decode_nothing() -> None:
    _, session = await loaded(a=1, b=[2], c={"d": 3})
    del session["a"]
    session["b"] = 1
    assert undecoded(session) == {"c"}


async def test_one_value_that_cannot_be_read_leaves_the_others_alone() -> None:
    """R-25: it fails by its name, and it can be replaced or removed."""
    opened, session = await loaded(good=1, bad=2, worse=3)
    unit = unit_of(session)
    assert unit.record is not None
    unit.rebase_onto(session, unit.record.attributes.altered({"bad": b"\xc1", "worse": b"\xc1"}))
    assert session["good"] == 1
    with pytest.raises(errors.CodecError, match="'bad'"):
        session["bad"]
    with pytest.raises(errors.CodecError, match="'bad'"):
        session.copy()
    session["bad"] = "new"
    del session["worse"]
    assert session == {"good": 1, "bad": "new"}
    await opened.__aexit__(None, None, None)


async def test_serializers_written_in_c_see_values() -> None:
    _, session = await loaded(a=1, b=[2], c={"d": 3})
    assert json.loads(json.dumps(session)) == {"a": 1, "b": [2], "c": {"d": 3}}
    _, session = await loaded(a=1, b=[2], c={"d": 3})
    assert msgspec.json.decode(msgspec.json.encode(session)) == {"a": 1, "b": [2], "c": {"d": 3}}


async def test_a_view_that_is_kept_shows_values_after_the_session_has_changed() -> None:
    """Not what stands for them."""
    node, _ = two_nodes()
    async with node.manager.open() as session:
        session.update(a=[1], b=[2], n=0)
    async with node.manager.open(session.id) as session:
        items, all_values = session.items(), session.values()
        assert dict(items) == {"a": [1], "b": [2], "n": 0}
        await session.increment("n")
        await session.refresh()
        assert dict(items) == {"a": [1], "b": [2], "n": 1}
        assert sorted(map(str, all_values)) == ["1", "[1]", "[2]"]


async def test_a_view_that_was_kept_while_the_session_was_empty_shows_values_too() -> None:
    one, other = two_nodes()
    async with one.manager.open() as session:
        session["a"] = 1
    async with one.manager.open(session.id) as session:
        del session["a"]
        await session.commit()
    async with one.manager.open(session.id) as first, other.manager.open(session.id) as second:
        items = first.items()
        second["cart"] = ["pot"]
        await second.commit()
        await first.refresh()
        assert list(items) == [("cart", ["pot"])]


async def test_a_value_that_cannot_be_read_does_not_stand_in_the_way_of_giving_up_changes() -> None:
    """R-25, R-31: the handler's own error comes out."""
    opened, session = await loaded(good=[1], bad=2)
    unit = unit_of(session)
    assert unit.record is not None
    unit.rebase_onto(session, unit.record.attributes.altered({"bad": b"\xc1"}))
    with pytest.raises(errors.CodecError, match="'bad'"):
        session.items()
    session["bad"] = "new"
    session["good"].append(2)
    mine = RuntimeError("mine")
    await opened.__aexit__(RuntimeError, mine, None)
    assert not unit_of(session).collect(session)


async def test_changing_it_while_iterating_is_an_error_as_for_a_dict() -> None:
    """R-06."""
    _, session = await loaded(a=1, b=2)
    with pytest.raises(RuntimeError, match="changed size"):
        for name in session:
            session[name + "2"] = 1
