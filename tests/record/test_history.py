"""What a state knows of its past (C-12)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wsgessions.record.history import COMMITS_REMEMBERED, UNKNOWN_PAST, begun, continued, holds

VERSIONS = st.lists(st.integers(0, 2**53), min_size=1, max_size=24, unique=True).map(sorted)


def lineage_of(versions: list[int]) -> bytes:
    lineage = begun(versions[0])
    for version in versions[1:]:
        lineage = continued(lineage, version)
    return lineage


@given(VERSIONS)
def test_no_version_that_led_here_is_ever_taken_for_lost(versions: list[int]) -> None:
    assert all(holds(lineage_of(versions), version) for version in versions)


@given(VERSIONS, st.integers(0, 2**53))
def test_a_version_is_lost_if_it_is_younger_than_the_floor_and_led_nowhere(versions: list[int], seen: int) -> None:
    floor = versions[-1 - COMMITS_REMEMBERED :][0]
    assert holds(lineage_of(versions), seen) == (seen <= floor or seen in versions)


def test_where_nothing_is_known_nothing_is_lost() -> None:
    assert holds(UNKNOWN_PAST, 0)
    assert holds(UNKNOWN_PAST, 2**53)


def test_a_lineage_stays_small() -> None:
    assert len(lineage_of(list(range(1000)))) == 8 * (1 + COMMITS_REMEMBERED)
