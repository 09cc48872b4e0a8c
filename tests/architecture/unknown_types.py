"""Runs pyright, and counts the types that it does not know: ``python -m tests.architecture.unknown_types``.

pyright is strict, but for three rules that are warnings in `pyproject.toml`: most of what they find is an `Any` that
`isinstance()` has narrowed to a dict or a list of unknown members, and mypy calls that no error. Errors are shown and
refused as ever; of the warnings the counts may only fall. `./dev types` runs this in place of pyright.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tests.architecture.ratchets import differences

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout)["generalDiagnostics"]
    errors = [each for each in found if each["severity"] == "error"]
    unknown = Counter(each["rule"] for each in found if each["severity"] == "warning")
    print(*map(_shown, errors), sep="\n", end="\n" * bool(errors))
    print(f"pyright: {len(errors)} errors; unknown types: {unknown.total()}")
    problems = differences("unknown_types", unknown)
    print(*problems, sep="\n", end="\n" * bool(problems))
    return bool(errors or problems)


def _shown(each: dict[str, Any]) -> str:
    place = Path(each["file"]).relative_to(ROOT)
    return f"{place}:{each['range']['start']['line'] + 1}: {each['message']} ({each.get('rule', 'syntax')})"


if __name__ == "__main__":
    sys.exit(main())
