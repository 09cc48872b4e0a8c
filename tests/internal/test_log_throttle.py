"""Log lines that cannot flood (S-11)."""

from __future__ import annotations

import logging

import pytest

from wsgessions.internal.log_throttle import LogThrottle

LOGGER = logging.getLogger("tests.throttle")


class Seconds:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


@pytest.fixture
def throttle(clock: Seconds, caplog: pytest.LogCaptureFixture) -> LogThrottle:
    caplog.set_level(logging.DEBUG, LOGGER.name)
    return LogThrottle(LOGGER, interval=60, monotonic=clock)


def test_one_line_per_event_and_interval(
    throttle: LogThrottle, clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        throttle.warning("flood", "peer %s", "a")
    assert caplog.messages == ["peer a"]


def test_the_next_line_tells_how_many_were_left_out(
    throttle: LogThrottle, clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        throttle.warning("flood", "peer %s", "a")
    clock.now = 60
    throttle.warning("flood", "peer %s", "b")
    clock.now = 120
    throttle.warning("flood", "peer %s", "c")
    assert caplog.messages == ["peer a", "peer b [and 999 more since the last such line]", "peer c"]


def test_events_do_not_silence_each_other(throttle: LogThrottle, caplog: pytest.LogCaptureFixture) -> None:
    throttle.warning("one", "first")
    throttle.error("two", "second")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "first"),
        ("ERROR", "second"),
    ]


def test_each_line_carries_its_event_for_machines(throttle: LogThrottle, caplog: pytest.LogCaptureFixture) -> None:
    throttle.warning("one", "first")
    assert caplog.records[0].__dict__["event"] == "one"


def test_sources_do_not_silence_each_other(
    throttle: LogThrottle, clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(1000):
        throttle.warning("flood", "peer %s", "a", source="a")
    throttle.warning("flood", "peer %s", "b", source="b")
    clock.now = 60
    throttle.warning("flood", "peer %s", "a", source="a")
    assert caplog.messages == ["peer a", "peer b", "peer a [and 999 more since the last such line]"]


def test_a_thousand_sources_make_a_limited_number_of_lines(
    throttle: LogThrottle, clock: Seconds, caplog: pytest.LogCaptureFixture
) -> None:
    """And of entries in memory; those that were silent for an interval make room."""
    for number in range(1000):
        throttle.info("flood", "peer %d", number, source=str(number))
    assert caplog.messages == [f"peer {number}" for number in range(65)]
    clock.now = 60
    throttle.info("flood", "peer %s", "new", source="new")
    throttle.info("flood", "peer %s", "newer", source="newer")
    assert caplog.messages[65:] == ["peer new", "peer newer"]
