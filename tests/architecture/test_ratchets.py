"""A ratchet refuses what is worse, and what is better without being recorded."""

from __future__ import annotations

from tests.architecture.ratchets import differing, recorded
from tests.architecture.sources import ROOT


def test_figures_as_recorded_are_right() -> None:
    assert list(differing("reach_ins", {"a.py": 2, "b.py": 1}, {"a.py": 2, "b.py": 1})) == []


def test_a_worse_figure_is_refused() -> None:
    assert list(differing("reach_ins", {"a.py": 2}, {"a.py": 3})) == ["a.py: 3, and no more than 2 are allowed"]


def test_a_figure_that_is_not_recorded_counts_as_worse_than_none() -> None:
    assert list(differing("reach_ins", {}, {"a.py": 1})) == ["a.py: 1, and no more than 0 are allowed"]


def test_a_better_figure_is_refused_with_the_line_to_write() -> None:
    (said,) = differing("reach_ins", {"a.py": 2}, {"a.py": 1})
    assert said.endswith('in ratchets.toml, under [reach_ins], write: "a.py" = 1')


def test_a_figure_that_has_come_to_nothing_is_refused_until_its_line_goes() -> None:
    (said,) = differing("reach_ins", {"a.py": 2}, {})
    assert said.endswith("in ratchets.toml, under [reach_ins], write: no line for it")


def test_the_record_names_files_that_exist() -> None:
    assert [name for name in recorded("reach_ins") if not (ROOT / name).exists()] == []
