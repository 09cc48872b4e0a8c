"""The Pythons of this machine.

A Python that is too old for the project runs this file, to name one that is not: only syntax of Python 3.6 here.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

FLOOR = (3, 11)


def other_pythons(versions: str = "3.14 3.13 3.12 3.11") -> "Iterator[tuple[str, str]]":
    """The suitable Pythons of this machine, newest first: (version, path)."""
    home = Path.home() / ".pyenv" / "versions"
    for version in versions.split():
        found = sorted(str(path) for path in home.glob(version + ".*/bin/python"))
        on_path = shutil.which("python" + version)
        if on_path and "/shims/" not in on_path:  # a shim of pyenv may belong to a version that is not selected
            found.append(on_path)
        if found:
            yield version, found[-1]
