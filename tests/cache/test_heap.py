"""The heap tier keeps to its limit, keeps what is used, and forgets what it is told to forget."""

from __future__ import annotations

import gc
import hashlib
import sys
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from tests.cache.served import served
from wsgessions.cache.heap import Snapshots
from wsgessions.record import SessionKey, SessionRecord, StoredAttributes

VALUE = bytes(1000)


def key(number: int) -> SessionKey:
    return SessionKey(number % 4096, hashlib.blake2b(str(number).encode(), digest_size=16).digest())


def record(number: int, version: int = 100, value: bytes = VALUE) -> SessionRecord:
    return SessionRecord(key(number), 7, version, 1000, 60_000, 90_000, 61_000, StoredAttributes({"value": value}))


def digest(number: int) -> bytes:
    return key(number).digest


def filled(numbers: Iterable[int], *, max_bytes: int = 100_000) -> Snapshots:
    snapshots = Snapshots(max_bytes)
    for number in numbers:
        snapshots.put(record(number))
    return snapshots


def kept(snapshots: Snapshots, numbers: Iterable[int]) -> set[int]:
    return {number for number in numbers if snapshots.peek(digest(number))}


def test_what_was_put_in_is_found() -> None:
    snapshots = filled([1, 2])
    found = served(snapshots, digest(1))
    assert found is not None
    assert found.current
    assert found.record == record(1)
    assert served(snapshots, digest(3)) is None
    assert len(snapshots) == 2


def test_a_new_state_takes_the_place_of_the_old_one() -> None:
    snapshots = filled([1])
    before = snapshots.bytes
    snapshots.put(record(1, 200, VALUE * 2))
    found = served(snapshots, digest(1))
    assert found is not None
    assert found.record.version == 200
    assert len(snapshots) == 1
    assert snapshots.bytes == before + len(VALUE)


def test_an_outdated_state_stays_as_a_base_until_it_is_renewed() -> None:
    snapshots = filled([1])
    assert snapshots.outdate(digest(1))
    assert not snapshots.outdate(digest(1))
    outdated = snapshots.peek(digest(1))
    assert outdated is not None
    assert not outdated.current
    snapshots.put(record(1, 200))
    renewed = snapshots.peek(digest(1))
    assert renewed is not None
    assert renewed.current
    assert not snapshots.outdate(digest(2))


def test_outdated_states_make_room_first() -> None:
    snapshots = filled(range(30))
    for number in range(10, 20):
        served(snapshots, digest(number))
        snapshots.outdate(digest(number))
    number = 30
    while not snapshots.evicted:
        snapshots.put(record(number))
        number += 1
    assert kept(snapshots, range(30)) == {*range(30)} - {10}


def test_what_is_discarded_is_gone_and_costs_nothing() -> None:
    snapshots = filled([1, 2])
    assert snapshots.discard(digest(1))
    assert not snapshots.discard(digest(1))
    assert snapshots.discard(digest(2))
    assert (len(snapshots), snapshots.bytes, snapshots.evicted) == (0, 0, 0)


def test_all_can_be_removed_at_once() -> None:
    snapshots = filled([1, 2])
    snapshots.outdate(digest(2))
    assert snapshots.clear() == 2
    assert (len(snapshots), snapshots.bytes) == (0, 0)
    snapshots.put(record(1))
    assert kept(snapshots, [1, 2]) == {1}


def holding(records: Iterable[SessionRecord]) -> Snapshots:
    snapshots = Snapshots(100_000)
    for each in records:
        snapshots.put(each)
    return snapshots


def references_to(records: Iterable[SessionRecord]) -> list[int]:
    return [sys.getrefcount(each) for each in records]


def test_what_leaves_is_freed_at_once_and_not_when_the_collector_comes_by() -> None:
    """F-20: else the process would hold much more than is accounted for."""
    records = [record(number) for number in range(500)]
    before = references_to(records)
    snapshots = holding(records)
    assert 0 < snapshots.evicted < 500
    assert sum(references_to(records)) == sum(before) + len(snapshots)
    snapshots.outdate(digest(499))
    snapshots.discard(digest(498))
    assert sum(references_to(records)) == sum(before) + len(snapshots)
    snapshots.clear()
    assert references_to(records) == before


def test_a_tier_that_is_dropped_frees_its_states() -> None:
    records = [record(number) for number in range(10)]
    before = references_to(records)
    snapshots = holding(records)
    assert references_to(records) != before
    del snapshots
    assert references_to(records) == before


def test_the_garbage_collector_visits_nothing_of_a_full_tier() -> None:
    """Else each full collection would take the longer the more sessions there are."""
    gc.collect()
    before = len(gc.get_objects())
    snapshots = filled(range(1000), max_bytes=10_000_000)
    assert len(snapshots) == 1000
    assert len(gc.get_objects()) - before < 20


def test_a_state_larger_than_a_tenth_of_the_limit_is_not_kept_nor_what_it_replaces() -> None:
    """F-20."""
    snapshots = filled([1, 2])
    snapshots.put(record(1, 200, bytes(10_000)))
    assert kept(snapshots, [1, 2]) == {2}
    snapshots.put(record(3, value=bytes(10_000)))
    assert kept(snapshots, [2, 3]) == {2}


def test_sessions_in_use_outlast_a_scan_over_many_that_are_not() -> None:
    snapshots = filled(range(20))
    for number in range(20):
        served(snapshots, digest(number))
    for number in range(1000, 3000):
        snapshots.put(record(number))
    assert kept(snapshots, range(20)) == {*range(20)}


def test_a_session_that_comes_back_soon_after_it_had_to_go_stays() -> None:
    snapshots = filled(range(300))
    gone = max({*range(300)} - kept(snapshots, range(300)))
    snapshots.put(record(gone))
    for number in range(1000, 1100):
        snapshots.put(record(number))
    assert kept(snapshots, [gone]) == {gone}


STEPS = st.lists(
    st.tuples(st.sampled_from(["get", "put", "outdate", "discard"]), st.integers(0, 40), st.integers(0, 3000)),
    max_size=300,
)


@given(STEPS)
def test_the_account_is_exact_and_within_the_limit_whatever_happens(steps: list[tuple[str, int, int]]) -> None:
    """F-20. Everything is compared with a plain dict, but for what had to make room."""
    snapshots, latest = Snapshots(20_000), dict[int, tuple[int, bool]]()
    for version, (action, number, size) in enumerate(steps):
        if action == "put":
            snapshots.put(record(number, version, bytes(size)))
            latest[number] = version, True
        elif action == "outdate":
            snapshots.outdate(digest(number))
            latest[number] = latest.get(number, (0, True))[0], False
        elif action == "discard":
            snapshots.discard(digest(number))
            latest.pop(number, None)
        else:
            served(snapshots, digest(number))
        there = {n: found for n in range(41) if (found := snapshots.peek(digest(n)))}
        assert all((found.record.version, found.current) == latest[n] for n, found in there.items())
        assert sum(found.size for found in there.values()) == snapshots.bytes <= 20_000
        assert len(snapshots) == len(there)
