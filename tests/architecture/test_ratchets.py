"""A ratchet refuses what is worse, and what is better without being recorded."""

from __future__ import annotations

from tests.architecture.ratchets import differing


def test_figures_as_recorded_are_right() -> None:
    assert list(differing("some", {"a.py": 2, "b.py": 1}, {"a.py": 2, "b.py": 1})) == []


def test_a_worse_figure_is_refused() -> None:
    assert list(differing("some", {"a.py": 2}, {"a.py": 3})) == ["a.py: 3, and no more than 2 are allowed"]


def test_a_figure_that_is_not_recorded_counts_as_worse_than_none() -> None:
    assert list(differing("some", {}, {"a.py": 1})) == ["a.py: 1, and no more than 0 are allowed"]


def test_a_better_figure_is_refused_with_the_line_to_write() -> None:
    (said,) = differing("some", {"a.py": 2}, {"a.py": 1})
    assert said.endswith('in ratchets.toml, under [some], write: "a.py" = 1')


def test_a_figure_that_has_come_to_nothing_is_refused_until_its_line_goes() -> None:
    (said,) = differing("some", {"a.py": 2}, {})
    assert said.endswith("in ratchets.toml, under [some], write: no line for it")
