"""Who may import whom. Arrows point inward: adapters -> middleware -> web -> manager -> session and stores -> record.

`ratchets.toml` lists what is allowed, and the circles that there still are. A part that is not in the list,
an arrow that is not and a new circle are refused; an allowed arrow or a known circle that is no more is taken off.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.architecture.arrows import Circle, between_files, between_parts, circles
from tests.architecture.ratchets import recorded

ALLOWED: dict[str, list[str]] = {part: allowed.split() for part, allowed in recorded("arrows").items()}
KNOWN_CIRCLES: dict[str, list[dict[str, Any]]] = recorded("circles")


def test_every_part_is_in_the_list_and_no_other() -> None:
    assert between_parts().keys() ^ ALLOWED.keys() == set()


@pytest.mark.parametrize("part", ALLOWED)
def test_a_part_imports_those_that_the_list_allows(part: str) -> None:
    """An import that is no more leaves the list, too, so that it cannot come back unseen."""
    found, allowed = between_parts()[part], set(ALLOWED[part])
    assert found <= allowed, f"{part} may not import: {sorted(found - allowed)}"
    assert allowed <= found, f"well done; in ratchets.toml, take off what {part} has: {sorted(allowed - found)}"


def test_the_list_begins_with_the_innermost_part_and_goes_outward() -> None:
    """A part imports what stands above it, but for the circles."""
    order = list(ALLOWED)
    upward = {
        (part, other)
        for part, allowed in ALLOWED.items()
        for other in allowed
        if order.index(other) > order.index(part)
    }
    inside = [set(circle.members) for circle in circles(ALLOWED)]
    assert {arrow for arrow in upward if not any(circle.issuperset(arrow) for circle in inside)} == set()


@pytest.mark.parametrize("kind", ["parts", "files"])
def test_there_are_no_circles_but_the_known_ones(kind: str) -> None:
    """One that grows by a member or by an arrow is a new one; what it has lost is taken off the record."""
    found = circles({"parts": between_parts, "files": between_files}[kind]())
    known = [Circle(tuple(each["members"]), each["arrows"]) for each in KNOWN_CIRCLES.get(kind, [])]
    worse = [each for each in found if not any(each.is_within(other) for other in known)]
    assert not worse, f"new, or larger than before: {worse}"
    assert found == known, "well done; in ratchets.toml, write down these: " + "; ".join(map(str, found))


def test_a_circle_is_no_worse_if_it_has_lost_a_member_or_an_arrow() -> None:
    known = Circle(("a", "b", "c"), 4)
    assert Circle(("a", "b", "c"), 3).is_within(known)
    assert Circle(("a", "c"), 2).is_within(known)
    assert not Circle(("a", "b", "c"), 5).is_within(known)
    assert not Circle(("a", "d"), 2).is_within(known)


# -- the measure -------------------------------------------------------------------------------------------------------


def test_a_circle_is_found_as_a_whole_with_the_arrows_inside_of_it() -> None:
    arrows = {"a": {"b"}, "b": {"c", "d"}, "c": {"a", "b"}, "d": {"e"}, "e": set[str]()}
    assert circles(arrows) == [Circle(("a", "b", "c"), 4)]


def test_two_circles_of_which_one_imports_the_other_are_two() -> None:
    arrows = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}}
    assert circles(arrows) == [Circle(("a", "b"), 2), Circle(("c", "d"), 2)]
