"""The verb `matrix`: tests on each supported Python, and with the oldest versions that are supported."""

from __future__ import annotations

from collections.abc import Sequence

from devtools.console import STATE, say
from devtools.environment import Environment
from devtools.pythons import other_pythons
from devtools.testing import PARALLEL, run_tests

PYTHONS = ("3.11", "3.12", "3.13")


OF_ADAPTERS = (
    "tests/adapters",
    "tests/migration",
    "tests/testing",
    "tests/test_framework_versions.py",
    "tests/test_install.py",
)
"""The tests that depend on the frameworks' versions."""


def matrix(args: list[str]) -> int:
    """All tests on each Python, the adapters' with the oldest frameworks too; `frameworks`: the adapters' only."""
    alone = args[:1] == ["frameworks"]
    of_adapters = (*OF_ADAPTERS, *args[1:], *PARALLEL) if alone else args or (*OF_ADAPTERS, *PARALLEL)
    found = dict(other_pythons(" ".join(PYTHONS)))
    plan = [(PYTHONS[0], "oldest", of_adapters)]
    plan += [(python, "newest", of_adapters if alone else args or PARALLEL) for python in PYTHONS]
    results = {cell[:2]: run_on(found.get(cell[0]), *cell) for cell in plan}
    say(f"{'Python':<8}{'oldest versions':<24}newest versions")
    for python in PYTHONS:
        oldest, newest = (results.get((python, versions), "-") for versions in ("oldest", "newest"))
        say(f"{python:<8}{oldest:<24}{newest}")
    return int(not found or any("FAILED" in result for result in results.values()))


def run_on(path: str | None, python: str, versions: str, tests: Sequence[str]) -> str:
    """Run tests on a Python with the oldest or the newest versions of their dependencies; returns the cell of the
    table.
    """
    if path is None:
        return "not on this machine"
    say(f"Python {python}, {versions} versions: {path}")
    if versions == "oldest":
        program = Environment(STATE / "matrix" / f"{python}-oldest", path, base="oldest").need()
        tests = (*tests, "-W", "ignore::DeprecationWarning")  # old frameworks over new libraries
    else:
        program = Environment(STATE / "matrix" / python, path).need("test")
    code = run_tests(program, *tests)
    return "passed" if code == 0 else f"FAILED ({code})"
