"""The small memory of what was worked out lately."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wsgessions.internal.two_generation_cache import TwoGenerationCache


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=60))
def test_the_last_entries_are_kept_and_no_more_than_twice_as_many(size: int, steps: list[tuple[bool, int]]) -> None:
    recent: TwoGenerationCache[int, int] = TwoGenerationCache(size)
    used: list[int] = []
    for puts, key in steps:
        if puts:
            recent.put(key, key * 10)
        if puts or recent[key] is not None:
            used = [other for other in used if other != key] + [key]
        assert all(recent.get(other, recent._old.get(other)) == other * 10 for other in used[-size:])
        assert len(recent) + len(recent._old) <= 2 * size


def test_what_was_never_put_in_is_not_there() -> None:
    assert TwoGenerationCache[str, int](3)["a"] is None
