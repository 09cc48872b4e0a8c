"""How much of the product the tests run, branches too: ``python -m tests.architecture.covered``, after a measured run.

`fail_under` in `pyproject.toml` is what was reached, in whole per cent. `./dev test --coverage` measures and runs this.
"""

from __future__ import annotations

import io
import sys

from coverage import Coverage

_ONCE_IN_A_WHILE = 0.3
"""Per cent that one run reaches and the next does not: what runs when a connection breaks at the right moment."""


def main() -> int:
    coverage = Coverage()
    coverage.load()
    reached, floor = coverage.report(file=io.StringIO()), coverage.config.fail_under
    print(f"covered: {reached:.2f} % of statements and branches")
    problem = problem_of(reached, floor)
    print(problem, end="\n" * bool(problem))
    return bool(problem)


def problem_of(reached: float, floor: float) -> str:
    if reached < floor:
        return f"no less than {floor:.0f} % are allowed; `./dev shell coverage report` tells what is not run"
    if reached >= floor + 1 + _ONCE_IN_A_WHILE:
        return f"well done; in pyproject.toml, under [tool.coverage.report], write: fail_under = {int(reached)}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
