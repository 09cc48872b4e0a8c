"""The program that measures: rounds without their work do not count, and each part of its page is replaced alone."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.chart import Axis, Line, line_chart
from bench.report import Page
from bench.section import Section, table
from bench.timing import Way, cost_over

ORDER = ["first", "second"]


def page_in(folder: Path) -> Page:
    for name in ("reference", "images"):
        (folder / name).mkdir()
    return Page(folder)


async def nothing() -> None:
    pass


async def test_rounds_that_did_not_do_their_work_are_no_measurement() -> None:
    idle = Way(nothing, count=lambda: 0, per_request=1)
    with pytest.raises(RuntimeError, match="only 0 of 4 rounds"):
        await cost_over(idle, Way(nothing), rounds=4, requests=3)


async def test_rounds_that_did_more_than_their_work_are_no_measurement_either() -> None:
    done = 0

    async def twice() -> None:
        nonlocal done
        done += 2

    with pytest.raises(RuntimeError, match="only 0 of 4 rounds"):
        await cost_over(Way(twice, lambda: done, 1), Way(nothing), rounds=4, requests=3)


async def test_a_round_is_measured_over_the_bare_application() -> None:
    calls = 0

    async def request() -> None:
        nonlocal calls
        calls += 1

    cost = await cost_over(Way(request, lambda: calls, 1), Way(nothing), rounds=4, requests=3)

    assert calls == 3 * (1 + 4)  # the first round only warms up
    assert cost.wall < 1e6


def test_a_part_that_is_measured_again_replaces_itself_and_nothing_else(tmp_path: Path) -> None:
    page = page_in(tmp_path)
    page.put("second", [Section("Two", "old two")], order=ORDER)
    page.put("first", [Section("One", "one")], order=ORDER)

    page.put("second", [Section("Two", "new two")], order=ORDER)

    text = page.path.read_text()
    assert "old two" not in text
    assert text.index("## One") < text.index("## Two") < text.index("new two")


def test_notes_above_the_parts_are_kept(tmp_path: Path) -> None:
    page = page_in(tmp_path)
    page.put("first", [Section("One", "one")], order=ORDER)
    page.path.write_text("A note.\n\n" + page.path.read_text())

    page.put("first", [Section("One", "one again")], order=ORDER)

    assert page.path.read_text().startswith("A note.\n\n# Measurements")


def test_a_part_that_is_no_longer_measured_leaves_the_page(tmp_path: Path) -> None:
    page = page_in(tmp_path)
    page.put("earlier", [Section("Gone", "gone")], order=["earlier"])

    page.put("first", [Section("One", "one")], order=ORDER)

    assert "gone" not in page.path.read_text()


def test_charts_stand_beside_the_page(tmp_path: Path) -> None:
    page = page_in(tmp_path)
    page.put("first", [Section("One", "one", {"one.svg": "<svg/>"})], order=ORDER)

    assert "](../images/one.svg)" in page.path.read_text()
    assert (tmp_path / "images" / "one.svg").read_text() == "<svg/>"


def test_a_table_has_as_many_digits_as_mean_something() -> None:
    text = table(("", "a"), [("row", 0.123), ("row", 12.34), ("row", 1234.5), ("row", None), ("row", 5000)])

    assert [line.split()[3] for line in text.splitlines()[2:]] == ["0.12", "12.3", "1,234", "-", "5,000"]


def test_a_chart_is_well_formed_and_keeps_to_its_frame() -> None:
    across, up = Axis("x & y", [1, 10, 100], logarithmic=True), Axis("<share>", [0, 1])
    root = ET.fromstring(line_chart({"a < b": Line({1: 0.0, 100: 1.0}, dashed=True)}, across, up))  # noqa: S314
    (line,) = root.iter("{http://www.w3.org/2000/svg}polyline")
    (left, bottom), (right, top) = (map(float, point.split(",")) for point in line.attrib["points"].split())

    assert 0 < left < right < 640
    assert 0 < top < bottom < 340
