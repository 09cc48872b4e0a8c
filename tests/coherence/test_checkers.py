"""A checker finds nothing in good histories, and each kind of evil in bad ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.coherence import checkers
from tests.coherence.checkers import Timeouts
from tests.coherence.history import NEAR_CACHE, Event, History, Op, Violation, cache_hits, load, save

S = 7
"""The incarnation of the session that most requests here are about."""


def request(began: float, op: Op = Op.READ, own: int | None = None, **more: Any) -> Event:
    """A request that took 10 ms and found the session; ``own`` is what the client's attribute holds."""
    client = more.pop("client", "a")
    content = more.pop("content", {} if own is None else {f"own-{client}": own})
    given = {"arrived": began + 0.002, "acted": began + 0.004, "ended": began + 0.01, "status": 200}
    found = {
        "marked": True,
        "presented": S,
        "loaded": S,
        "incarnation": S,
        "version": 1,
        "content": content,
        "served_from": "store",
    }
    return Event(client, 0, op, began, **{**given, **found, **more})


def write(began: float, token: int, version: int, **more: Any) -> Event:
    return request(began, Op.WRITE, token, **{"token": token, "version": version, **more})


def creation(began: float, token: int, version: int, **more: Any) -> Event:
    return write(began, token, version, **{"presented": None, "loaded": None, "served_from": "new", **more})


def anonymous(began: float, **more: Any) -> Event:
    """A read that found no session."""
    return request(began, **{"loaded": None, "incarnation": None, "version": 0, "served_from": "new", **more})


def ending(began: float, op: Op = Op.INVALIDATE, **more: Any) -> Event:
    return request(began, op, **{"incarnation": None, "version": 0, **more})


GOOD: History = [
    creation(0, 1, 10),
    request(1, own=1, version=10),
    write(2, 2, 20),
    write(3, 3, 0, status=0, loaded=None, incarnation=None, content={}),
    request(4, own=2, version=20, served_from=NEAR_CACHE),
    request(5, own=3, version=30),
    request(6, client="b", content={"own-a": 3}, version=30),
    ending(7, presented=S),
    anonymous(8),
]
"""Writes, one of them without an answer that comes into force later, another client, and an end."""


def broken(check: Callable[[History], Iterable[Violation]], *events: Event) -> list[tuple[str, float]]:
    """The rules that the checker says are broken, and when the requests were sent that show it."""
    return [(violation.rule, violation.event.began) for violation in check(list(events))]


@pytest.mark.parametrize(
    "check",
    [
        checkers.read_your_writes,
        checkers.monotonic_reads,
        checkers.one_content_per_version,
        checkers.growing_versions,
        checkers.isolation,
        lambda history: checkers.bounded_staleness(history, 0),
        lambda history: checkers.no_resurrection(history, 0),
        lambda history: checkers.deadlines(history, Timeouts(10, 100, 0)),
        checkers.sequential,
        checkers.always,
    ],
)
def test_a_good_history_breaks_no_rule(check: Callable[[History], Iterable[Violation]]) -> None:
    assert list(check(GOOD)) == []


# -- K-01 --------------------------------------------------------------------------------------------------------------


def test_an_own_write_that_is_not_found_is_a_violation() -> None:
    stale = request(2, own=1, version=10)
    assert broken(checkers.read_your_writes, creation(0, 1, 10), write(1, 2, 20), stale) == [("K-01", 2)]


def test_an_own_write_that_vanished_from_the_session_is_a_violation() -> None:
    assert broken(checkers.read_your_writes, creation(0, 1, 10), request(1)) == [("K-01", 1)]


def test_an_answer_that_does_not_show_what_it_wrote_is_a_violation() -> None:
    assert broken(checkers.read_your_writes, creation(0, 2, 10, content={"own-a": 1})) == [("K-01", 0)]


def test_an_unknown_write_comes_into_force_or_not_but_is_not_taken_back() -> None:
    unknown = write(1, 2, 0, status=503, content={})
    begin = (creation(0, 1, 10), unknown)
    assert broken(checkers.read_your_writes, *begin, request(2, own=1), request(3, own=2)) == []
    assert broken(checkers.read_your_writes, *begin, request(2, own=2), request(3, own=1)) == [("K-01", 3)]


def test_an_unknown_write_must_not_come_into_force_after_a_newer_one() -> None:
    """F-04."""
    events = creation(0, 1, 10), write(1, 2, 0, status=0, content={}), write(2, 3, 30), request(3, own=2)
    assert broken(checkers.read_your_writes, *events) == [("K-01", 3)]


