"""How tests are spread over processes, and how they start others."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("of its own")
def test_tests_of_one_group_run_in_one_process_one_after_another(request: pytest.FixtureRequest) -> None:
    """By the id that pytest-xdist gives them. With pytest 9.2 it lost the groups, and told nothing."""
    in_parallel = bool(getattr(request.config.option, "loadgroup", False))
    assert request.node.nodeid.endswith("@of its own") == in_parallel


def test_the_name_of_any_test_fits_into_the_environment_of_a_process(request: pytest.FixtureRequest) -> None:
    """Whichever test comes first starts the server; with a name of 128 KiB, Linux does not start it."""
    names = {item.nodeid for item in request.session.items}
    assert max(map(len, names)) < 1_000
