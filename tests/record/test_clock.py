"""The store's clock as a node sees it (C-16, C-20, F-12)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.record.clock import StoreClock


class Times:
    """A machine's two clocks, moved by hand."""

    def __init__(self) -> None:
        self.monotonic = 100.0
        self.wall = 1_000_000.0

    def pass_seconds(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def clock(self) -> StoreClock:
        return StoreClock(monotonic=lambda: self.monotonic, wall=lambda: self.wall)


def test_until_the_first_reply_it_shows_this_machines_time() -> None:
    times = Times()
    clock = times.clock()
    times.pass_seconds(1.5)
    assert clock.now_ms() == 1_000_001_500


def test_after_a_reply_it_shows_the_stores_time() -> None:
    """Half of the round trip has passed since the store looked at its clock."""
    times = Times()
    clock = times.clock()
    sent_at = times.monotonic
    times.pass_seconds(0.25)
    clock.observe(5_000_000, sent_at=sent_at)
    assert clock.now_ms() == 5_000_125
    times.pass_seconds(3)
    assert clock.now_ms() == 5_003_125


def test_a_step_of_the_wall_clock_changes_nothing() -> None:
    """F-12."""
    times = Times()
    clock = times.clock()
    clock.observe(5_000_000, sent_at=times.monotonic)
    times.wall -= 3600
    assert clock.now_ms() == 5_000_000


def test_a_later_reply_corrects_it() -> None:
    times = Times()
    clock = times.clock()
    clock.observe(5_000_000, sent_at=times.monotonic)
    times.pass_seconds(10)
    clock.observe(5_010_500, sent_at=times.monotonic)
    assert clock.now_ms() == 5_010_500


def test_a_slow_reply_does_not_replace_what_a_quicker_one_has_told() -> None:
    """C-16: who relies on the clock allows for half a second."""
    times = Times()
    clock = times.clock()
    clock.observe(5_000_000, sent_at=times.monotonic)
    sent_at = times.monotonic
    times.pass_seconds(3)
    clock.observe(5_000_100, sent_at=sent_at)
    assert clock.now_ms() == 5_003_000


def test_a_slow_reply_is_better_than_none() -> None:
    times = Times()
    clock = times.clock()
    sent_at = times.monotonic
    times.pass_seconds(2)
    clock.observe(5_000_000, sent_at=sent_at)
    assert clock.now_ms() == 5_001_000


# -- until when a change may be carried out (C-20) ---------------------------------------------------------------------


def told(times: Times, store_ms: int, *, round_trip: float = 0.0) -> StoreClock:
    """A clock that has heard the store once; the answer is just here."""
    clock, sent_at = times.clock(), times.monotonic
    times.pass_seconds(round_trip)
    clock.observe(store_ms, sent_at=sent_at)
    return clock


def test_a_change_may_be_carried_out_until_its_deadline() -> None:
    times = Times()
    clock = told(times, 5_000_000)
    assert clock.not_after(times.monotonic + 2) == 5_001_999
    assert clock.patience(times.monotonic + 2) == 2


def test_the_bound_counts_from_when_the_answer_came_and_not_from_the_middle_of_the_round_trip() -> None:
    """The store may have looked at its clock right before it answered."""
    times = Times()
    clock = told(times, 5_000_000, round_trip=0.25)
    assert clock.now_ms() == 5_000_125
    assert clock.not_after(times.monotonic + 2) == 5_001_999


@given(
    lag=st.floats(0, 5), back=st.floats(0, 5), silence=st.floats(0, 600), wait=st.floats(0, 60), skew=st.floats(-1, 1)
)
def test_the_bound_is_never_later_than_the_deadline_by_the_stores_clock(
    lag: float, back: float, silence: float, wait: float, skew: float
) -> None:
    """Whatever the round trip was, and though the two clocks drift apart by a thousandth."""
    times = Times()
    clock, sent_at, store = times.clock(), times.monotonic, 5_000.0
    clock.observe(int(store * 1000), sent_at=sent_at)
    sent_at = times.monotonic
    times.pass_seconds(lag)
    store += lag * (1 + skew / 1000)
    answer = int(store * 1000)
    times.pass_seconds(back)
    store += back * (1 + skew / 1000)
    clock.observe(answer, sent_at=sent_at)
    times.pass_seconds(silence)
    store += silence * (1 + skew / 1000)
    assert clock.not_after(times.monotonic + wait) <= (store + wait) * 1000 + 1


def test_the_longer_the_store_was_not_heard_the_earlier_the_bound() -> None:
    """The two clocks may drift apart, by a thousandth at most."""
    times = Times()
    clock = told(times, 5_000_000)
    times.pass_seconds(100)
    assert clock.not_after(times.monotonic + 2) == 5_101_899


def test_an_answer_that_was_long_under_way_takes_nothing_back() -> None:
    """What an earlier one has told is nearer to the truth, less the drift."""
    times = Times()
    clock = told(times, 5_000_000)
    sent_at = times.monotonic
    times.pass_seconds(10)
    clock.observe(5_000_500, sent_at=sent_at)
    assert clock.not_after(times.monotonic) == 5_009_989


def test_a_store_whose_clock_was_set_back_is_followed_at_once() -> None:
    """F-12: otherwise changes would be carried out after their deadlines, for as long as it was set back by."""
    times = Times()
    clock = told(times, 5_000_000)
    times.pass_seconds(1)
    clock.observe(4_000_000, sent_at=times.monotonic)
    assert clock.not_after(times.monotonic + 2) == 4_001_999


def test_a_store_whose_clock_was_set_forward_is_followed_at_once() -> None:
    """F-12: otherwise each change would come too late."""
    times = Times()
    clock = told(times, 5_000_000)
    clock.observe(9_000_000, sent_at=times.monotonic)
    assert clock.not_after(times.monotonic + 2) == 9_001_999


def test_a_store_that_was_never_heard_is_taken_to_have_this_machines_time() -> None:
    times = Times()
    clock = times.clock()
    assert clock.not_after(times.monotonic + 2) == 1_000_001_999


@pytest.mark.parametrize("deadline", [float("inf"), 10_000.0])
def test_a_change_is_under_way_for_a_minute_at_most(deadline: float) -> None:
    """Also one whose caller waits for ever."""
    times = Times()
    clock = told(times, 5_000_000)
    assert clock.not_after(deadline) == 5_059_999
    assert clock.patience(deadline) == 60


def test_a_deadline_that_has_passed_leaves_nothing_to_wait_for() -> None:
    times = Times()
    clock = told(times, 5_000_000)
    assert clock.not_after(times.monotonic - 1) == 4_998_999
    assert clock.patience(times.monotonic - 1) == 0