def test_a_session_may_be_gone_if_it_was_ended_or_the_store_lost_it_and_else_not() -> None:
    flush = Event("store", 0, Op.FLUSH, 0.5, ended=0.6)
    elsewhere = ending(0.5, client="b")
    assert broken(checkers.read_your_writes, creation(0, 1, 10), anonymous(1)) == [("K-01", 1)]
    assert broken(checkers.read_your_writes, creation(0, 1, 10, incarnation=9), elsewhere, anonymous(1, presented=9))
    assert broken(checkers.read_your_writes, creation(0, 1, 10), elsewhere, anonymous(1)) == []
    assert broken(checkers.read_your_writes, creation(0, 1, 10), flush, anonymous(1)) == []
    assert broken(checkers.read_your_writes, creation(0, 1, 10), anonymous(1), flush._replace(began=2)) != []


def test_a_rollback_that_is_flagged_is_none_of_these_violations() -> None:
    """C-12."""
    begin = creation(0, 1, 10), write(1, 2, 20)
    assert broken(checkers.sequential, *begin, request(2, own=1, version=10, rolled_back=True)) == []
    assert broken(checkers.sequential, *begin, request(2, own=1, version=10)) == [("K-01", 2), ("K-04", 2)]


# -- K-04 --------------------------------------------------------------------------------------------------------------


def test_a_client_that_sees_an_older_version_after_a_newer_one_is_a_violation() -> None:
    older = request(2, version=10)
    assert broken(checkers.monotonic_reads, request(0, version=10), request(1, version=20), older) == [("K-04", 2)]
    assert broken(checkers.monotonic_reads, request(1, version=20), older._replace(client="b")) == []


def test_a_client_that_comes_back_to_the_session_before_a_rotation_is_a_violation() -> None:
    events = request(0), request(1, Op.ROTATE, incarnation=8, version=2), request(2, version=3)
    assert broken(checkers.monotonic_reads, *events) == [("K-04", 2)]


def test_two_contents_of_one_version_are_a_violation() -> None:
    events = request(0, own=1), request(1, own=2), request(2, own=2, incarnation=8)
    assert broken(checkers.one_content_per_version, *events) == [("K-04", 1)]
    boxes = request(0, content={"box": [1]}), request(1, content={"box": [2]})
    assert broken(checkers.one_content_per_version, *boxes) == [("K-04", 1)]
    assert broken(checkers.one_content_per_version, boxes[0], boxes[1]._replace(op=Op.WRITE)) == []


def test_a_commit_below_one_that_was_acknowledged_before_it_began_is_a_violation() -> None:
    assert broken(checkers.growing_versions, write(0, 1, 20), write(1, 2, 10)) == [("K-04", 1)]
    assert broken(checkers.growing_versions, write(0, 1, 20), write(0.005, 2, 10)) == []
    assert broken(checkers.growing_versions, write(0, 1, 20), write(1, 2, 10, incarnation=8)) == []


def test_two_commits_that_made_one_version_are_a_violation() -> None:
    events = write(0, 1, 20), write(0.005, 2, 20, client="b")
    assert broken(checkers.one_content_per_version, *events) == [("K-04", 0.005)]


# -- C-4 ---------------------------------------------------------------------------------------------------------------


def test_an_answer_behind_a_commit_is_a_violation_once_the_bound_is_over() -> None:
    events = [write(0, 1, 10), write(1, 2, 20), write(1.2, 3, 30), request(1.5, version=10), request(3, version=10)]
    assert [round(lag, 3) for lag, _ in checkers.lags(events)] == [0.492, 1.992]
    assert broken(lambda history: checkers.bounded_staleness(history, 1), *events) == [("C-4", 3)]


def test_an_answer_that_began_before_the_acknowledgement_is_not_behind() -> None:
    assert list(checkers.lags([write(0, 1, 10), request(0.005, version=5)])) == []


def test_the_lag_counts_from_the_first_newer_state_whichever_version_it_had() -> None:
    events = [write(0, 2, 30), write(0.005, 1, 20), request(2, version=10)]
    assert [round(lag, 3) for lag, _ in checkers.lags(events)] == [1.992]


@pytest.mark.parametrize("asking", [{"op": Op.REFRESH}, {"marked": False}])
def test_an_answer_behind_a_commit_is_a_violation_where_the_store_was_to_be_asked(asking: dict[str, Any]) -> None:
    behind = request(2, version=10)._replace(**asking)
    assert broken(checkers.fresh_when_asked, write(0, 1, 20), behind) == [("C-11", 2)]
    assert broken(checkers.fresh_when_asked, write(0, 1, 20), behind._replace(op=Op.READ, marked=True)) == []


