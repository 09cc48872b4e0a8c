"""What stands for attributes in a session is made once for all requests that see one state."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wsgessions.codec import encode
from wsgessions.record import StoredAttributes
from wsgessions.session import Session, unit_of
from wsgessions.session.lazy_values import LazyValue
from wsgessions.session.mapping import SessionMapping


def placeholders(stored: StoredAttributes) -> dict[str, LazyValue]:
    return dict(stored.placeholders(LazyValue.of))


def storage(attributes: SessionMapping) -> dict[str, Any]:
    """What a serializer in C would read."""
    return dict(dict.items(attributes))


def resting_on(stored: StoredAttributes) -> SessionMapping:
    attributes = Session()
    unit_of(attributes).rebase_onto(attributes, stored)
    return attributes


def test_two_requests_share_the_placeholders_of_one_state_and_nothing_else() -> None:
    """K-11."""
    stored = StoredAttributes(cart=encode([1], name="cart"), plain=encode(1, name="plain"))
    one, other = resting_on(stored), resting_on(stored)
    assert storage(one) == storage(other) == placeholders(stored)
    one["cart"].append("changed")
    one["new"] = 1
    del one["plain"]
    assert dict(other) == {"cart": [1], "plain": 1}
    assert dict(resting_on(stored)) == {"cart": [1], "plain": 1}


def test_a_later_state_keeps_the_placeholders_of_what_did_not_change() -> None:
    before = StoredAttributes(a=b"\x01", b=b"\x02", c=b"\x03")
    known = placeholders(before)
    after = before.altered({"b": b"\x09", "d": b"\x04"}, {"c"})
    made = placeholders(after)
    assert made["a"] is known["a"]
    assert {name: each.raw for name, each in made.items()} == after == {"a": b"\x01", "b": b"\x09", "d": b"\x04"}
    assert placeholders(before) == known
    assert before == {"a": b"\x01", "b": b"\x02", "c": b"\x03"}


NAMES = st.sampled_from("abcdef")
VALUES = st.dictionaries(NAMES, st.binary(max_size=3))


@given(VALUES, st.lists(st.tuples(VALUES, st.frozensets(NAMES))), st.booleans())
def test_after_any_changes_placeholders_and_values_belong_together_in_one_order(
    first: dict[str, bytes], steps: list[tuple[dict[str, bytes], frozenset[str]]], used_early: bool
) -> None:
    state, expected = StoredAttributes(first), dict(first)
    for changed, removed in steps:
        if used_early:
            state.placeholders(LazyValue.of)
        state = state.altered(changed, removed)
        expected = {name: raw for name, raw in expected.items() if name not in removed} | changed
    assert list(state.items()) == list(expected.items())
    assert [(name, each.raw) for name, each in placeholders(state).items()] == list(expected.items())
    assert all(each.name == name for name, each in placeholders(state).items())
