"""The store's clock as a node sees it (C-16, F-12)."""

from __future__ import annotations

from wsgessions.clock import StoreClock


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
