"""Sizes and durations as people write them (R-08)."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgessions.settings.units import parse_duration, parse_size, show_duration, show_size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("500ms", 0.5),
        ("30m", 1800),
        ("30 min", 1800),
        (" 24H ", 86_400),
        ("2d", 172_800),
        ("1.5s", 1.5),
        (2, 2),
    ],
)
def test_durations_have_units_and_seconds_without_one(text: Any, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "value", ["", "s", "1x", "1 h 5", "1e3", "٣s", None, True, [], math.nan, math.inf, "1e400", 10**30]
)
def test_other_things_are_no_durations(value: Any) -> None:
    with pytest.raises(ValueError):
        parse_duration(value)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("128M", 2**27),
        ("4G", 2**32),
        ("1k", 1024),
        ("1KiB", 1024),
        ("1 KB", 1024),
        ("1.5K", 1536),
        ("7", 7),
        ("7B", 7),
        (7, 7),
    ],
)
def test_sizes_are_powers_of_1024(text: Any, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("value", ["", "M", "1X", "1.5", "1MM", None, True, 1.5])
def test_other_things_are_no_sizes(value: Any) -> None:
    with pytest.raises(ValueError):
        parse_size(value)


@given(st.integers(1, 10**9))
def test_what_is_shown_is_read_as_the_same(number: int) -> None:
    assert parse_size(show_size(number)) == number
    assert parse_duration(show_duration(timedelta(seconds=number))) == timedelta(seconds=number)


@pytest.mark.parametrize(
    ("seconds", "text"), [(86_400, "24h"), (172_800, "2d"), (90, "90s"), (1.5, "1.5s"), (0.5, "500ms")]
)
def test_durations_are_shown_as_people_write_them(seconds: float, text: str) -> None:
    assert show_duration(timedelta(seconds=seconds)) == text
