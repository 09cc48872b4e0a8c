"""Log lines that cannot flood (S-11)."""

from __future__ import annotations

import logging

import pytest

from wsgessions.log_throttle import LogThrottle

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
