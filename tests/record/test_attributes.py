"""What stands for attributes in a session is made once for all requests that see one state."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.codec import encode
from wsgessions.record import StoredAttributes
from wsgessions.session import Session, unit_of
from wsgessions.session.lazy_values import LazyValue
from wsgessions.session.mapping import SessionMapping


def placeholders(stored: StoredAttributes) -> dict[str, LazyValue]:
    return dict(stored.placeholders(LazyValue.all_of))


def storage(attributes: SessionMapping) -> dict[str, Any]:
    """What a serializer in C would read."""
    return dict(dict.items(attributes))


def resting_on(stored: StoredAttributes) -> SessionMapping:
    attributes = Session()
    unit_of(attributes).rebase_onto(attributes, stored)
    return attributes


def test_two_requests_share_the_placeholders_of_one_state_and_nothing_else() -> None:
    """K-11."""
    stored = StoredAttributes({"cart": encode([1], name="cart"), "plain": encode(1, name="plain")})
    one, other = resting_on(stored), resting_on(stored)
    assert storage(one) == storage(other) == placeholders(stored)
    one["cart"].append("changed")
    one["new"] = 1
    del one["plain"]
    assert dict(other) == {"cart": [1], "plain": 1}
    assert dict(resting_on(stored)) == {"cart": [1], "plain": 1}


def test_a_later_state_keeps_the_placeholders_of_what_did_not_change() -> None:
    before = StoredAttributes({"a": b"\x01", "b": b"\x02", "c": b"\x03"})
    known = placeholders(before)
    after = before.altered({"b": b"\x09", "d": b"\x04"}, {"c"})
    made = placeholders(after)
    assert made["a"] is known["a"]
    assert {name: each.raw for name, each in made.items()} == after == {"a": b"\x01", "b": b"\x09", "d": b"\x04"}
    assert placeholders(before) == known
    assert before == {"a": b"\x01", "b": b"\x02", "c": b"\x03"}


def test_only_the_states_that_were_used_last_have_placeholders(monkeypatch: pytest.MonkeyPatch) -> None:
    """The garbage collector visits each placeholder, so their number must not grow with a near cache."""
    monkeypatch.setattr("wsgessions.record.attributes._recent.max_bytes", 100_000)
    states = [StoredAttributes({"cart": encode(["item", number], name="cart")}) for number in range(1000)]
    sessions = [resting_on(state) for state in states]
    lazy = [number for number, state in enumerate(states) if state.lazy is not None]
    assert lazy == list(range(1000 - len(lazy), 1000))
    assert 50 < len(lazy) < 200
    assert [session["cart"][1] for session in sessions] == list(range(1000))
    later = states[0].altered({"more": encode(1, name="more")})
    assert dict(resting_on(states[0])) == {"cart": ["item", 0]}
    assert dict(resting_on(later)) == {"cart": ["item", 0], "more": 1}
    assert states[lazy[0]].lazy is None


def test_empty_states_are_not_kept_for_ever_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wsgessions.record.attributes._recent.max_bytes", 100_000)
    states = [StoredAttributes({}) for _ in range(1000)]
    for state in states:
        resting_on(state)
    assert sum(state.lazy is not None for state in states) < 200


_FORKING = """
import os, threading
from wsgessions.codec import encode
from wsgessions.record import StoredAttributes
from wsgessions.record.attributes import _recent
from wsgessions.session.lazy_values import LazyValue

held, over = threading.Event(), threading.Event()

def hold():
    with _recent._lock:
        held.set()
        over.wait()

threading.Thread(target=hold, daemon=True).start()
held.wait()
child = os.fork()
if child == 0:
    print(list(StoredAttributes({"a": encode(1, name="a")}).placeholders(LazyValue.all_of)), flush=True)
    os._exit(0)
over.set()
os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_a_forked_child_makes_placeholders_while_its_parent_was_about_to() -> None:
    """F-25: the thread that held the lock does not exist in the child."""
    run = subprocess.run([sys.executable, "-c", _FORKING], capture_output=True, text=True, timeout=60, check=True)
    assert run.stdout == "['a']\n"


def test_the_garbage_collector_has_nothing_to_do_with_a_state() -> None:
    stored = StoredAttributes({"cart": encode([1], name="cart")})
    assert not gc.is_tracked(stored)
    assert not gc.is_tracked(stored.raw)
    later = stored.altered({"plain": b"\x01"})
    assert not gc.is_tracked(later)
    assert not gc.is_tracked(later.raw)


NAMES = st.sampled_from("abcdef")
VALUES = st.dictionaries(NAMES, st.binary(max_size=3))


@given(VALUES, st.lists(st.tuples(VALUES, st.frozensets(NAMES))), st.booleans())
def test_after_any_changes_placeholders_and_values_belong_together_in_one_order(
    first: dict[str, bytes], steps: list[tuple[dict[str, bytes], frozenset[str]]], used_early: bool
) -> None:
    state, expected = StoredAttributes(first), dict(first)
    for changed, removed in steps:
        if used_early:
            state.placeholders(LazyValue.all_of)
        state = state.altered(changed, removed)
        expected = {name: raw for name, raw in expected.items() if name not in removed} | changed
    assert list(state.raw.items()) == list(expected.items())
    assert [(name, each.raw) for name, each in placeholders(state).items()] == list(expected.items())
    assert all(each.name == name for name, each in placeholders(state).items())


@given(VALUES, st.lists(st.tuples(VALUES, st.frozensets(NAMES))))
def test_after_any_changes_the_size_is_that_of_the_content(
    first: dict[str, bytes], steps: list[tuple[dict[str, bytes], frozenset[str]]]
) -> None:
    """R-04: it is what the limit is compared with."""
    state = StoredAttributes(first)
    state.measure()
    for changed, removed in steps:
        state = state.altered(changed, removed)
    assert state.size == sum(len(name) + len(value) for name, value in state.raw.items())
