"""What is stored of a session, as values: how a state and changes to it come together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.record import (
    CommitOutcome,
    CommitStatus,
    NewSession,
    RotationTarget,
    Seen,
    SessionChanges,
    SessionDelta,
    SessionKey,
    SessionRecord,
    StoredAttributes,
    new_commit_id,
    new_incarnation,
)
from wsgessions.record.struct import replace

KEY, NEW_KEY = SessionKey(0xABC, bytes(range(16))), SessionKey(0xABC, bytes(16))


def record(**attributes: bytes) -> SessionRecord:
    return SessionRecord(KEY, 7, 100, 1000, 60_000, 90_000, 61_000, StoredAttributes(attributes))


def applied(version: int = 200, **more: Any) -> CommitOutcome:
    return CommitOutcome(CommitStatus.APPLIED, version=version, previous=100, expires_ms=62_000, **more)


def test_a_ref_is_made_of_segment_and_digest() -> None:
    """S-80."""
    assert KEY.ref == "abc000102030"


def test_a_record_tells_what_was_seen() -> None:
    assert record().seen == Seen(7, 100)


def test_changes_replace_and_add() -> None:
    changes = SessionChanges(150, 30_000, 62_000, {"b": b"2", "c": b"3"})
    after = record(a=b"1", b=b"1").merged(changes)
    assert after.attributes == {"a": b"1", "b": b"2", "c": b"3"}
    assert (after.version, after.interval_ms, after.expires_ms) == (150, 30_000, 62_000)
    assert (after.key, after.incarnation, after.created_ms, after.deadline_ms) == (KEY, 7, 1000, 90_000)


def test_names_that_live_no_more_are_dropped() -> None:
    """C-9."""
    changes = SessionChanges(150, 30_000, 62_000, {"b": b"2"}, frozenset({"b", "c"}))
    assert record(a=b"1", b=b"1", c=b"1").merged(changes).attributes == {"b": b"2", "c": b"1"}


def test_a_commit_comes_on_top() -> None:
    delta = SessionDelta(KEY, 7, 100, {"b": b"2"}, frozenset({"c"}), interval_ms=5000)
    after = record(a=b"1", b=b"1", c=b"1").after(delta, applied(computed={"n": b"9"}))
    assert after.attributes == {"a": b"1", "b": b"2", "n": b"9"}
    assert (after.version, after.interval_ms, after.expires_ms) == (200, 5000, 62_000)


def test_a_commit_comes_on_top_of_what_others_did_in_between() -> None:
    """C-9: the outcome tells of them."""
    others = SessionChanges(150, 30_000, 62_000, {"a": b"other", "x": b"new"}, frozenset({"a", "b", "x"}))
    delta = SessionDelta(KEY, 7, 100, {"b": b"mine"})
    after = record(a=b"1", b=b"1", c=b"1").after(delta, applied(changes=others))
    assert after.attributes == {"a": b"other", "b": b"mine", "x": b"new"}
    assert (after.version, after.interval_ms) == (200, 30_000)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (record(a=b"1", b=b"1"), applied(changes=SessionChanges(150, 30_000, 62_000, {"a": b"other"}))),
        (replace(record(a=b"other", b=b"1"), version=150), replace(applied(), previous=150)),
    ],
    ids=["the outcome has what others did", "the state has it"],
)
def test_attributes_that_were_computed_beforehand_count_for_their_base_alone(
    state: SessionRecord, outcome: CommitOutcome
) -> None:
    """C-9: they lack what others have committed in between."""
    beforehand = StoredAttributes({"a": b"1", "b": b"mine"})
    delta = SessionDelta(KEY, 7, 100, {"b": b"mine"}, attributes=beforehand)
    assert record(a=b"1", b=b"1").after(delta, applied()).attributes is beforehand
    assert state.after(delta, outcome).attributes == {"a": b"other", "b": b"mine"}


def test_what_came_after_a_commit_whose_answer_was_lost_comes_on_top_with_its_own_version() -> None:
    """C-8, C-9: the answer to a resend tells of later commits too."""
    later = SessionChanges(250, 30_000, 63_000, {"a": b"later", "b": b"later"}, frozenset({"a", "b", "d"}))
    delta = SessionDelta(KEY, 7, 100, {"b": b"mine", "d": b"mine", "e": b"mine"}, interval_ms=5000)
    after = record(a=b"1", b=b"1", c=b"1").after(delta, applied(changes=later))
    assert after.attributes == {"a": b"later", "b": b"later", "d": b"mine"}
    assert (after.version, after.interval_ms, after.expires_ms) == (250, 30_000, 63_000)


def test_an_outcome_that_comes_back_late_changes_nothing() -> None:
    state = record(a=b"1")
    assert state.after(SessionDelta(KEY, 7, 99, {"a": b"old"}), applied(version=100)) is state


def test_a_rotation_moves_to_its_successor() -> None:
    """S-06: creation and deadline are kept."""
    after = record(a=b"1").after(SessionDelta(KEY, 7, 100), applied(), RotationTarget(NEW_KEY, 8))
    assert (after.key, after.incarnation, after.version) == (NEW_KEY, 8, 200)
    assert (after.created_ms, after.deadline_ms, after.attributes.raw) == (1000, 90_000, {"a": b"1"})


states = st.dictionaries(st.sampled_from("abcdef"), st.binary(max_size=2), max_size=6)


@given(states, states)
def test_the_difference_of_two_states_leads_from_one_to_the_other(
    one: dict[str, bytes], other: dict[str, bytes]
) -> None:
    changed = {name: raw for name, raw in other.items() if one.get(name) != raw}
    removed = one.keys() - other.keys()
    changes = SessionChanges(150, 1, 1, changed, frozenset(other) if removed else None)
    assert record(**one).merged(changes).attributes == other
    delta = SessionDelta(KEY, 7, 100, changed, frozenset(removed))
    assert record(**one).after(delta, applied()).attributes == other


def test_values_are_frozen() -> None:
    """K-11: a state that several requests read is nobody's to change."""
    state, delta = record(a=b"1"), SessionDelta(KEY, 7, 100)
    for value, name in [(state, "version"), (delta, "base"), (NewSession(KEY, {}, 1, 1), "key"), (applied(), "status")]:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(value, name, 1)


def test_incarnations_and_commit_ids_are_random() -> None:
    """C-7, C-9."""
    incarnations = {new_incarnation() for _ in range(1000)}
    assert len(incarnations) == 1000
    assert all(0 <= incarnation < 2**64 for incarnation in incarnations)
    assert max(incarnations) > 2**60
    assert len({new_commit_id() for _ in range(1000)}) == 1000
    assert all(len(new_commit_id()) == 8 for _ in range(10))
    assert SessionDelta(KEY, 7, 100).commit_id != SessionDelta(KEY, 7, 100).commit_id
