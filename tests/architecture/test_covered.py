"""How the figure of coverage is held, see `covered`."""

from __future__ import annotations

import pytest

from tests.architecture.covered import problem_of


@pytest.mark.parametrize("reached", [94.0, 94.4, 95.2])
def test_coverage_may_be_what_was_reached_and_a_little_more(reached: float) -> None:
    assert problem_of(reached, 94) == ""


def test_less_coverage_is_refused() -> None:
    assert "no less than 94 %" in problem_of(93.99, 94)


def test_more_coverage_is_refused_with_the_line_to_write() -> None:
    assert problem_of(96.1, 94).endswith("write: fail_under = 96")
