"""Counts accesses to another object's private names, `x._name`, by file: ``python -m tests.architecture.reach_ins``.

What counts is what ruff's rule SLF001 says: not what goes through ``self``, ``cls`` or ``super()``. Comments that
silence ruff are not heeded. `./dev lint` runs this, since ruff belongs to its environment and not to that of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.architecture.ratchets import differences

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("wsgessions", "adapters", "samples")


def reach_ins() -> Counter[str]:
    """The number in each file that has any."""
    ruff = Path(sys.executable).with_name("ruff")
    options = ["check", "--isolated", "--select", "SLF001", "--ignore-noqa", "--exit-zero", "--output-format", "json"]
    found = subprocess.run([ruff, *options, *FOLDERS], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    return Counter(Path(each["filename"]).relative_to(ROOT).as_posix() for each in json.loads(found))


def main() -> int:
    found = reach_ins()
    print(f"private reach-ins: {found.total()} in {len(found)} files")
    problems = differences("reach_ins", found)
    print(*problems, sep="\n", end="\n" * bool(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