# -- K-08 --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [ending(0), ending(0, Op.ROTATE, incarnation=8, version=2)])
def test_a_session_that_is_served_after_its_end_is_a_violation(end: Event) -> None:
    late = request(1, client="b")
    assert broken(lambda history: checkers.no_resurrection(history, 0), end, late) == [("K-08", 1)]
    assert broken(lambda history: checkers.no_resurrection(history, 0.9), end, late) == [("K-08", 1)]
    assert broken(lambda history: checkers.no_resurrection(history, 1), end, late) == []
    assert broken(lambda history: checkers.no_resurrection(history, 0), end._replace(status=503), late) == []


def test_how_long_a_session_was_served_after_its_end_is_told_for_each() -> None:
    other = [event._replace(presented=8, loaded=8, incarnation=8) for event in (request(0), ending(1))]
    other[1] = other[1]._replace(incarnation=None)
    events = [ending(0), request(0.5), request(0.2), *other]
    assert [round(life, 3) for life in checkers.afterlives(events)] == [0, 0.492]


def test_a_commit_that_is_accepted_after_the_end_is_a_violation_within_any_bound() -> None:
    slow = request(-1, Op.SLOW_WRITE, 1, acted=0.5, ended=0.6)
    assert broken(lambda history: checkers.no_resurrection(history, 5), ending(0), slow) == [("K-08", -1)]
    refused = slow._replace(status=409)
    assert broken(lambda history: checkers.no_resurrection(history, 5), ending(0), refused) == []


def test_a_session_that_survives_the_loss_of_all_data_is_a_violation() -> None:
    events = request(0), Event("store", 0, Op.FLUSH, 1, ended=1.1), request(1.5), request(3)
    assert broken(lambda history: checkers.no_resurrection(history, 1), *events) == [("K-08", 3)]
    born_later = [event._replace(loaded=8, incarnation=8) for event in events[2:]]
    assert broken(lambda history: checkers.no_resurrection(history, 1), *events[:2], *born_later) == []


# -- K-09 --------------------------------------------------------------------------------------------------------------


def late_or_early(*events: Event) -> list[tuple[str, float]]:
    return broken(lambda history: checkers.deadlines(history, Timeouts(idle=10, absolute=30, touch=0.5)), *events)


def test_a_session_that_is_served_after_its_idle_time_is_a_violation() -> None:
    assert late_or_early(creation(0, 1, 10), request(11.4)) == []
    assert late_or_early(creation(0, 1, 10), request(11.6)) == [("K-09", 11.6)]
    assert late_or_early(creation(0, 1, 10), request(9), request(18)) == []


def test_a_session_that_is_refused_before_its_idle_time_is_a_violation() -> None:
    assert late_or_early(creation(0, 1, 10), anonymous(9.1)) == []
    assert late_or_early(creation(0, 1, 10), anonymous(8.9)) == [("K-09", 8.9)]
    assert late_or_early(creation(0, 1, 10), request(5), anonymous(13)) == [("K-09", 13)]
    assert late_or_early(creation(0, 1, 10), ending(5), anonymous(6)) == []


def test_no_use_and_no_rotation_moves_the_absolute_deadline() -> None:
    used = [request(number) for number in range(8, 30, 8)]
    assert late_or_early(creation(0, 1, 10), *used, request(30.9)) == []
    assert late_or_early(creation(0, 1, 10), *used, request(31.1)) == [("K-09", 31.1)]
    assert late_or_early(creation(0, 1, 10), *used, anonymous(28.9)) == [("K-09", 28.9)]
    rotated = request(25, Op.ROTATE, incarnation=8, version=20)
    late = request(31.1, presented=8, loaded=8, incarnation=8)
    assert late_or_early(creation(0, 1, 10), *used, rotated, late) == [("K-09", 31.1)]


# -- K-11 --------------------------------------------------------------------------------------------------------------


def test_an_object_that_two_requests_hold_is_a_violation() -> None:
    assert broken(checkers.isolation, request(0), request(1, aliased=True)) == [("K-11", 1)]


def test_a_change_that_was_never_committed_and_is_seen_is_a_violation() -> None:
    assert broken(checkers.isolation, request(0, content={"box": [["x", "scribble"]]})) == [("K-11", 0)]


# -- around them -------------------------------------------------------------------------------------------------------


def test_a_history_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    save(GOOD, tmp_path / "history")
    assert list(load(tmp_path / "history")) == GOOD
    assert cache_hits(GOOD) == 1


def test_violations_are_shown_up_to_a_number() -> None:
    found = [Violation("K-01", "odd", request(number)) for number in range(9)]
    text = checkers.shown(found, most=2)
    assert text.startswith("9 violations\nK-01: odd")
    assert text.count("Event(") == 2
    assert not checkers.shown([])
